"""The process that carries a plan out, or the launcher of several: started, waited for, and what it said at its end."""

import sys
from collections.abc import Mapping

from pytest_llmeval.core.child import run_child
from pytest_llmeval.training.plan import Outcome, Plan

__all__ = ["in_a_process"]

_TAIL = 3000
_ALONE = "pytest_llmeval.training.trainer"
_TOGETHER = "pytest_llmeval.training.launcher"


def in_a_process(plan: Plan, environ: Mapping[str, str]) -> Outcome:
    """Return how the training of ``plan`` ended; what was printed is in ``output.txt`` of its folder.

    Raises:
        KeyboardInterrupt: this process was interrupted; the other has made a checkpoint since.
    """
    path = plan.write()
    (plan.folder / "outcome.json").unlink(missing_ok=True)
    processes = plan.config.launch.processes
    module = _ALONE if processes == 1 else _TOGETHER
    with open(plan.folder / "output.txt", "ab") as output:
        ended = run_child(
            [sys.executable, "-m", module, str(path)],
            output=output,
            cwd=plan.rootdir,
            environ={**environ, **_gpus(environ, processes)},
        )
    outcome = Outcome.read(plan.folder)
    if outcome is None:
        printed = (plan.folder / "output.txt").read_text("utf-8", "replace")[-_TAIL:]
        return Outcome(state="failed", message=f"the process ended with {ended.returncode}:\n{printed}")
    return outcome


def _gpus(environ: Mapping[str, str], processes: int) -> dict[str, str]:
    """Return the variable that lets each process see one GPU of its own at most: trl refuses several in one process."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    names = map(str, range(processes)) if visible is None else visible.split(",")[:processes]
    return {"CUDA_VISIBLE_DEVICES": ",".join(names)}
