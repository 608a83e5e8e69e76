"""Requests to servers, whatever their protocol: transports, retries, what statuses mean, what bodies have in common."""
