"""Clients and an endpoint for applications under test: their requests become model calls of the case."""
