"""The engine: it makes the model calls of a run, each once, many at a time, under the limits of the session."""
