"""Variables that are named like ours and mean nothing: a limit that is misspelt limits nothing."""

from collections.abc import Iterable, Iterator, Mapping

from pytest_llmeval.bridge.config.options import OPTIONS
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.parent import ESCALATED, ESCALATED_CALLS, PARENT
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.named import NamedModel

__all__ = ["unknown_variables"]

_PREFIX = "LLMEVAL_"
_SETTINGS = frozenset({*(option.variable for option in OPTIONS), "LLMEVAL_API_KEY", "LLMEVAL_VLLM"})
_BETWEEN_PROCESSES = frozenset({ESCALATED, ESCALATED_CALLS, PARENT})


def unknown_variables(environ: Mapping[str, str], models: Iterable[NamedModel]) -> Iterator[tuple[str, str]]:
    """Yield each variable that is set, named like one of ours and none, and what is said of it; never what it holds.

    Args:
        environ: the environment.
        models: those of models.yaml: the variables that hold their keys have any name.
    """
    known = _SETTINGS | _BETWEEN_PROCESSES | {model.api_key_env for model in models}
    words = {option.removeprefix(_PREFIX): option for option in _SETTINGS}
    for name in sorted(environ):
        if name.startswith(_PREFIX) and environ[name] and name not in known:
            near = closest(name.removeprefix(_PREFIX), words)
            meant = f"; did you mean {words[near]}?" if near is not None else ""
            yield one_line(name, 80), f"no setting has this variable, so it counts for nothing{meant}"
