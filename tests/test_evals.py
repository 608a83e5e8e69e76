"""The evals of this repository: their prompts show examples of the training rows, and of no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.prompts import load_prompt

ROOT = Path(__file__).resolve().parent.parent


def rows(suite: str, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ROOT / "data" / suite / f"{split}.jsonl").read_text("utf-8").splitlines()]


def shots(suite: str, row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the worked examples (question, answer) of a suite's prompt for ``row``."""
    path = ROOT / "evals" / "prompts" / f"{suite}.v1.yaml"
    prompt = load_prompt(path, rootdir=ROOT, test_file=ROOT / "evals" / f"test_{suite}.py")
    messages = prompt.render(Sample(id="x", input=row["input"]))
    pairs = zip(messages[1:-1:2], messages[2:-1:2], strict=True)
    return [(str(question["content"]), str(answer["content"])) for question, answer in pairs]


def test_the_examples_of_the_extraction_prompt_are_training_rows() -> None:
    train = [(row["input"]["document"], row["target"]) for row in rows("json_extraction", "train")]
    shown = shots("json_extraction", rows("json_extraction", "test")[0])
    assert len(shown) == 2
    for question, answer in shown:
        assert any(document in question and json.loads(answer) == target for document, target in train)


def test_the_examples_of_the_question_prompt_are_training_rows() -> None:
    train = [(row["input"], row["target"]["answer"]) for row in rows("qa", "train")]
    shown = shots("qa", rows("qa", "test")[0])
    assert len(shown) == 2
    for question, answer in shown:
        assert any(
            input_["context"] in question and input_["question"] in question and answer == target
            for input_, target in train
        )


@pytest.mark.parametrize("suite", ["json_extraction", "qa"])
def test_no_example_stands_in_the_rows_that_are_judged(suite: str) -> None:
    judged = [text for split in ("val", "test") for row in rows(suite, split) for text in row["input"].values()]
    long_texts = [text for text in judged if isinstance(text, str) and len(text) > 60 and "\n- " not in text]
    assert long_texts
    shown = shots(suite, rows(suite, "train")[0])
    assert len(shown) == 2
    for question, _ in shown:
        assert not any(text in question for text in long_texts)
