"""How often judges differed, said in sentences."""

from pytest_llmeval.reports.run_notes import voting_sentences
from pytest_llmeval.store.vote_counts import Repeats, VoteCounts


def test_intervals_count_what_answers_tell_together() -> None:
    """Of two epochs that are always judged alike as much as of the 60 rows alone."""
    alone = VoteCounts(judges=2, answers=60, differed=30, repeats=(Repeats(judge="a", answers=60, differed=15),))
    twice = VoteCounts(
        judges=2,
        answers=120,
        differed=60,
        effect=2.0,
        repeats=(Repeats(judge="a", answers=120, differed=30, effect=2),),
    )
    assert voting_sentences(alone) == [
        "judge panel: its 2 judges differed in 30 of 60 answers (50%, 95% interval 38% to 62%)",
        "judge a: 60 answers judged twice, 15 verdicts differed (25%, 95% interval 16% to 37%)",
    ]
    assert voting_sentences(twice) == [
        "judge panel: its 2 judges differed in 60 of 120 answers (50%, 95% interval 38% to 62%)",
        "judge a: 120 answers judged twice, 30 verdicts differed (25%, 95% interval 16% to 37%)",
    ]
