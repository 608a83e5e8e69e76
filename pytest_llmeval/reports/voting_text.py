"""How often judges differed, from each other and from themselves, a sentence for each."""

from pytest_llmeval.core.stats.intervals import wilson
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.store.vote_counts import Repeats, VoteCounts

__all__ = ["voting_sentences"]


def voting_sentences(voting: VoteCounts) -> list[str]:
    """Return a sentence for a panel and for each judge that judged answers twice or compared two; none without."""
    told = []
    if voting.answers:
        told.append(f"judge panel: its {voting.judges} judges differed in {_share(voting)}")
    for each in voting.repeats:
        share, low, high = _percent(each)
        told.append(
            f"judge {one_line(each.judge, 60)}: {counted(each.answers, 'answer')} judged twice,"
            f" {counted(each.differed, 'verdict')} differed ({share}, 95% interval {low} to {high})"
        )
    for each in voting.orders:
        compared = f"{each.differed:,} of {counted(each.answers, 'comparison')}"
        told.append(f"judge {one_line(each.judge, 60)}: the orders disagreed in {compared}")
    return told


def _share(counts: VoteCounts) -> str:
    share, low, high = _percent(counts)
    return f"{counts.differed:,} of {counted(counts.answers, 'answer')} ({share}, 95% interval {low} to {high})"


def _percent(counts: VoteCounts | Repeats) -> tuple[str, str, str]:
    share = counts.differed / counts.answers
    interval = wilson(share, counts.answers / counts.effect)
    return f"{share:.0%}", f"{interval.low:.0%}", f"{interval.high:.0%}"
