"""The database schema as numbered migrations. Never change a released migration; add a new one.

``schema.sql`` is the result of all migrations on an empty database: new files are made from it, without this module.
After a change here: python -c "from pytest_llmeval.store.schema import snapshot; print(snapshot())" > schema.sql
"""

import contextlib
import sqlite3

from sqlite_utils import Database, Migrations

from pytest_llmeval.store.call_table import CALL_COLUMNS, CALL_TABLE

__all__ = ["migrations", "snapshot"]

migrations = Migrations("llmeval")


def snapshot() -> str:
    """Return the SQL that gives an empty database the schema that all migrations produce."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        migrations.apply(Database(connection))
        tables = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name"
        ).fetchall()
        applied = connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall()
        (version,) = connection.execute("SELECT version FROM schema_version").fetchone()
    rows = [f"INSERT INTO schema_version VALUES ({version:d})"]  # noqa: S608  # a number of this module
    for (name,) in applied:
        columns, at = "migration_set, name, applied_at", "strftime('%Y-%m-%d %H:%M:%f+00:00')"
        rows.append(f"INSERT INTO _sqlite_migrations ({columns}) VALUES ('llmeval', '{name}', {at})")  # noqa: S608
    return ";\n\n".join([*(sql for (sql,) in tables), *rows])


def _add(name: str, sql: str) -> None:
    @migrations(name=name)
    def migrate(db: Database) -> None:
        for statement in sql.split(";\n\n"):
            db.execute(statement)


_OLD_CALL_COLUMNS = ", ".join(CALL_COLUMNS[:14])

_CALLS_OUTLIVE_CASES = f"""
{CALL_TABLE.format(name="calls_2", run=" REFERENCES runs (id) ON DELETE CASCADE")};

INSERT INTO calls_2 SELECT {_OLD_CALL_COLUMNS}, id, NULL, '{{}}', NULL FROM calls;

DROP TABLE calls;

ALTER TABLE calls_2 RENAME TO calls;

CREATE INDEX calls_case ON calls (case_id);

ALTER TABLE cases ADD COLUMN waited_s REAL;

CREATE INDEX calls_key ON calls (cache_key) WHERE cache_key IS NOT NULL;

UPDATE schema_version SET version = 2
"""  # noqa: S608  # column names of this module

_BASELINES = """
ALTER TABLE cases ADD COLUMN target TEXT;

ALTER TABLE cases ADD COLUMN cluster TEXT;

ALTER TABLE scores ADD COLUMN judge_id TEXT;

ALTER TABLE verdicts ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;

UPDATE schema_version SET version = 3
"""

_JUDGES = """
CREATE TABLE judges (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    judge_id TEXT NOT NULL,
    rubric TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (run_id, judge_id)
) WITHOUT ROWID;

CREATE TABLE votes (
    case_id TEXT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    judge TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    value REAL NOT NULL,
    level TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (case_id, name, judge, repeat)
) WITHOUT ROWID;

ALTER TABLE scores ADD COLUMN dimension TEXT;

ALTER TABLE scores ADD COLUMN decided_by TEXT;

ALTER TABLE labels ADD COLUMN draw TEXT;

UPDATE schema_version SET version = 4
"""

_TRAININGS = """
CREATE TABLE trainings (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    status TEXT NOT NULL CHECK (status IN ('running', 'finished', 'interrupted', 'failed')),
    verdict TEXT NOT NULL CHECK (verdict IN ('pass', 'fail', 'none')),
    reason TEXT,
    base TEXT NOT NULL,
    adapter TEXT,
    config TEXT NOT NULL,
    seed INTEGER NOT NULL,
    git_commit TEXT,
    git_dirty INTEGER,
    steps INTEGER,
    best_step INTEGER,
    tokens_per_s REAL,
    peak_memory_bytes INTEGER,
    record TEXT,
    log TEXT,
    proof TEXT,
    version TEXT NOT NULL
);

UPDATE schema_version SET version = 5
"""

_RUN_AND_LABEL_INDEXES = """
CREATE INDEX calls_run ON calls (run_id);

CREATE INDEX labels_rater ON labels (rater, name, case_id);

UPDATE schema_version SET version = 6
"""

_EARLIER_OUTCOMES = """
CREATE TABLE earlier_outcomes (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    case_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('passed', 'missed', 'error', 'skipped')),
    error_kind TEXT,
    error TEXT,
    scores TEXT NOT NULL,
    started_at TEXT,
    CHECK ((outcome = 'error') = (error_kind IS NOT NULL)),
    PRIMARY KEY (run_id, case_id, number)
) WITHOUT ROWID;

UPDATE schema_version SET version = 7
"""

_CALLS_CUT_OFF = """
ALTER TABLE runs ADD COLUMN calls_cut_off INTEGER NOT NULL DEFAULT 0;

UPDATE schema_version SET version = 8
"""

_JUDGE_CACHED = """
ALTER TABLE cases ADD COLUMN judge_cached INTEGER NOT NULL DEFAULT 0;

ALTER TABLE cases ADD COLUMN judge_cost_usd REAL;

UPDATE cases SET judge_cached = 1 WHERE id IN (SELECT case_id FROM calls WHERE role = 'judge' AND cached);

UPDATE cases SET judge_cost_usd = (
    SELECT CASE WHEN count(calls.cost_usd) = count(*) THEN coalesce(sum(calls.cost_usd), 0) END FROM calls
    WHERE calls.case_id = cases.id AND calls.role = 'judge' AND instr(calls.name, '~') = 0
) WHERE cost_usd = 0 OR id IN (SELECT case_id FROM calls);

UPDATE schema_version SET version = 9
"""

_INPUTS = """
ALTER TABLE cases ADD COLUMN input TEXT;

UPDATE schema_version SET version = 10
"""

_FIRST_TABLES = """
CREATE TABLE schema_version (version INTEGER NOT NULL);

INSERT INTO schema_version VALUES (1);

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    name TEXT,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    status TEXT NOT NULL CHECK (status IN ('running', 'finished', 'interrupted', 'unmeasurable')),
    exit_code INTEGER,
    verdict TEXT NOT NULL CHECK (verdict IN ('pass', 'fail', 'inconclusive', 'unmeasurable', 'none')),
    models TEXT NOT NULL,
    judge_models TEXT NOT NULL,
    git_commit TEXT,
    git_branch TEXT,
    git_dirty INTEGER,
    dataset_digest TEXT,
    settings_json TEXT NOT NULL,
    version TEXT NOT NULL,
    pid INTEGER,
    host TEXT,
    process_started TEXT
);

CREATE TABLE cases (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    nodeid TEXT NOT NULL,
    suite TEXT NOT NULL,
    sample_id TEXT NOT NULL,
    model TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    slices TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('passed', 'missed', 'error', 'skipped')),
    error_kind TEXT,
    error TEXT,
    input_digest TEXT,
    response TEXT,
    latency_s REAL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_usd REAL,
    attempts INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    started_at TEXT,
    CHECK ((outcome = 'error') = (error_kind IS NOT NULL)),
    UNIQUE (run_id, suite, model, sample_id, epoch)
);

CREATE TABLE scores (
    case_id TEXT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value REAL,
    passed INTEGER,
    reason TEXT,
    scorer_digest TEXT,
    status TEXT NOT NULL CHECK (status IN ('scored', 'none', 'error')),
    CHECK ((status = 'scored') = (value IS NOT NULL)),
    PRIMARY KEY (case_id, name)
) WITHOUT ROWID;

CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    case_id TEXT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
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
    cached INTEGER NOT NULL
);

CREATE INDEX calls_case ON calls (case_id);

CREATE TABLE verdicts (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    suite TEXT NOT NULL,
    model TEXT,
    metric TEXT NOT NULL,
    slice TEXT,
    rule TEXT NOT NULL,
    value REAL,
    n INTEGER,
    low REAL,
    high REAL,
    baseline_value REAL,
    delta REAL,
    p_value REAL,
    mde REAL,
    verdict TEXT NOT NULL,
    reason TEXT
);

CREATE INDEX verdicts_run ON verdicts (run_id);

CREATE TABLE baselines (
    name TEXT PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    set_at TEXT NOT NULL
);

CREATE TABLE labels (
    case_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL,
    passed INTEGER,
    rater TEXT NOT NULL,
    note TEXT,
    at TEXT NOT NULL
)
"""

_add("0001_first_tables", _FIRST_TABLES)
# Answers are kept even if their case never ended, and are found by their cache key.
_add("0002_calls_outlive_cases", _CALLS_OUTLIVE_CASES)
# For comparing runs: the target of a row, the cluster of related rows, the judge of a score.
_add("0003_baselines", _BASELINES)
# A judged score records who decided and on which dimension; each judge's vote on an answer is kept.
_add("0004_judges", _JUDGES)
# A training is kept with its configuration, its course and the runs that prove its gain.
_add("0005_trainings", _TRAININGS)
# Find the calls of a run, and the label of a case, without scanning those of all others. The rater is the first
# column: with ``case_id`` there SQLite would read the labels of a run by all of its cases.
_add("0006_run_and_label_indexes", _RUN_AND_LABEL_INDEXES)
# The earlier outcomes of a case that ran again are kept beside its final one.
_add("0007_earlier_outcomes", _EARLIER_OUTCOMES)
# How many calls of a run were in flight when one of its sessions ended; they may have been billed for nothing.
_add("0008_calls_cut_off", _CALLS_CUT_OFF)
# Whether a judge's verdict on a case came from the cache, and the judges' part of its cost, so that costs can be
# compared without it.
_add("0009_judge_cached", _JUDGE_CACHED)
# The input of a row is kept if no request of its case tells by itself what was asked.
_add("0010_inputs", _INPUTS)
