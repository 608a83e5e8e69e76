"""``local:`` models: the embedded one, its weights and adapters, and the server that a session runs for them."""
