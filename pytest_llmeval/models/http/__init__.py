"""HTTP requests to model servers of any protocol: transports, retries, errors by status, and parts of all bodies.

``own_server`` and ``exchange`` are shared by the servers that a session runs itself.
"""
