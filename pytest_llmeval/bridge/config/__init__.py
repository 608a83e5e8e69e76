"""What a session is asked to do: options, settings, models."""
