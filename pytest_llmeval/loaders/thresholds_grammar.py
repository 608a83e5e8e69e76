"""The schema of thresholds.yaml as pydantic models. Each validator says what was found and what to write instead."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pytest_llmeval.core.text import shown_yaml

__all__ = [
    "Amount",
    "FileModel",
    "Flag",
    "JudgeModel",
    "PassAtModel",
    "RuleModel",
    "SettingsModel",
    "Share",
    "Strict",
    "Text",
    "Version",
    "Whole",
    "ranged",
]


_MEANT = re.compile(
    r"([-+]?(?:[0-9]{1,9}(?:\.[0-9]{0,9}|,(?![0-9]{3}\b)[0-9]{1,9})?|\.[0-9]{1,9})(?:[eE][-+]?[0-9]{1,2})?)\s*(%?)"
)
"""A number that YAML 1.1 reads as text. ``1,000`` does not match, because it could be two different numbers."""
_QUOTED = re.compile(r"[-+]?[0-9.]+")
"""A number that YAML 1.1 reads as text only inside quotes."""


def _number(value: object) -> float:
    """Return a finite number.

    YAML 1.1 reads ``90%``, ``0,9`` and ``1e-1`` as text; the error then says which number to write.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError("found a number that is too large; write a smaller one") from None
    if not isinstance(value, str) or (meant := _meant(value)) is None:
        raise ValueError(f"found {shown_yaml(value)}, which is not a number; write one such as 0.8")
    plain = format(Decimal(f"{meant:.12g}"), "f")
    instead = " without quotes" if _QUOTED.fullmatch(value.strip()) else f", not {value} (and no quotes)"
    raise ValueError(f"found the string {shown_yaml(value)}; write {plain}{instead}")


def _meant(text: str) -> float | None:
    """Return the finite number that ``text`` was meant to be; None if it is not a number."""
    number = _MEANT.fullmatch(text.strip())
    if number is None:
        return None
    value = float(number[1].replace(",", "."))
    return value / 100 if number[2] else value


def ranged(holds: Callable[[float], bool], words: str) -> BeforeValidator:
    """Return a validator that accepts the finite numbers for which ``holds`` is true."""

    def check(value: object) -> float:
        number = _number(value)
        if not holds(number):
            raise ValueError(f"found {number:.12g}; write a number {words}")
        return number

    return BeforeValidator(check)


def _checked(holds: Callable[[object], bool], advice: str) -> BeforeValidator:
    """Return a validator that accepts the values for which ``holds`` is true, and gives ``advice`` otherwise."""

    def check(value: object) -> object:
        if not holds(value):
            raise ValueError(f"found {shown_yaml(value)}; {advice}")
        return value

    return BeforeValidator(check)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


Number = Annotated[float, BeforeValidator(_number)]
Share = Annotated[float, ranged(lambda number: 0 <= number <= 1, "in 0..1")]
Amount = Annotated[float, ranged(lambda number: number >= 0, "from 0 up")]
Whole = Annotated[int, _checked(_is_whole, "write a whole number from 1 up")]
Flag = Annotated[bool, _checked(lambda value: isinstance(value, bool), "write true or false")]
Text = Annotated[str, _checked(_is_text, "write a name, in quotes if it looks like a number")]
Version = Annotated[
    int, _checked(lambda value: _is_whole(value) and value == 1, "write 1, the version that is read here")
]


class Strict(BaseModel):
    """Base of models for hand-written files: forbids unknown keys and does not convert values between types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FileModel(Strict):
    """The top level of the file."""

    version: Version
    baseline: Text | None = None
    defaults: Any = None
    suites: Any = None


class SettingsModel(Strict):
    """The keys under ``defaults``, or under ``settings`` beside a suite's metrics."""

    alpha: Annotated[float, ranged(lambda number: 0 < number <= 0.5, "above 0, up to 0.5")] = 0.05
    max_error_rate: Share = 0.02
    on_inconclusive: Literal["warn", "fail", "escalate"] = "warn"
    allow_change: list[Literal["judge", "scorer"]] = Field(default_factory=list)
    require_judge: Flag = False


class PassAtModel(Strict):
    """``pass_at``: the mean probability that at least one of ``k`` attempts passes is at least ``min``."""

    k: Whole
    min: Share


class JudgeModel(Strict):
    """``judge``: how a judge must have proved itself against people's labels before its scores may gate."""

    min_kappa: Annotated[float, ranged(lambda number: -1 <= number <= 1, "in -1..1")] | None = None
    min_labels: Whole | None = None
    max_age_days: Whole | None = None
    min_specificity: Share | None = None


class RuleModel(Strict):
    """The bounds on one metric, and the options of its rule."""

    min: Number | None = None
    max: Number | None = None
    min_lower: Annotated[float, ranged(lambda number: 0 < number < 1, "above 0 and below 1")] | None = None
    every: Annotated[bool, _checked(lambda value: value is True, "write true, or take the key out")] | None = None
    max_drop: Amount | None = None
    max_rise: Amount | None = None
    max_p50: Number | None = None
    max_p95: Number | None = None
    max_total: Number | None = None
    pass_at: PassAtModel | None = None
    confident: Flag = False
    mode: Literal["noninferior"] | None = None
    margin: Annotated[float, ranged(lambda number: number > 0, "above 0")] | None = None
    model: Text | None = None
    judge: JudgeModel | None = None
