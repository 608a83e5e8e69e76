"""``local:`` models: the embedded model, its weights and adapters, and the server that a session runs for them."""
