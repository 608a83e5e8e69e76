"""Fixtures for every eval of this repository would stand here; the evals need none beyond the plugin's."""
