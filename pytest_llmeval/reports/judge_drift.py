"""Warnings that a different model answered for an unchanged judge, because its alias now points to another model."""

from collections.abc import Iterator, Mapping

from pytest_llmeval.core.text import and_more, one_line
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.records import Run

__all__ = ["judge_warnings"]

_MOST = 3
"""Largest number of models that a warning names."""


def judge_warnings(run: Run, answering: Mapping[str, list[str]], base: FoundBaseline | None) -> Iterator[str]:
    """Yield a warning for each judge whose name several models answered for, or other models than in the baseline.

    Its scores remain valid. Judges with different specs are not compared here.

    Args:
        run: the run that was judged.
        answering: the models that answered, by judge, as ``SqliteReader.answering`` returns them.
        base: the baseline of the run; None if there is none.
    """
    before = base.answering() if base is not None else {}
    for judge, models in answering.items():
        if len(models) > 1:
            yield (
                f"judge {one_line(judge, 60)} was answered by {len(models)} models in this run: {_named(models)};"
                " verdicts may differ for that alone"
            )
        others = before.get(judge)
        if base is not None and others and others != models and _spec(base.run, judge) == _spec(run, judge):
            yield (
                f"judge {one_line(judge, 60)} was answered by {_named(models)}, in {one_line(base.name, 60)} by"
                f" {_named(others)}: a change may be the judge's; pin the model, or judge both runs by one"
            )


def _spec(run: Run, judge: str) -> str | None:
    specs: Mapping[str, str] = run.settings.get("judges", {})
    return specs.get(judge)


def _named(models: list[str]) -> str:
    return and_more([one_line(model, 60) for model in models], _MOST)
