"""The calls of one case: what it asked, what has ended, and what its body left running."""

from collections import Counter

from pytest_llmeval.core.calls import failed
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Ask, Call

__all__ = ["CaseCalls"]


class CaseCalls:
    """Filled by the models and judges that the case was given, whatever thread or task they are asked in."""

    def __init__(self) -> None:
        self.ended: list[Call] = []
        """Those that have ended, in that order."""
        self._begun: dict[str, Ask] = {}
        """What was asked and has not ended, by the names of the calls."""
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
        """The names of all."""
        return {*self._begun, *(call.name for call in self.ended)}

    def count(self, stem: str) -> int:
        """Return which one of this request, by the digest in its name, is made now; from 1."""
        self._asked[stem] += 1
        return self._asked[stem]

    def count_draw(self, stem: str) -> int:
        """Return which of the different answers to this request is wanted now; from 1.

        Who asks again for a malformed verdict wants none more.
        """
        self._draws[stem] += 1
        return self._draws[stem]

    def begin(self, name: str, ask: Ask) -> None:
        """Take a call that is made now."""
        self._begun[name] = ask

    def end(self, call: Call) -> None:
        """Take a call that has ended."""
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
        """Whether the body left calls running and no other was made since: that they fail is no error of the case."""
        if not self._left:
            return False
        since = (*dict(self._begun), *(call.name for call in self.ended[self._ended_in_body :]))
        return self._left.issuperset(since)

    def all(self) -> tuple[Call, ...]:
        """Return the calls of a case that has ended, those that it gave up first: they may be paid for all the same.

        The last one is the last that was answered.
        """
        begun = dict(self._begun)  # before the others: a call that ends at this moment may stand in both
        ended = tuple(self.ended)
        given_up = CallError("the case did not wait for its end", kind=ErrorKind.INTERRUPTED)
        names = {call.name for call in ended}
        return (*(failed(ask, given_up, name) for name, ask in begun.items() if name not in names), *ended)
