"""The record of a case on its way from one process to another."""

import json
import math
from collections import OrderedDict, UserDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.transport import dump, load_case, load_start, plain, settled
from pytest_llmeval.core.types import CaseKey, CaseRecord, CaseStart, Score
from tests.support.records import case_records, texts

HUGE = 10**5000


class Colour(Enum):
    RED = "red"
    PAIR = (1, "x")


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Loud(str):
    def __str__(self) -> str:
        return "LOUD"


class Broken:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("no text")


class BrokenMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    def __len__(self) -> int:
        return 1


class Scalar:
    """As a number of another library whose conversion fails in a way of its own."""

    def item(self) -> float:
        raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")


@dataclass
class Point:
    x: Any
    y: Any = None


@dataclass(slots=True)
class Hollow:
    x: int

    def __init__(self) -> None:
        """Leave the field without a value."""


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def holding_itself() -> list[Any]:
    """Return a list that is its own element."""
    value: list[Any] = [1]
    value.append(value)
    return value


PLAIN: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (7, 7),
    (0.5, 0.5),
    ("a\ud800\x00", "a\ud800\x00"),
    (Loud("quiet"), "quiet"),
    (Colour.RED, "red"),
    (Colour.PAIR, [1, "x"]),
    (Level.HIGH, 3),
    (Word.YES, "yes"),
    (2**63 - 1, 2**63 - 1),
    (2**63, str(2**63)),
    (-(10**30), str(-(10**30))),
    (HUGE, "a huge integer"),
    (math.nan, "nan"),
    (math.inf, "inf"),
    (-math.inf, "-inf"),
    (Decimal("0.25"), 0.25),
    (Decimal("NaN"), "nan"),
    (Decimal("sNaN"), "<Decimal>"),
    (Decimal("1e999"), "inf"),
    (np.float32(0.5), 0.5),
    (np.float64(0.5), 0.5),
    (np.int64(3), 3),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.float32("nan"), "nan"),
    (np.array([3]), 3),
    (np.array([1, 2]), "<ndarray>"),
    (np.datetime64("2020-01-01"), "<datetime64>"),
    ((1, 2), [1, 2]),
    ({3}, [3]),
    (frozenset({3}), [3]),
    (OrderedDict(a=1), {"a": 1}),
    (UserDict({"a": (1,)}), {"a": [1]}),
    ({1: "a", None: "b", Word.YES: "c", Colour.RED: "d", (1, 2): "e"}, None),
    (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
    (Point, "<type>"),
    (b"raw", "<bytes>"),
    (date(2020, 1, 1), "<date>"),
    (Fraction(1, 2), "<Fraction>"),
    (1j, "<complex>"),
    (object(), "<object>"),
    (lambda: 0, "<function>"),
    (Broken(), "<Broken>"),
    ([1, Broken(), 2], [1, "<Broken>", 2]),
    ({"a": Scalar()}, {"a": "<Scalar>"}),
    (BrokenMapping(), "<BrokenMapping>"),
    (Hollow(), "<Hollow>"),
    (MagicMock(), "<MagicMock>"),
    (MagicMock(spec=str), "<MagicMock>"),
    (MagicMock(spec=dict), None),
    (holding_itself(), None),
    (nested(5000), None),
]
"""A value, and what is made of it; None where only the promise counts."""


@given(case_records())
def test_a_case_comes_out_as_it_went_in(case: Any) -> None:
    text = dump(case)
    assert text.isascii()
    assert "\n" not in text
    assert load_case(text) == case


KEYS = st.builds(CaseKey, nodeid=texts, suite=texts, sample_id=texts, model=texts, epoch=st.integers(1, 1000))


@given(
    st.builds(
        CaseStart,
        key=KEYS,
        slices=st.lists(texts).map(tuple),
        input_digest=st.none() | texts,
        cluster=st.none() | texts,
    )
)
def test_the_beginning_of_a_case_comes_out_as_it_went_in(start: CaseStart) -> None:
    text = dump(start)
    assert text.isascii()
    assert load_start(text) == start


@pytest.mark.parametrize(("value", "expected"), PLAIN, ids=lambda each: type(each).__name__)
def test_anything_becomes_what_json_can_hold(value: Any, expected: Any) -> None:
    found = plain(value)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    if expected is not None:
        assert (type(found), found) == (type(expected), expected)


def test_keys_that_are_no_text_become_one() -> None:
    assert plain({1: "a", None: "b", Word.YES: "c", Colour.RED: "d"}) == {"1": "a", "None": "b", "yes": "c", "red": "d"}


def test_a_text_of_an_own_class_becomes_a_plain_one() -> None:
    assert type(plain(Loud("quiet"))) is str
    assert type(plain([np.str_("x")])[0]) is str


def test_a_hundred_levels_are_kept() -> None:
    assert plain(nested(99)) == nested(99)


def test_what_is_nested_deeper_becomes_the_name_of_its_type() -> None:
    assert "<list>" in json.dumps(plain(nested(101)))


def test_an_interrupt_is_not_swallowed() -> None:
    class Slow:
        def item(self) -> float:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plain(Slow())


objects = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.binary()
    | st.dates()
    | texts
    | st.sampled_from([Colour.RED, Colour.PAIR, Level.HIGH, Word.YES, Loud("x"), object()])
    | st.builds(np.float32, st.floats(width=32))
    | st.builds(np.int64, st.integers(-(2**63), 2**63 - 1)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.none() | st.booleans() | st.integers() | texts, inner, max_size=4)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=15,
)


@given(objects)
def test_nothing_that_a_test_passes_can_end_a_session(value: Any) -> None:
    """What comes out is valid JSON, and plain already."""
    found = plain(value)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert plain(found) == found


@given(case_records())
def test_a_case_that_stays_in_its_process_is_what_it_would_be_in_another(case: CaseRecord) -> None:
    assert settled(case) == load_case(dump(case))
    odd = replace(case, scores=(Score(name="x", value=Decimal("0.5"), passed=None, reason="y"),))  # type: ignore[arg-type]  # what a scorer may return
    assert settled(odd).scores[0].value == 0.5
