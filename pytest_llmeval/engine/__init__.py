"""The engine makes the model calls of a run: each one once, many concurrently, within the limits of the session."""
