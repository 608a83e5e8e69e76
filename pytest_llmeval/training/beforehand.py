"""What is told of a training before its process starts, which takes long to import what it trains with."""

from collections.abc import Callable
from pathlib import Path

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.margin import out_of_reach
from pytest_llmeval.training.rows import read_splits
from pytest_llmeval.training.scoring import require_scorable
from pytest_llmeval.training.task import load_task

__all__ = ["check_rows"]


def check_rows(config: TrainingConfig, rootdir: Path, *, place: Callable[[str], str]) -> None:
    """Read the rows of a configuration once, as the process that trains does with their tokens and variants.

    Args:
        config: of the training.
        rootdir: the project.
        place: says where a key of the configuration stands, as messages begin.

    Raises:
        UserError: rows are wrong, with file and line of each; none is left for the proof, or too few for its margin;
            the eval cannot be read.
    """
    data = config.data.model_copy(update={"variants": 0})  # they take long, and are made of rows that are right
    task = load_task(config.eval, rootdir)
    splits = read_splits(data, config.proof, rootdir=rootdir, prompt=task.prompt, seed=config.seed)
    require_scorable(splits.val.rows, config.check)
    wrong = list(out_of_reach(config.proof, splits.proved, cluster=task.cluster))
    if wrong:
        raise SettingsError("\n".join(f"{place('proof.margin')}: {told}" for told in wrong))
