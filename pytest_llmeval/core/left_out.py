"""What a session left out, in the words in which a run keeps it, and how those of its shards and suites add up."""

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
    """Return that cases of a suite were left out by anything but ``-m``, ``--limit`` and ``--slice``."""
    return f"{count} {'case was' if count == 1 else 'cases were'} not selected"


def tells_of_cases(why: str) -> bool:
    """Whether ``cases_not_selected`` said it."""
    return _CASES.fullmatch(why) is not None


def suites_not_selected(names: Collection[str]) -> list[str]:
    """Return that suites were left out whole; nothing without any."""
    return [f"{counted(len(names), 'suite')} not selected: {one_line(', '.join(names))}"] if names else []


def join_left_out(parts: Iterable[str]) -> list[str]:
    """Return what left out cases, from what shards say of a suite or the suites of a run: cases add up."""
    told = list(parts)
    counts = [int(found[1]) for why in told if (found := _CASES.fullmatch(why))]
    others = dict.fromkeys(why for why in told if not tells_of_cases(why))
    return [*others, *([cases_not_selected(sum(counts))] if counts else [])]


def join_unselected(names: Collection[str], parts: Iterable[str]) -> list[str]:
    """Return what left out suites whole.

    Args:
        names: of the suites of which no shard has a case and which have some.
        parts: what the shards say; which suites they lack is not what the run lacks.
    """
    return [*suites_not_selected(names), *dict.fromkeys(why for why in parts if not _SUITES.fullmatch(why))]


def partial_words(left_out: Collection[str]) -> str:
    """Return what marks a run behind its name or status: that it is partial, and why; nothing of a whole one."""
    return f", partial ({', '.join(left_out)})" if left_out else ""


def ids_digest(ids: Iterable[str]) -> str:
    """Return what tells the rows of a suite that were selected from any others, in hex, whatever their order.

    It is the sum of the sha256 of each id: those of shards, which share no row, add up to that of the run.
    """
    return _sum_of(map(digest_number, ids))


def add_digests(parts: Iterable[str]) -> str:
    """Return the digest of all rows, from those of parts that have none in common."""
    return _sum_of(int(part, 16) for part in parts)


def _sum_of(digests: Iterable[int]) -> str:
    return f"{sum(digests) % 2**256:064x}"
