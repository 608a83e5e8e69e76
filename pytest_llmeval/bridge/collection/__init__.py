"""From marked functions to the cases that run: rows, selection, and what is told of both."""
