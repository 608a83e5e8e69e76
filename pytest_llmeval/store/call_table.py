"""The table of calls, shared by the database and, as the table of answers, by the journal of a run."""

__all__ = ["CALL_COLUMNS", "CALL_TABLE", "SET_ASIDE"]

SET_ASIDE = "~"
"""Marks, in a call's name, a call that failed before its case ran again; the number of that execution follows."""

CALL_TABLE = """
CREATE TABLE {name} (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL{run},
    case_id TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('model', 'judge')),
    model TEXT NOT NULL,
    request TEXT NOT NULL,
    response TEXT,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    latency_s REAL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_usd REAL,
    cached INTEGER NOT NULL,
    name TEXT NOT NULL,
    cache_key TEXT,
    detail TEXT NOT NULL,
    checksum TEXT
)"""

CALL_COLUMNS = tuple(line.split()[0] for line in CALL_TABLE.splitlines() if line.startswith(" "))
"""Names of the columns, in the order of the table."""
