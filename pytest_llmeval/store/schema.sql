CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);

CREATE TABLE baselines (
    name TEXT PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    set_at TEXT NOT NULL
);

CREATE TABLE "calls" (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
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
    started_at TEXT, waited_s REAL, target TEXT, cluster TEXT, judge_cached INTEGER NOT NULL DEFAULT 0, judge_cost_usd REAL, input TEXT,
    CHECK ((outcome = 'error') = (error_kind IS NOT NULL)),
    UNIQUE (run_id, suite, model, sample_id, epoch)
);

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

CREATE TABLE judges (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    judge_id TEXT NOT NULL,
    rubric TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (run_id, judge_id)
) WITHOUT ROWID;

CREATE TABLE labels (
    case_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL,
    passed INTEGER,
    rater TEXT NOT NULL,
    note TEXT,
    at TEXT NOT NULL
, draw TEXT);

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
, calls_cut_off INTEGER NOT NULL DEFAULT 0);

CREATE TABLE schema_version (version INTEGER NOT NULL);

CREATE TABLE scores (
    case_id TEXT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value REAL,
    passed INTEGER,
    reason TEXT,
    scorer_digest TEXT,
    status TEXT NOT NULL CHECK (status IN ('scored', 'none', 'error')), judge_id TEXT, dimension TEXT, decided_by TEXT,
    CHECK ((status = 'scored') = (value IS NOT NULL)),
    PRIMARY KEY (case_id, name)
) WITHOUT ROWID;

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
, is_open INTEGER NOT NULL DEFAULT 0);

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

CREATE INDEX calls_case ON calls (case_id);

CREATE INDEX calls_key ON calls (cache_key) WHERE cache_key IS NOT NULL;

CREATE INDEX calls_run ON calls (run_id);

CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");

CREATE INDEX labels_rater ON labels (rater, name, case_id);

CREATE INDEX verdicts_run ON verdicts (run_id);

INSERT INTO schema_version VALUES (10);

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0001_first_tables', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0002_calls_outlive_cases', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0003_baselines', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0004_judges', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0005_trainings', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0006_run_and_label_indexes', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0007_earlier_outcomes', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0008_calls_cut_off', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0009_judge_cached', strftime('%Y-%m-%d %H:%M:%f+00:00'));

INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmeval', '0010_inputs', strftime('%Y-%m-%d %H:%M:%f+00:00'))
