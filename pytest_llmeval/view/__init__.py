"""Stored runs as web pages: served on this machine, or written as files."""
