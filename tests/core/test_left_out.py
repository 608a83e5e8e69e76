"""What shards left out comes to the words of one session that left out as much."""

from pytest_llmeval.core.left_out import (
    add_digests,
    cases_not_selected,
    ids_digest,
    join_left_out,
    join_unselected,
    suites_not_selected,
)


def test_cases_of_shards_add_up_behind_what_is_said_once() -> None:
    """An earlier version had no word of its own for a single one."""
    assert cases_not_selected(1) == "1 case was not selected"
    parts = [cases_not_selected(1), "--limit", cases_not_selected(4), "--slice", "1 cases were not selected", "--limit"]
    assert join_left_out(parts) == ["--limit", "--slice", "6 cases were not selected"]
    assert join_left_out([cases_not_selected(1)]) == [cases_not_selected(1)]
    assert join_left_out(["--limit"]) == ["--limit"]
    assert join_left_out([]) == []


def test_suites_that_one_shard_lacks_are_not_lacking_in_the_run() -> None:
    told = suites_not_selected(["echo", "qa"])
    assert told == ["2 suites not selected: echo, qa"]
    lf = "--lf passed over 2 files"
    assert join_unselected(["qa"], [*told, lf, lf]) == ["1 suite not selected: qa", lf]
    assert join_unselected([], told) == []


def test_the_rows_of_shards_add_up_to_those_of_the_run() -> None:
    whole = ids_digest(["a", "b", "c"])
    assert whole == ids_digest("cba") == add_digests([ids_digest("ca"), ids_digest("b"), ids_digest("")])
    assert whole not in (ids_digest("ab"), ids_digest("abd"))
