"""Between pytest and the rest: the only code, with plugin.py, that imports pytest."""
