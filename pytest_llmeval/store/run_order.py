"""The order in which runs come."""

__all__ = ["NEWEST_FIRST"]

NEWEST_FIRST = """
ORDER BY CASE WHEN host = '' THEN started_at
ELSE max(CASE WHEN host = '' THEN '' ELSE started_at END) OVER (ORDER BY rowid) END DESC, rowid DESC
"""
"""The order of the table runs: that of recording, as a clock may go back; an imported one has its place by its time."""
