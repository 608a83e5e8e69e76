"""Warnings where another model answered for a judge though nobody changed the judge: an alias means another one now."""

from collections.abc import Iterator, Mapping

from pytest_llmeval.core.text import and_more, one_line
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.records import Run

__all__ = ["judge_warnings"]

_MOST = 3


def judge_warnings(run: Run, answering: Mapping[str, list[str]], base: FoundBaseline | None) -> Iterator[str]:
    """Yield a line for each judge whose name was answered for by several models, or by others than in the baseline.

    What it judged stays judged. A judge that is another one by its spec is no matter of this.

    Args:
        run: that was judged.
        answering: its models by the judge's name, as ``SqliteReader.answering`` gives them.
        base: what it is compared with; None where there is nothing.
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
