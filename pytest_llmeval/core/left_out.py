"""The stored notes on what a session left out, and how the notes of shards and suites are combined."""

import re
from collections.abc import Collection, Iterable

from pytest_llmeval.core.ids import digest_number
from pytest_llmeval.core.text import counted, one_line

__all__ = [
    "add_digests",
    "cases_not_selected",
    "ids_digest",
    "join_left_out",
    "join_unselected",
    "partial_words",
    "suites_not_selected",
    "tells_of_cases",
]

_CASES = re.compile(r"([0-9]{1,12}) (?:case was|cases were) not selected")
_SUITES = re.compile(r"[0-9,]+ suites? not selected: .*")


def cases_not_selected(count: int) -> str:
    """Return the note that cases of a suite were left out by anything but ``-m``, ``--limit`` and ``--slice``."""
    return f"{count} {'case was' if count == 1 else 'cases were'} not selected"


def tells_of_cases(why: str) -> bool:
    """Return whether a note comes from ``cases_not_selected``."""
    return _CASES.fullmatch(why) is not None


def suites_not_selected(names: Collection[str]) -> list[str]:
    """Return the note that whole suites were left out; an empty list without such suites."""
    return [f"{counted(len(names), 'suite')} not selected: {one_line(', '.join(names))}"] if names else []


def join_left_out(parts: Iterable[str]) -> list[str]:
    """Return the combined notes of several shards or suites on what left out cases; numbers of cases are added up."""
    told = list(parts)
    counts = [int(found[1]) for why in told if (found := _CASES.fullmatch(why))]
    others = dict.fromkeys(why for why in told if not tells_of_cases(why))
    return [*others, *([cases_not_selected(sum(counts))] if counts else [])]


def join_unselected(names: Collection[str], parts: Iterable[str]) -> list[str]:
    """Return the combined notes of several shards on what left out whole suites.

    Args:
        names: names of the suites that have cases, but none in any shard.
        parts: the shards' notes; the suites that a single shard lacks are dropped, as the run may still have them.
    """
    return [*suites_not_selected(names), *dict.fromkeys(why for why in parts if not _SUITES.fullmatch(why))]


def partial_words(left_out: Collection[str]) -> str:
    """Return the suffix that marks a run as partial, with the reasons; empty for a complete run."""
    return f", partial ({', '.join(left_out)})" if left_out else ""


def ids_digest(ids: Iterable[str]) -> str:
    """Return a digest, in hex, of the selected rows of a suite, whatever their order.

    It is the sum of the sha256 of each id, modulo 2**256: the digests of shards, which share no row, add up to the
    run's digest.
    """
    return _sum_of(map(digest_number, ids))


def add_digests(parts: Iterable[str]) -> str:
    """Return the digest of all rows from the digests of parts that have no row in common."""
    return _sum_of(int(part, 16) for part in parts)


def _sum_of(digests: Iterable[int]) -> str:
    return f"{sum(digests) % 2**256:064x}"
