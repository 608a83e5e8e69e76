"""A judge's server is asked for the best form that it takes."""

from typing import Any

import pytest

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.judge.asking import verdict_schema
from pytest_llmeval.core.judge.forms import Forms
from tests.core.judge.rubrics import NONCE, RUBRIC


def refused(param: str | None, kind: ErrorKind = ErrorKind.BAD_REQUEST) -> CallError:
    return CallError("HTTP 400: temperature response_format", kind=kind, param=param)


def test_at_first_everything_is_asked_for() -> None:
    params = Forms().params(RUBRIC, NONCE)
    assert params["temperature"] == 0
    assert params["response_format"]["json_schema"]["schema"] == verdict_schema(RUBRIC)


def test_a_schema_may_hold_the_nonce_of_its_call() -> None:
    schema = Forms(binds_nonce=True).params(RUBRIC, NONCE)["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["nonce"] == {"type": "string", "enum": [NONCE]}
    assert schema["properties"]["format"] == verdict_schema(RUBRIC)["properties"]["format"]


@pytest.mark.parametrize("param", ["response_format", "response_format.json_schema", "response_format[0]", None])
def test_a_form_that_is_refused_gives_way_to_the_next(param: str | None) -> None:
    forms, seen = Forms(), []
    for _ in range(2):
        seen.append(forms.means)
        assert forms.yield_to(refused(param), forms.params(RUBRIC, NONCE))
    assert [*seen, forms.means] == ["json_schema", "json_object", "text"]
    assert not forms.yield_to(refused(param), forms.params(RUBRIC, NONCE))
    assert forms.params(RUBRIC, NONCE) == {"temperature": 0}


def test_a_temperature_that_is_refused_is_left_out() -> None:
    forms = Forms()
    assert forms.yield_to(refused("temperature"), forms.params(RUBRIC, NONCE))
    assert "temperature" not in forms.params(RUBRIC, NONCE)
    assert forms.means == "json_schema"


def test_requests_that_went_out_together_give_way_once() -> None:
    forms = Forms()
    sent: dict[str, Any] = forms.params(RUBRIC, NONCE)
    assert forms.yield_to(refused("response_format"), sent)
    assert forms.yield_to(refused("response_format"), sent)
    assert forms.means == "json_object"


@pytest.mark.parametrize(
    "error",
    [refused("model"), refused("messages"), refused(None, ErrorKind.AUTH), refused("temperature", ErrorKind.QUOTA)],
)
def test_other_faults_are_no_reason_to_ask_for_less(error: CallError) -> None:
    forms = Forms()
    assert not forms.yield_to(error, forms.params(RUBRIC, NONCE))
    assert forms.params(RUBRIC, NONCE) == Forms().params(RUBRIC, NONCE)
