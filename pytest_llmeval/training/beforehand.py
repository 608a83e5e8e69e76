"""Checks of a training before its process starts, because the imports of that process take long."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.rules import COUNTED_METRICS, MEASURED_METRICS, SHIPPED_SCORES
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.margin import out_of_reach
from pytest_llmeval.training.rows import read_splits
from pytest_llmeval.training.scoring import require_scorable
from pytest_llmeval.training.task import load_task

__all__ = ["check_rows", "doubted_scores"]

_NAME = re.compile(r"""(["'])([\w.-]+)\1""")
_LATER = "look at the name, as only the base's answers after the training will tell"


def check_rows(config: TrainingConfig, rootdir: Path, *, place: Callable[[str], str]) -> None:
    """Check the rows of a configuration; the training process reads them again, with their tokens and variants.

    Args:
        config: of the training.
        rootdir: the project.
        place: turns a key of the configuration into the place, FILE:LINE: KEY, that begins a message.

    Raises:
        UserError: rows are wrong, with file and line of each; the proof has no rows, or too few for its margin; or the
            eval cannot be read.
    """
    data = config.data.model_copy(update={"variants": 0})  # making them takes long, and valid rows make valid variants
    task = load_task(config.eval, rootdir)
    splits = read_splits(data, config.proof, rootdir=rootdir, prompt=task.prompt, seed=config.seed, place=place)
    require_scorable(splits.val.rows, config.check)
    wrong = list(out_of_reach(config.proof, splits.proved, cluster=task.cluster))
    if wrong:
        raise SettingsError("\n".join(f"{place('proof.margin')}: {told}" for told in wrong))


def doubted_scores(config: TrainingConfig, rootdir: Path, *, place: Callable[[str], str]) -> Iterator[str]:
    """Yield a warning for each score of the proof that we do not ship and that the eval's file does not contain.

    This is no error yet, because an imported function may record the score. But a typo would only show once the adapter
    is trained.

    Args:
        config: of the training.
        rootdir: the project.
        place: turns a key of the configuration into the place, FILE:LINE: KEY, that begins a message.
    """
    name, proof = config.eval.partition("::")[0], config.proof
    text = (rootdir / name).read_text("utf-8", errors="replace")
    for key, scores in {"metric": (proof.metric,), "also": proof.also or ()}.items():
        for score in scores:
            if score not in (*SHIPPED_SCORES, *COUNTED_METRICS, *MEASURED_METRICS) and score not in text:
                likely = {*SHIPPED_SCORES, *(found[2] for found in _NAME.finditer(text))}
                meant = did_you_mean(score, likely, otherwise=_LATER)
                yield f"{place(f'proof.{key}')}: {score!r} is not a score of ours and does not stand in {name}; {meant}"
