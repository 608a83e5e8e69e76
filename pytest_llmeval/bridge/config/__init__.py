"""What a session is asked to do: its options, settings and models."""
