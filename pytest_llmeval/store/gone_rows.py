"""Rows that left the dataset before their run was resumed: their cases are kept, but nothing counts or reads them."""

from pytest_llmeval.store.records import Run

__all__ = ["GONE", "gone_rows", "is_gone"]

GONE = "gone"
"""Key of a suite in a run's settings: ids of such rows, sorted. Readers of the run's cases skip theirs."""
_IS_GONE = f"""{{cases}}.suite || char(0) || {{cases}}.sample_id IN (
    SELECT suite.key || char(0) || gone.value FROM runs, json_each(runs.settings_json, '$.suites') AS suite,
    json_each(suite.value, '$.{GONE}') AS gone WHERE runs.id = {{run}}
)"""  # noqa: S608
"""Suite and id are compared as one value: with two, SQLite would scan all gone rows for each case that is not gone."""


def gone_rows(run: Run) -> dict[str, list[str]]:
    """Return the ids of such rows by suite, without suites that have none."""
    return {name: [*suite[GONE]] for name, suite in run.suites.items() if suite.get(GONE)}


def is_gone(*, run: str = "?1", cases: str = "cases") -> str:
    """Return the SQL condition that is true for cases of such rows.

    Args:
        run: the SQL parameter with the id of the run.
        cases: the name of the cases table in the query.
    """
    return _IS_GONE.format(cases=cases, run=run)
