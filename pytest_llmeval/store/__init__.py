"""Storage of recorded runs: the SQLite database, the journals beside it, and baseline files."""
