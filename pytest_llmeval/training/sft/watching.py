"""Callbacks between steps: task metric, mean, clock, looks, and the end on a signal or a loss that is not a number."""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback

from pytest_llmeval.core.errors import LlmevalError
from pytest_llmeval.core.parent import parent_pid
from pytest_llmeval.models.hf.chat import Chat
from pytest_llmeval.models.hf.forward import left_padded
from pytest_llmeval.models.hf.memory import is_out_of_memory
from pytest_llmeval.training.config import CheckModel, Metric
from pytest_llmeval.training.looks import Look
from pytest_llmeval.training.scoring import choice, score
from pytest_llmeval.training.sft.averaging import Average
from pytest_llmeval.training.sft.encoding import Encoded
from pytest_llmeval.training.sft.ranks import Ranks
from pytest_llmeval.training.sft.weights import sums_in_bf16

__all__ = [
    "CHOSEN_BY",
    "Averaging",
    "Clock",
    "EndOnSignal",
    "Finite",
    "Looks",
    "NeverStopsError",
    "NotFiniteError",
    "TaskMetric",
    "answer",
    "require_stop",
]

CHOSEN_BY = "eval_choice"
STOPPED = "eval_stopped"
"""Name of the metric "share of answers that ended by themselves", among those at a look that had room to."""
_LEAST_STOPS = 3
"""Smallest number of answers that shows whether a model learned to stop."""
_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MARKED_S = 3.0
"""Seconds within which the launcher creates its mark, if somebody sent SIGTERM to all processes alike."""
_MOST_LEFT_OUT = 20
"""Largest number of consecutive steps that float16 may leave out; the loss scale halves with each, from 65,536."""


class NotFiniteError(LlmevalError):
    """Raised if the loss, the gradient or a weight is not finite."""


class NeverStopsError(LlmevalError):
    """Raised if no answer ends by itself after the training."""


class TaskMetric(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Answers held-out rows at each look and adds their metric; this callback must come before Patience."""

    def __init__(
        self,
        rows: Sequence[Encoded],
        metric: Metric,
        chat: Chat,
        *,
        new_tokens: int,
        batch: int,
        ranks: Ranks,
        is_split: bool,
    ) -> None:
        """Prepare.

        Args:
            rows: the rows to answer.
            metric: scores each answer.
            chat: of the model.
            new_tokens: largest number of tokens in an answer.
            batch: number of rows answered at once.
            ranks: the processes that train together.
            is_split: whether each process holds a part of the base. If so, all of them answer all rows, layer by layer
                together; otherwise each answers its share.
        """
        self._ranks, self._is_split = ranks, is_split
        self._rows = rows if is_split else rows[ranks.number :: ranks.count]
        self._metric, self._chat = metric, chat
        self._new_tokens, self._batch = new_tokens, batch
        self.log: Callable[[dict[str, float]], None] = lambda values: None
        """The trainer's ``log``, set once there is a trainer."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Add the metric to those of this look, and the share of answers that ended by themselves."""
        metrics, model = kwargs["metrics"], kwargs["model"]
        said = answer(
            model,
            self._chat,
            self._rows,
            new_tokens=self._new_tokens,
            batch=self._batch,
            halves=not self._is_split,
        )
        both = list(zip(said, self._rows, strict=True))
        values = self._of_all([score(self._metric, text, row.row.target) for (text, _), row in both])
        # An answer that may have fewer tokens than its target could not end by itself.
        stops = self._of_all([stops for (_, stops), row in both if len(row.completion) <= self._new_tokens])
        task = math.fsum(values) / len(values)
        found = {f"eval_{self._metric}": task, CHOSEN_BY: choice(task, metrics["eval_loss"])}
        if len(stops) == len(values) >= _LEAST_STOPS:  # a few rows with short targets say nothing about the others
            found[STOPPED] = sum(stops) / len(stops)
        metrics.update(found)
        self.log(found)

    def _of_all(self, values: list[Any]) -> list[Any]:
        """Return the values of all rows, the same in all processes, which must stop after the same look.

        With a split base all processes have answered all rows, but on different GPUs perhaps in different words.
        """
        return list(self._ranks.each([values])[0]) if self._is_split else self._ranks.each(values)


def require_stop(state: Any, early_end: str) -> None:
    """Raise if no answer ends by itself after a training.

    Args:
        state: of a training that has ended; the weights of its best step are kept.
        early_end: says that patience ended the training; empty if it did not.

    Raises:
        NeverStopsError: at the look at the best step, no answer ended by itself.
    """
    step = state.best_global_step
    if any(entry.get(STOPPED) == 0 for entry in state.log_history if entry["step"] == step):
        fix = f"{early_end[0].upper()}{early_end[1:]}; a higher one" if early_end else "More steps"
        raise NeverStopsError(
            f"at the best look, after step {step}, none of the answers came to an end: it did not learn to stop, and"
            f" nothing was saved but its checkpoints. {fix} or a higher optim.learning_rate are what helps most often"
        )


def answer(
    model: Any, chat: Chat, rows: Sequence[Encoded], *, new_tokens: int, batch: int, halves: bool = True
) -> list[tuple[str, bool]]:
    """Return the model's greedy answer to each row, in their order, and whether it ended by itself.

    The state of random generators is left as it was.

    Args:
        model: the model that is trained.
        chat: of the model.
        rows: the rows to answer.
        new_tokens: largest number of tokens in an answer.
        batch: largest number of rows answered at once.
        halves: whether to halve the batch, down to one row, if memory runs out; a batch that several processes answer
            together cannot be divided.

    Raises:
        Exception: memory ran out; ``is_out_of_memory`` recognises it.
    """
    found = [("", False)] * len(rows)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].prompt))
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        while order:
            chosen = order[:batch]
            said = None
            try:
                said = _generate(model, chat, [rows[index].prompt for index in chosen], new_tokens, device)
            except (MemoryError, RuntimeError) as error:
                if not halves or batch == 1 or not is_out_of_memory(error):
                    raise
            if said is None:  # outside of the except clause, which keeps the batch's tensors alive
                batch //= 2
                torch.cuda.empty_cache()
                continue
            for index, tokens in zip(chosen, said, strict=True):
                found[index] = chat.text(tokens), not chat.stop_tokens.isdisjoint(tokens)
            del order[: len(chosen)]
    finally:
        model.train(was_training)
    return found


def _generate(model: Any, chat: Chat, prompts: Sequence[Sequence[int]], new_tokens: int, device: Any) -> list[Any]:
    ids, mask = left_padded(prompts, chat.pad_token, device)
    is_cuda = device.type == "cuda"
    dtype = torch.bfloat16 if not is_cuda or sums_in_bf16("cuda") else torch.float16
    with torch.no_grad(), torch.autocast(device.type, dtype, enabled=is_cuda):
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=new_tokens,
            do_sample=False,
            use_cache=True,
            pad_token_id=chat.pad_token,
            eos_token_id=sorted(chat.stop_tokens),
        )
    return list(out[:, ids.shape[1] :].tolist())


class Averaging(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Adds each step to the mean."""

    def __init__(self, average: Average) -> None:
        """Prepare."""
        self._average = average

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Add the weights after the step, before a look reads the mean."""
        self._average.add(state.global_step)


class Finite(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Ends a training whose loss or gradient is not finite, before anything of the step is saved.

    In float16 a gradient that is not finite is no reason to end: that step was left out, and the next one is scaled
    down.
    """

    def __init__(self) -> None:
        self._left_out = 0

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Check the loss and the gradient that are logged."""
        for name in ("loss", "grad_norm", "eval_loss"):
            value = (logs or {}).get(name)
            if not isinstance(value, float):
                continue
            is_finite = math.isfinite(value)
            if name == "grad_norm" and args.fp16:
                self._left_out = 0 if is_finite else self._left_out + 1
                is_finite = self._left_out <= _MOST_LEFT_OUT
            if not is_finite:
                raise NotFiniteError(
                    f"{name} is {value} at step {state.global_step}; nothing of this step was kept. A lower"
                    " optim.learning_rate is what helps most often"
                )


class EndOnSignal(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Ends training on a signal, with a checkpoint at the end of the step; a second signal ends it at once.

    SIGINT and SIGTERM count, and so does SIGHUP of a lost terminal, unless it is ignored, as under nohup. Training also
    ends this way if the session that started this process was killed. Several processes all end after the same step.

    If one of several processes fails, the launcher sends SIGTERM to the others and leaves no mark. They are waiting for
    the failed one in a library, where Python calls no handlers and NCCL does not notice the failure, and would be
    killed 30 s later. So a thread ends them.
    """

    def __init__(self, ranks: Ranks, mark: Path) -> None:
        """Install the signal handlers.

        Args:
            ranks: the processes that train together.
            mark: a file that exists once the launcher of several processes was asked to end.
        """
        self.came = False
        self._ranks, self._mark = ranks, mark
        self._parent = parent_pid()
        if ranks.count > 1:
            heard_of, told = os.pipe()
            os.set_blocking(told, False)
            signal.set_wakeup_fd(told, warn_on_full_buffer=False)
            threading.Thread(target=self._end_unasked, args=(heard_of,), daemon=True).start()
        heard = [number for number in _TO_END if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in heard}

    def _end_unasked(self, heard_of: int) -> None:
        """End this process soon after a SIGTERM, unless all processes were asked to end."""
        while os.read(heard_of, 1) != bytes([signal.SIGTERM]):
            pass
        time.sleep(_MARKED_S)
        if not self._mark.exists():
            os._exit(1)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        signal.signal(number, self._before[signal.Signals(number)])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save and end if a signal came during the step."""
        self.came = self.came or os.getppid() != self._parent
        if self._ranks.count > 1:
            self.came = self._ranks.any(self.came or self._mark.exists())
        if self.came:
            control.should_save = control.should_training_stop = True


class Clock(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Measures the seconds that steps take, without looks and checkpoints."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Add the step's time once the GPU is done with it; some optimizers wait for that themselves."""
        if args.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds += time.monotonic() - self._began


class Looks(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Writes each look to a file, for the session to show; this callback must come after TaskMetric.

    A look outside ``check.every``, such as the one after the last step of a trial, is left out, because it says nothing
    about the time left.
    """

    def __init__(self, folder: Path, check: CheckModel) -> None:
        """Prepare.

        Args:
            folder: of the training.
            check: states how often, and at what, a look is made.
        """
        self._folder, self._check = folder, check
        self._began, self._first = time.monotonic(), 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin at the step that training resumes from."""
        self._began, self._first = time.monotonic(), state.global_step

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the look to the file; a full disk is reported by the checkpoint instead."""
        step, metrics = state.global_step, kwargs["metrics"]
        if step % self._check.every or step <= self._first:
            return
        each_s = (time.monotonic() - self._began) / (step - self._first)
        look = Look(
            step=step,
            steps=state.max_steps,
            metric=self._check.metric,
            value=metrics[f"eval_{self._check.metric}"],
            loss=metrics["eval_loss"],
            left_s=each_s * (state.max_steps - step),
        )
        with contextlib.suppress(OSError):
            look.write(self._folder)
