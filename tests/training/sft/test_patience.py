"""When a training ends whose task metric grows no more."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("transformers", reason="needs the extra train")

if TYPE_CHECKING:
    from pytest_llmeval.training.sft.patience import Patience


def ends(watch: "Patience", exact: float, loss: float) -> bool:
    from pytest_llmeval.training.scoring import choice
    from pytest_llmeval.training.sft.watching import CHOSEN_BY

    control = SimpleNamespace(should_training_stop=False)
    metrics = {"eval_exact": exact, "eval_loss": loss, CHOSEN_BY: choice(exact, loss)}
    best = SimpleNamespace(best_metric=-1.0)  # of a look with a higher loss
    arguments = SimpleNamespace(metric_for_best_model=CHOSEN_BY, greater_is_better=True)
    watch.on_evaluate(arguments, best, control, metrics)
    return bool(control.should_training_stop)


def test_patience_is_with_the_task_metric_alone_once_that_has_risen() -> None:
    """The loss falls at each look; what was seen before an interrupt counts."""
    from pytest_llmeval.training.sft.patience import Patience

    watch = Patience(2, metric="exact")
    assert [ends(watch, exact, 5 - n) for n, exact in enumerate((0.0, 0.0, 0.1, 0.1))] == [False] * 4
    later = Patience.from_state(json.loads(json.dumps(watch.state())))
    assert [ends(each, 0.1, 0.5) for each in (watch, later)] == [True, True]
    assert not ends(later, 0.2, 9.0)


@pytest.mark.parametrize(("metric", "losses", "end"), [
    ([0.0] * 6, [6, 5, 4, 3, 2, 1], None),
    ([0.0] * 6, [6, 5, 5, 5, 2, 1], 3),
    ([0.0] * 6, [6, 5, 7, 4, 7, 6], 5),  # one that fell once more begins anew
    ([0.3, 0.1, 0.2, 0.3, 0.3], [6, 5, 4, 3, 2], None),
    ([1.0] * 4, [6, 5, 4, 3], 2),  # it cannot rise
])  # fmt: skip
def test_a_metric_that_has_not_risen_yet_is_waited_for_while_the_loss_falls(
    metric: Sequence[float], losses: Sequence[float], end: int | None
) -> None:
    """Over an interrupt after each look, too."""
    from pytest_llmeval.training.sft.patience import Patience

    watch, found = Patience(2, metric="exact"), None
    for number, (exact, loss) in enumerate(zip(metric, losses, strict=True)):
        watch = Patience.from_state(json.loads(json.dumps(watch.state())))
        if ends(watch, exact, loss):
            found = number
            break
    assert found == end


@pytest.mark.parametrize(("early", "fix"), [
    ("", "checkpoints. More steps or a higher optim.learning_rate"),
    ("it ended after step 8 of 100, after 3 looks without a better exact (check.patience)",
     r"checkpoints. It ended after step 8 of 100, after 3 looks without a better exact \(check.patience\); a higher one"
     " or a higher optim.learning_rate"),
])  # fmt: skip
def test_a_model_that_never_stops_is_told_with_what_can_help(early: str, fix: str) -> None:
    from pytest_llmeval.training.sft.watching import STOPPED, NeverStopsError, require_stop

    state = SimpleNamespace(best_global_step=8, log_history=[{"step": 8, STOPPED: 0.0}])
    with pytest.raises(NeverStopsError, match=f"after step 8, none of the answers came to an end: .*{fix}"):
        require_stop(state, early)
