"""``response_format``: what a model of random weights says is in the form that was asked for."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.models.hf import answering
from pytest_llmeval.models.hf.batching import Job
from pytest_llmeval.models.hf.forms import Kept
from pytest_llmeval.models.hf.host import HfModels
from tests.support.asking_hf import answers, opened, refusal

TEXTS = ["hi " * size for size in (1, 7, 2, 30)]
SCHEMAS: list[dict[str, Any]] = [
    {"enum": ["passed", "failed"]},
    {"type": "integer", "minimum": 1, "maximum": 5},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
    {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 8}, "day": {"type": "string", "format": "date"}},
        "required": ["name", "day"],
        "additionalProperties": False,
    },
]


def bound(schema: dict[str, Any], **params: Any) -> dict[str, Any]:
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    return {"max_tokens": 120, "response_format": form, **params}


@pytest.mark.parametrize("temperature", [0, 1.5])
def test_each_row_of_a_batch_keeps_to_its_own_schema(models: HfModels, base: Path, temperature: float) -> None:
    said = answers(opened(models, f"hf:{base}"), TEXTS, [bound(each, temperature=temperature) for each in SCHEMAS])
    for schema, response in zip(SCHEMAS, said, strict=True):
        assert response.finish_reason == "stop", response.text
        jsonschema.validate(json.loads(response.text), schema, format_checker=jsonschema.FormatChecker())


class Matcher:
    """Allows the tokens 1 and 9 of a tokenizer that has 10, and only a 9 before."""

    def consume_token(self, token: int) -> bool:
        return token == 9

    def get_error(self) -> str:
        return "not 9"

    def compute_bitmask(self) -> bytes:
        return bytes([0b10, 0b10, 0, 0])


class Counted(TorchDispatchMode):  # type: ignore[misc]  # torch is not typed here
    """Counts what a device is told to do."""

    calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


def test_all_rows_of_a_batch_are_bound_at_once() -> None:
    """What the device is asked for does not grow with the rows; of tokens that are none no row may say one."""
    counts, vocabulary = [], 37
    for rows in (3, 30):
        jobs = [Job(group=0, tokens=1, room=1) for _ in range(rows)]
        kept = Kept(jobs, [None, *(Matcher() for _ in jobs[1:])])
        scores, ids = torch.zeros(rows, vocabulary), torch.full((rows, 2), 9)
        ids[2, -1] = 4
        with Counted() as counted:
            first, second = kept(ids, scores), kept(ids, scores)
        counts.append(counted.calls)
        bound = [index in (1, 9) for index in range(vocabulary)]
        assert (first == 0).tolist() == [[True] * vocabulary, *[bound] * (rows - 1)]
        assert (second == 0).tolist()[:4] == [[True] * vocabulary, bound, [True] * vocabulary, bound][:rows]
        assert [job.is_open for job in jobs[:4]] == [True, True, False, True][:rows]
    assert counts[0] == counts[1]


def test_free_rows_beside_bound_ones_say_what_they_say_alone(models: HfModels, base: Path) -> None:
    model, free = opened(models, f"hf:{base}"), {"max_tokens": 12}
    together = answers(model, TEXTS, [free, bound(SCHEMAS[0]), free, bound(SCHEMAS[3])])
    alone = answers(model, [TEXTS[0], TEXTS[2]], [free, free])
    assert [together[0].text, together[2].text] == [each.text for each in alone]


def test_a_json_object_is_one(models: HfModels, base: Path) -> None:
    form = {"max_tokens": 30, "response_format": {"type": "json_object"}, "temperature": 1}
    for response in answers(opened(models, f"hf:{base}"), TEXTS, [form] * 4):
        assert response.text.startswith("{")
        assert response.finish_reason == "length" or isinstance(json.loads(response.text), dict)


def test_text_is_free(models: HfModels, base: Path) -> None:
    model = opened(models, f"hf:{base}")
    said = answers(model, ["hi", "hi"], [{"max_tokens": 12}, {"max_tokens": 12, "response_format": {"type": "text"}}])
    assert said[0].text == said[1].text


def test_a_batch_that_is_tried_again_begins_its_forms_again(
    models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try runs out of memory in the middle of its answers."""
    broken: list[int] = []
    take = answering._Row.take

    def fails_once(row: Any, token: int) -> None:
        broken.append(token)
        if len(broken) == 6:
            raise MemoryError
        take(row, token)

    monkeypatch.setattr(answering._Row, "take", fails_once)
    said = answers(opened(models, f"hf:{base}"), TEXTS[:2], [bound(SCHEMAS[3])] * 2)
    assert len(broken) > 6
    for response in said:
        jsonschema.validate(json.loads(response.text), SCHEMAS[3])


def test_without_llguidance_it_says_what_to_install(
    models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the parameter's name, so that a judge is asked in another form."""
    monkeypatch.setitem(sys.modules, "llguidance", None)
    error = refusal(opened(models, f"hf:{base}"), **bound(SCHEMAS[0]))
    assert (error.kind, error.param) == (ErrorKind.BAD_REQUEST, "response_format")
    assert "pip install 'pytest-llmeval[hf]'" in str(error)


@pytest.mark.parametrize(
    ("schema", "told"),
    [({"type": "strin"}, "Invalid type: strin"), ({"type": "string", "format": "shoe size"}, "shoe size")],
)
def test_a_schema_that_cannot_be_kept_to_is_refused(
    models: HfModels, base: Path, schema: dict[str, Any], told: str
) -> None:
    error = refusal(opened(models, f"hf:{base}"), **bound(schema))
    assert (error.kind, error.param, error.attempts) == (ErrorKind.BAD_REQUEST, "response_format", 0)
    assert told in str(error)
