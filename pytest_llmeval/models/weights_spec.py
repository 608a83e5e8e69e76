"""The part of a spec that names weights: ``BASE[+ADAPTER][?key=value&...]``."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.errors import ModelError

__all__ = ["WeightsSpec", "parse_weights"]

_OPTIONS: Mapping[str, tuple[str, str]] = {
    "load": ("4bit|8bit", "4bit or 8bit"),
    "dtype": ("float32|float16|bfloat16", "float32, float16 or bfloat16"),
    "device": (r"cpu|mps|cuda(:\d+)?", "cpu, mps, cuda or cuda:N"),
    "revision": (r"[\w.-]+", "a branch, tag or commit"),
    "untrained": ("yes", "yes"),
}
"""What each option may be: a pattern, and the words for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSpec:
    """Weights, an adapter on top, and how they are loaded."""

    base: str
    """An id of the Hugging Face hub, the path of a model's folder, or of a ``.gguf`` file."""
    adapter: str | None = None
    """The path of a PEFT adapter's folder."""
    load: str | None = None
    """``4bit`` or ``8bit``; None for weights as they are."""
    dtype: str | None = None
    """Of weights and sums; None for float32 on a CPU, bfloat16 elsewhere."""
    device: str | None = None
    """None for the first GPU where there is one, else the CPU."""
    revision: str | None = None
    """Of the base in the hub's cache; None for its branch ``main``."""
    untrained: str | None = None
    """``yes`` takes an adapter that changes nothing, as a control."""

    def __str__(self) -> str:
        chosen = [f"{name}={getattr(self, name)}" for name in sorted(_OPTIONS) if getattr(self, name) is not None]
        adapter = f"+{self.adapter}" if self.adapter is not None else ""
        return f"{self.base}{adapter}{'?' if chosen else ''}{'&'.join(chosen)}"


def parse_weights(text: str, shown: str) -> WeightsSpec:
    """Return what ``text`` names; the adapter begins at the last ``+``, the options at the last ``?``.

    Args:
        text: of the spec, what follows its kind.
        shown: the whole spec, for messages.

    Raises:
        ModelError: a part is empty, or an option is unknown, given twice or has a value that it cannot have.
    """
    weights, mark, query = text.rpartition("?")
    if not mark:
        weights, query = text, ""
    elif not query:
        raise ModelError(f"model {shown!r}: no option after '?'; expected for example ?load=4bit")
    base, plus, adapter = weights.rpartition("+")
    if not plus:
        base, adapter = weights, ""
    if not base or (plus and not adapter):
        raise ModelError(f"model {shown!r}: a base and an adapter are written BASE+ADAPTER_PATH, neither of them empty")
    return WeightsSpec(base=base, adapter=adapter or None, **_options(query, shown))


def _options(query: str, shown: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in _OPTIONS:
            close = difflib.get_close_matches(name, _OPTIONS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(_OPTIONS)}"
            raise ModelError(f"model {shown!r}: unknown option {name!r}; {hint}")
        if name in options:
            raise ModelError(f"model {shown!r}: the option {name!r} stands there twice")
        pattern, words = _OPTIONS[name]
        if re.fullmatch(pattern, value) is None:
            raise ModelError(f"model {shown!r}: {name} is {words}, not {value!r}")
        options[name] = value
    return options
