"""Validation of the judges of an exported baseline, before their rubrics are used."""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.strict_json import NotJsonError, parse
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.store.baseline_fields import TEXT, Field, NotALineError, check_types, checked

__all__ = ["checked_judges"]

_JUDGE = {"judge_id": TEXT, "rubric": TEXT, "detail": TEXT}
_DETAIL = {"rubric": Field((dict,)), "judges": Field((list,)), "how": Field((dict,))}
_RUBRIC = {
    "name": TEXT,
    "version": Field((int,)),
    "task": TEXT,
    "needs_reference": Field((bool,)),
    "dimensions": Field((list,)),
}
_VALUE = Field((float, int))
_DIMENSION = {
    "name": TEXT,
    "question": TEXT,
    "levels": Field((list,)),
    "weight": _VALUE,
    "pass_mark": _VALUE,
    "gates": Field((bool,)),
}
_LEVEL = {"name": TEXT, "value": _VALUE, "anchor": TEXT}


def checked_judges(judges: list[Any]) -> list[dict[str, Any]]:
    """Return the judges of a header; raise NotALineError if one is invalid or occurs twice."""
    found = [checked(judge, _JUDGE, "judges.") for judge in judges]
    for judge in found:
        _check_detail(judge["detail"])
    if len({judge["judge_id"] for judge in found}) < len(found):
        raise NotALineError("a judge appears twice in 'judges'")
    return found


def _check_detail(text: str) -> None:
    try:
        detail = checked(parse(text), _DETAIL, "judges.detail.")
    except NotJsonError as error:
        raise NotALineError(f"'judges.detail' is not JSON: {error}") from None
    _check_rubric(checked(detail["rubric"], _RUBRIC, "judges.detail.rubric."))
    check_types(detail["how"], {"checks": (list,)}, "judges.detail.how")
    for check in detail["how"].get("checks", ()):
        if type(check) is not list or [type(part) for part in check] != [str, str]:
            raise NotALineError(f"'judges.detail.how.checks' holds {shown_value(check)}")


def _check_rubric(rubric: Mapping[str, Any]) -> None:
    where = "judges.detail.rubric.dimensions"
    dimensions = [checked(dimension, _DIMENSION, f"{where}.") for dimension in rubric["dimensions"]]
    if not dimensions or any(dimension["weight"] <= 0 for dimension in dimensions):
        raise NotALineError(f"{where!r} is empty, or one weighs nothing")
    for dimension in dimensions:
        for level in dimension["levels"]:
            checked(level, _LEVEL, f"{where}.levels.")
