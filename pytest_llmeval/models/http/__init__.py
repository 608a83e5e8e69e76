"""Requests to servers, whatever their protocol: transports, retries, what statuses mean, what bodies have in common.

``own_server`` and ``exchange`` are what servers that a session runs itself have in common.
"""
