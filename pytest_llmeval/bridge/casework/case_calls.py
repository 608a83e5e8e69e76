"""The calls of one case: those that ended, those still running, and those that its body left running."""

from collections import Counter

from pytest_llmeval.core.calls import failed
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Ask, Call

__all__ = ["CaseCalls"]


class CaseCalls:
    """Filled by the models and judges that the case was given, in whatever thread or task they are asked."""

    def __init__(self) -> None:
        self.ended: list[Call] = []
        """The calls that have ended, in that order."""
        self._begun: dict[str, Ask] = {}
        """The calls that have begun and not ended, by name."""
        self._asked: Counter[str] = Counter()
        """How often each request was made, by the digest in its name."""
        self._draws: Counter[str] = Counter()
        """How many different answers to each request were wanted."""
        self._left: frozenset[str] = frozenset()
        """The names of the calls that still ran when the body ended."""
        self._ended_in_body = 0

    def __bool__(self) -> bool:
        return bool(self.ended or self._begun)

    @property
    def has_asked(self) -> bool:
        """Whether any request was made, or is about to be."""
        return bool(self._asked)

    @property
    def names(self) -> set[str]:
        """The names of all calls, ended or not."""
        return {*self._begun, *(call.name for call in self.ended)}

    def count(self, stem: str) -> int:
        """Count a request, by the digest in its name, and return its number from 1."""
        self._asked[stem] += 1
        return self._asked[stem]

    def count_draw(self, stem: str) -> int:
        """Count a wanted answer to a request, and return its number among different answers, from 1.

        Asking again after a malformed verdict wants no further answer.
        """
        self._draws[stem] += 1
        return self._draws[stem]

    def begin(self, name: str, ask: Ask) -> None:
        """Record a call that is made now."""
        self._begun[name] = ask

    def end(self, call: Call) -> None:
        """Record a call that has ended."""
        self.ended.append(call)
        self._begun.pop(call.name, None)

    def forget_last(self) -> None:
        """Forget the call that ended last."""
        self.ended.pop()

    def note_left(self) -> None:
        """Note which calls still run as the body ends."""
        self._left, self._ended_in_body = frozenset(self._begun), len(self.ended)

    @property
    def are_only_left(self) -> bool:
        """Whether the body left calls running and no other was made since: their failure is no error of the case."""
        if not self._left:
            return False
        since = (*dict(self._begun), *(call.name for call in self.ended[self._ended_in_body :]))
        return self._left.issuperset(since)

    def all(self) -> tuple[Call, ...]:
        """Return the calls of a case that has ended, first those that it gave up: they may be paid for all the same.

        The last one is the one answered last.
        """
        begun = dict(self._begun)  # copied before the others: a call that ends at this moment may stand in both
        ended = tuple(self.ended)
        given_up = CallError("the test ended before its answer came", kind=ErrorKind.INTERRUPTED)
        names = {call.name for call in ended}
        return (*(failed(ask, given_up, name) for name, ask in begun.items() if name not in names), *ended)
