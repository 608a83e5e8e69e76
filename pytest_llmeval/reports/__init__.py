"""A stored run as people see it."""
