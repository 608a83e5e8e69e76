"""Stored runs as web pages: served to this machine, or written as files."""
