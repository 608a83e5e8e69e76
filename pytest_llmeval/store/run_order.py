"""The sort order of runs."""

__all__ = ["NEWEST_FIRST"]

NEWEST_FIRST = """
ORDER BY CASE WHEN host = '' THEN started_at
ELSE max(CASE WHEN host = '' THEN '' ELSE started_at END) OVER (ORDER BY rowid) END DESC, rowid DESC
"""
"""Order by recording rather than by time, because a clock may be set back; an imported run is placed by its start
time."""
