"""The registry of the scorers that a test can name: shipped ones, decorated functions and entry points."""

import inspect
import keyword
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar, overload

from pytest_llmeval.core.errors import ScorerError, UserError
from pytest_llmeval.core.rules import COUNTED_METRICS, MEASURED_METRICS
from pytest_llmeval.core.signatures import signature_of
from pytest_llmeval.scorers.scored import is_number

__all__ = ["ENTRY_POINTS", "REGISTRY", "Registry", "Scorer", "place", "scorer", "shipped"]

ENTRY_POINTS = "pytest_llmeval.scorers"
# Names with which ``score.<name>`` already means something else.
RESERVED = frozenset(COUNTED_METRICS + MEASURED_METRICS) | frozenset(
    {"record", "judge", "judge_sync", "prefer", "prefer_sync", "scores", "misses", "errors"}
)
CALL_SETTINGS = frozenset({"name", "pass_mark"})

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scorer:
    """A scoring function with its name and defaults."""

    name: str
    """The name after ``score.``."""
    function: Callable[..., object]
    """Called as ``(response, target, **settings)``; the caller checks what it returns."""
    signature: inspect.Signature
    pass_mark: float
    """Default pass mark, in [0, 1]."""
    version: str
    """Version of the scorer. A shipped scorer gets a new one whenever it may return another value than before."""
    shipped: bool
    stem: str
    """Companion values are recorded as ``<stem>_<key>`` if the call gives no name."""
    called_at: tuple[str, int] | None = None
    """File and line where ``scorer`` was called, which is all that distinguishes lambdas, partials and objects."""

    @property
    def is_nameless(self) -> bool:
        """Whether the function has no name of its own, like a lambda or a partial."""
        name = getattr(self.function, "__qualname__", None)
        return not isinstance(name, str) or name.endswith("<lambda>")

    @property
    def shown_place(self) -> str:
        """``file:line`` of the scorer, for messages."""
        if self.is_nameless and self.called_at is not None:
            return f"{short_path(self.called_at[0])}:{self.called_at[1]}"
        return place(self.function)


def place(function: Callable[..., object]) -> str:
    """Return ``file:line`` of a function, relative to the working directory if the file is below it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{short_path(code.co_filename)}:{code.co_firstlineno}" if code else repr(function)


def short_path(filename: str) -> str:
    """Return a path relative to the working directory if it is below it, else the bare file name."""
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name


class Registry:
    """Scorers by name. Entry points are loaded only when an unregistered name is looked up."""

    def __init__(self, scorers: Mapping[str, Scorer] | None = None) -> None:
        self._scorers = dict(scorers or {})
        self._unread: dict[str, EntryPoint] | None = None
        self._broken: dict[str, str] = {}

    def add(self, new: Scorer) -> None:
        """Register a scorer. The same function from a module that was imported again replaces the earlier one.

        Raises:
            UserError: if a shipped scorer or another function has the name.
        """
        old = self._scorers.get(new.name)
        if old is not None and old.shipped:
            raise UserError(
                f"{place(new.function)}: {new.name!r} is a shipped scorer; give yours another name: "
                f"@scorer(name={'my_' + new.name!r})"
            )
        if old is not None and not _same_origin(old, new):
            raise UserError(
                f"two scorers are named {new.name!r}: {old.shown_place} and {new.shown_place}; "
                "rename one, or give it another name with @scorer(name=...)"
            )
        self._scorers[new.name] = new

    def names(self) -> tuple[str, ...]:
        """Return the registered names in alphabetical order."""
        return tuple(sorted(self._scorers))

    def own(self) -> tuple[Scorer, ...]:
        """Return the registered scorers that are not shipped, ordered by name."""
        return tuple(self._scorers[name] for name in self.names() if not self._scorers[name].shipped)

    def find(self, name: str) -> Scorer | None:
        """Return the scorer of this name, loading entry points if necessary; None if there is none.

        Raises:
            ScorerError: if the entry point of this name cannot be used.
        """
        found = self._scorers.get(name)
        return found if found is not None else self._from_entry_points(name)

    def broken_entry_points(self) -> tuple[str, ...]:
        """Return one message for each entry point that failed to load."""
        return tuple(self._broken.values())

    def _from_entry_points(self, name: str) -> Scorer | None:
        if self._unread is None:
            self._unread = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
        if name in self._unread:
            self._load(name)
        if name in self._broken:
            raise ScorerError(self._broken[name])
        if name not in self._scorers:  # an entry point may name a module with scorers of other names
            for other in sorted(self._unread):
                self._load(other)
        return self._scorers.get(name)

    def _load(self, name: str) -> None:
        assert self._unread is not None
        point = self._unread.pop(name)
        about = f"entry point {name!r} = {point.value!r} of {ENTRY_POINTS}"
        try:
            loaded = point.load()
        except Exception as error:  # noqa: BLE001 - an import runs a user's scorer module: any exception can come out
            self._broken[name] = f"{about} cannot be imported: {type(error).__name__}: {error}"
            return
        if not inspect.ismodule(loaded) and not self._holds(loaded):
            self._broken[name] = f"{about} is not a scorer: decorate it with @scorer"

    def _holds(self, function: object) -> bool:
        return any(known.function is function for known in self._scorers.values())


def _same_origin(one: Scorer, other: Scorer) -> bool:
    old, new = one.function, other.function
    if old is new:
        return True
    if one.is_nameless or other.is_nameless:
        return one.called_at is not None and one.called_at == other.called_at
    if getattr(old, "__qualname__", None) != getattr(new, "__qualname__", None):
        return False
    return getattr(old, "__module__", None) == getattr(new, "__module__", None) or _file(old) == _file(new)


def _file(function: Callable[..., object]) -> str:
    return str(inspect.unwrap(function).__code__.co_filename)


REGISTRY = Registry()


@overload
def scorer(function: F, /) -> F: ...
@overload
def scorer(*, name: str | None = None, pass_mark: float = 1.0, version: str | int = 1) -> Callable[[F], F]: ...
def scorer(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    pass_mark: float = 1.0,
    version: str | int = 1,
) -> F | Callable[[F], F]:
    """Make a plain function a scorer that tests call as ``score.<name>(response, target)``.

    The function takes the response as the test passed it (``str(response)`` is its text), then ``target`` if it needs
    one, then its settings. It returns a bool, a number from 0 to 1, or ``Scored``. If it raises an exception or returns
    anything else, that is an error of the case and never a score. The decorator returns the function unchanged, so that
    a unit test can call it.

    Args:
        function: the scoring function, if the decorator is used without parentheses.
        name: the name after ``score.``; the function's name by default.
        pass_mark: from 0 to 1; a value below it is a miss. A call may override it.
        version: part of the digest that distinguishes two versions of a scorer, beside the source.

    Returns:
        The function, or a decorator for it.

    Raises:
        UserError: if the name is taken or invalid, or the function cannot be a scorer.
    """
    caller = sys._getframe(1)
    called_at = (caller.f_code.co_filename, caller.f_lineno)

    def register(found: F) -> F:
        REGISTRY.add(made(found, name=name, pass_mark=pass_mark, version=str(version), called_at=called_at))
        return found

    return register if function is None else register(function)


def shipped(*, version: int, pass_mark: float = 1.0, stem: str | None = None) -> Callable[[F], F]:
    """Return the decorator for the scorers that ship with the plugin."""

    def register(found: F) -> F:
        REGISTRY.add(made(found, pass_mark=pass_mark, version=str(version), shipped=True, stem=stem))
        return found

    return register


def made(
    function: Callable[..., object],
    *,
    name: str | None = None,
    pass_mark: float = 1.0,
    version: str = "1",
    shipped: bool = False,
    stem: str | None = None,
    called_at: tuple[str, int] | None = None,
) -> Scorer:
    """Return the Scorer for a function, after checking that the function can be one.

    Raises:
        UserError: naming where the function is defined and what to change.
    """
    name = name if name is not None else getattr(function, "__name__", None)
    if name is None:
        raise UserError(f"{place(function)}: this scorer has no name of its own; give it a name: @scorer(name=...)")
    signature = signature_of(function)
    _check(function, name, pass_mark, signature)
    return Scorer(
        name=name,
        function=function,
        signature=signature,
        pass_mark=float(pass_mark),
        version=version,
        shipped=shipped,
        stem=stem or name,
        called_at=called_at,
    )


def _check(function: Callable[..., object], name: str, pass_mark: float, signature: inspect.Signature) -> None:
    where = place(function)
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise UserError(f"{where}: a scorer cannot be named {name!r}; score.<name> must be plain Python")
    if name in RESERVED:
        raise UserError(f"{where}: score.{name} means something else already; choose another name")
    if not (is_number(pass_mark) and 0 <= pass_mark <= 1):
        raise UserError(f"{where}: pass_mark must be a number from 0 to 1, found {pass_mark!r}")
    if inspect.iscoroutinefunction(function):
        raise UserError(f"{where}: scorer {name!r} is async; a scorer is a plain function")
    if not signature.parameters:
        raise UserError(f"{where}: scorer {name!r} takes no argument; its first one is the response")
    if taken := CALL_SETTINGS & signature.parameters.keys():
        raise UserError(
            f"{where}: scorer {name!r} has a parameter {sorted(taken)[0]!r}, which every score call takes "
            "for itself; rename the parameter"
        )


def settings_of(scorer: Scorer, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among the bound arguments: all except the response (the first) and ``target``."""
    response = next(iter(scorer.signature.parameters))
    return {key: value for key, value in arguments.items() if key != response and key != "target"}
