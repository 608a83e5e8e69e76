"""Rows that a run asked about and has no more, as it went on with others: their cases stay, and count for nothing."""

from pytest_llmeval.store.records import Run

__all__ = ["GONE", "gone_rows", "is_gone"]

GONE = "gone"
"""Under it a suite of a run has the ids of such rows, sorted; who reads the cases of the run meets none of theirs."""
_IS_GONE = f"""{{cases}}.suite || char(0) || {{cases}}.sample_id IN (
    SELECT suite.key || char(0) || gone.value FROM runs, json_each(runs.settings_json, '$.suites') AS suite,
    json_each(suite.value, '$.{GONE}') AS gone WHERE runs.id = {{run}}
)"""  # noqa: S608
"""In one value: of two, SQLite looks through all rows that are gone for each case that is not."""


def gone_rows(run: Run) -> dict[str, list[str]]:
    """Return the ids of such rows by suite; no suite that has none."""
    return {name: [*suite[GONE]] for name, suite in run.suites.items() if suite.get(GONE)}


def is_gone(*, run: str = "?1", cases: str = "cases") -> str:
    """Return the SQL that holds for cases of such rows.

    Args:
        run: the parameter with the id of the run.
        cases: what the cases are called.
    """
    return _IS_GONE.format(cases=cases, run=run)
