"""Names of an eval's parameter sets: each is a suite, told by what it holds, never by its place nor by a secret."""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from types import TracebackType

import pytest

from pytest_llmeval.bridge.casework.items import cases_in, set_of
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.sources import stable_text
from pytest_llmeval.models.redaction import AnswerRedactor

__all__ = ["SetNames", "secret_sets"]

_SHORT = 100
"""Characters of a text that pytest takes for a name."""
_STRICT = "strict_parametrization_ids"
_TOLD = (type(None), int, float, complex, re.Pattern, Enum)


class SetNames:
    """The plugin object that names one function's parameter sets, while they are made, where pytest would number them.

    Of two with one name, which pytest would number too, it says what is wrong.
    """

    def __init__(self, config: pytest.Config, where: str, problems: list[str]) -> None:
        """Prepare.

        Args:
            config: of the session.
            where: the node id of the function.
            problems: takes what is wrong.
        """
        self._config = config
        self._where = where
        self._problems = problems
        self._strict: object = None

    def __enter__(self) -> None:
        self._strict = self._config.getini(_STRICT)
        self._config._inicache[_STRICT] = True
        self._config.pluginmanager.register(self, "llmeval-set-names")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._config.pluginmanager.unregister(self)
        self._config._inicache[_STRICT] = self._strict
        if not isinstance(error, pytest.Collector.CollectError) or _STRICT not in str(error):
            return False
        found = re.search(r"^Parameters: *(.*)$", str(error), re.MULTILINE)
        self._problems.append(
            f"{self._where}: parameter sets of {found[1] if found else 'it'} have one name, and pytest would number"
            " them by their place; each parameter set is a suite: give it a name with ids="
        )
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_make_parametrize_id(self, val: object, argname: str) -> str | None:
        """Return a name by the content of a value; None where pytest has one for it, or where nothing tells it."""
        if self._is_told_by_pytest(val):
            return None
        text = stable_text(val)
        if text is None:
            self._problems.append(
                f"{self._where}: nothing tells a value of {argname} in each session the same, found"
                f" {type(val).__qualname__}; each parameter set is a suite: give it a name with ids="
            )
            return None
        return f"{argname}-{digest(text)[:6]}"

    def _is_told_by_pytest(self, value: object) -> bool:
        if isinstance(value, str | bytes):
            return len(value) <= _SHORT or not self._shortens()
        name = getattr(value, "__name__", None)
        return isinstance(value, _TOLD) or (isinstance(name, str) and name != "<lambda>")

    def _shortens(self) -> bool:
        try:
            return bool(self._config.getini("parametrize_long_str_id_strategy") == "short")
        except ValueError:  # pytest before 9.1
            return False


def secret_sets(items: Iterable[pytest.Item], secrets: Iterable[str]) -> Iterator[tuple[pytest.Item, str]]:
    """Yield each case that is named by a secret, and what is wrong: a node id is printed, stored and reported.

    Of what may be an ordinary word, such as the key ``ollama`` of a server that asks for none, nothing is said.
    """
    redact = AnswerRedactor(secrets)
    for item, param in cases_in(items):
        set_id = set_of(item, param)
        masked = redact(set_id)
        if masked != set_id:
            where = f"{param.eval.where}: the parameter set {masked!r}"
            told = "is named by a key or a password of the environment, and names are printed and stored"
            yield item, f"{where} {told}; give it another one with ids="
