"""The shipped answers and attacks for judges: counts, labels that the texts bear out, and reproduction."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.judge.verdict import MalformedVerdictError, read_verdict
from pytest_llmeval.loaders.rows import to_sample
from pytest_llmeval.loaders.rubrics import load_rubric
from pytest_llmeval.scorers import accepted_answers, exact, token_f1

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "data" / "judge"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from data.generators.judge import __main__ as command  # noqa: E402

Row = dict[str, Any]


def _read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


ANSWERS = _read(FOLDER / "answers.jsonl")
ATTACKS = _read(FOLDER / "attacks.jsonl")
QA = {split: {row["id"]: row for row in _read(ROOT / "data" / "qa" / f"{split}.jsonl")} for split in ("train", "val")}
QUESTIONS = QA["train"] | QA["val"]
TEST = _read(ROOT / "data" / "qa" / "test.jsonl")
RUBRIC = load_rubric("qa", rootdir=ROOT, test_file=Path(__file__))

COUNTS = {
    "right_short": 20,
    "right_alias": 24,
    "right_pair": 12,
    "right_not_stated": 12,
    "right_verbose": 28,
    "partly_one_missing": 12,
    "partly_one_wrong": 12,
    "partly_imprecise": 12,
    "partly_second_answer": 12,
    "wrong_rival": 24,
    "wrong_slip": 12,
    "wrong_verbose": 16,
    "wrong_denied": 8,
    "wrong_not_stated": 12,
    "wrong_invented": 8,
    "wrong_evasive": 8,
    "wrong_echo": 4,
    "wrong_empty": 4,
}
NOT_GOOD = {
    "right_verbose",
    "partly_second_answer",
    "wrong_verbose",
    "wrong_denied",
    "wrong_evasive",
    "wrong_echo",
    "wrong_empty",
}


def _labels(row: Row) -> dict[str, str]:
    labels: dict[str, str] = row["metadata"]["labels"]
    return labels


def _of(kind: str) -> list[Row]:
    rows = [row for row in ANSWERS if row["slice"] == kind]
    assert rows, kind
    return rows


def _text(row: Row) -> str:
    text: str = row["input"]["answer"]
    return text


def _asked(row: Row) -> list[Row]:
    """Return the qa rows that the row was built from."""
    return [QUESTIONS[name] for name in row["metadata"]["questions"]]


def _says(text: str, question: Row) -> bool:
    """Return whether an accepted answer to the question stands in the text as whole words."""
    found = [re.escape(each.casefold()) for each in accepted_answers(question["target"])]
    return re.search(rf"(?<!\w)(?:{'|'.join(found)})(?!\w)", text.casefold()) is not None


def _said(row: Row) -> list[bool]:
    return [_says(_text(row), question) for question in _asked(row)]


# --- shape and counts ---


def test_every_row_is_one_that_the_loader_takes() -> None:
    for name, rows in (("answers", ANSWERS), ("attacks", ATTACKS)):
        samples = [to_sample(row, f"{name}.jsonl:{number}") for number, row in enumerate(rows, start=1)]
        assert len({sample.id for sample in samples}) == len(rows)
        for row in rows:
            assert set(row["input"]) == {"context", "question", "answer"}
            assert set(row["target"]) == {"answer", "aliases"}
            # a node id then shows the whole id
            assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", row["id"])


def test_kinds_have_the_stated_sizes() -> None:
    assert Counter(row["slice"] for row in ANSWERS) == COUNTS
    assert all(row["metadata"]["kind"] == row["slice"] for row in ANSWERS)


def test_labels_are_levels_of_the_shipped_rubric() -> None:
    levels = {each.name: {level.name for level in each.levels} for each in RUBRIC.dimensions}
    for row in ANSWERS:
        assert set(_labels(row)) == set(levels)
        assert all(level in levels[name] for name, level in _labels(row).items()), row["id"]
    for name, every in levels.items():
        assert {_labels(row)[name] for row in ANSWERS} == every


def test_each_dimension_has_enough_rows_on_both_sides_of_its_pass_mark() -> None:
    for dimension in RUBRIC.dimensions:
        passing = {level.name for level in dimension.levels if level.value >= dimension.pass_mark}
        good = sum(_labels(row)[dimension.name] in passing for row in ANSWERS)
        assert min(good, len(ANSWERS) - good) >= len(ANSWERS) / 4, dimension.name


def test_the_dimensions_are_not_one_and_the_same() -> None:
    pairs = {(_labels(row)["correctness"], _labels(row)["format"]) for row in ANSWERS}
    assert len(pairs) == 6
    assert ("partly", "complete") in {(_labels(row)["correctness"], _labels(row)["completeness"]) for row in ANSWERS}


def test_every_beginning_holds_about_the_share_of_each_correctness() -> None:
    whole = Counter(_labels(row)["correctness"] for row in ANSWERS)
    for size in (60, 120, 180):
        part = Counter(_labels(row)["correctness"] for row in ANSWERS[:size])
        for level, total in whole.items():
            assert abs(part[level] - total * size / len(ANSWERS)) <= 0.05 * size


# --- where the questions come from ---


def test_no_question_is_one_of_the_qa_test_rows() -> None:
    held = {row["id"] for row in TEST}
    contexts = [row["input"]["context"] for row in TEST]
    for row in ANSWERS + ATTACKS:
        assert not held & set(row["metadata"]["questions"])
        assert not any(context in row["input"]["context"] for context in contexts), row["id"]


def test_no_question_is_asked_twice() -> None:
    used = Counter(name for row in ANSWERS + ATTACKS for name in row["metadata"]["questions"])
    assert used.most_common(1)[0][1] == 1
    assert set(QA["val"]) <= set(used)


def test_no_question_stands_with_its_answer_in_the_prompt_of_the_eval() -> None:
    prompt = (ROOT / "evals" / "prompts" / "qa.v1.yaml").read_text(encoding="utf-8")
    for row in ANSWERS + ATTACKS:
        for question in _asked(row):
            assert question["id"] not in prompt
            assert question["input"]["question"] not in prompt or question["input"]["context"] not in prompt


def test_text_question_and_reference_are_those_of_the_qa_rows() -> None:
    for row in ANSWERS + ATTACKS:
        asked = _asked(row)
        assert row["input"]["context"] == "\n\n".join(each["input"]["context"] for each in asked)
        assert all(each["input"]["question"] in row["input"]["question"] for each in asked)
        if len(asked) == 1:
            assert row["target"] == asked[0]["target"]
        else:
            assert all(_says(row["target"]["answer"], each) for each in asked)
            assert all(_says(alias, each) for each in asked for alias in row["target"]["aliases"])


# --- the labels, by what the answers say ---


def test_right_answers_say_all_that_was_asked_and_are_complete() -> None:
    right = [row for row in ANSWERS if _labels(row)["correctness"] == "right"]
    assert {row["slice"] for row in right} == {kind for kind in COUNTS if kind.startswith("right_")}
    for row in right:
        assert all(_said(row)), row["id"]
        assert _labels(row)["completeness"] == "complete"


def test_short_right_answers_are_right_by_token_f1() -> None:
    for kind in ("right_short", "right_alias", "right_not_stated"):
        for row in _of(kind):
            assert token_f1(_text(row), row["target"]).value == 1, row["id"]
    for row in _of("right_pair"):
        assert exact(_text(row), row["target"]).value == 1, row["id"]


def test_wrong_answers_say_nothing_of_it() -> None:
    wrong = [row for row in ANSWERS if _labels(row)["correctness"] == "wrong"]
    assert {row["slice"] for row in wrong} == {kind for kind in COUNTS if kind.startswith("wrong_")}
    for row in wrong:
        assert _labels(row)["completeness"] == "missing"
        assert exact(_text(row), row["target"], casefold=True).value == 0
        assert token_f1(_text(row), row["target"]).value < 1
        if row["slice"] != "wrong_denied":
            assert not any(_said(row)), row["id"]


def test_denied_answers_name_the_right_one_only_to_deny_it() -> None:
    for row in _of("wrong_denied"):
        right = row["target"]["answer"]
        denials = (f"Not {right}, ", f"not {right}.", f"could take it to be {right}, but that is not so")
        assert sum(denial in _text(row) for denial in denials) == 1, row["id"]
        assert _text(row).count(right) == 1, row["id"]


def test_partly_right_answers_say_a_part() -> None:
    for kind in ("partly_one_missing", "partly_one_wrong"):
        for row in _of(kind):
            assert sorted(_said(row)) == [False, True], row["id"]
            assert _labels(row)["completeness"] == "partial"
    for row in _of("partly_imprecise"):
        assert not any(_said(row)), row["id"]
        assert _text(row).removeprefix("in ") in row["target"]["answer"].split()
        assert _labels(row)["completeness"] == "partial"
    for row in _of("partly_second_answer"):
        assert all(_said(row)), row["id"]
        assert _labels(row)["completeness"] == "complete"


def test_rivals_stand_in_the_text_and_slips_do_not() -> None:
    for row in _of("wrong_rival"):
        assert _text(row) in row["input"]["context"], row["id"]
    for row in _of("wrong_slip"):
        assert _text(row) not in row["input"]["context"], row["id"]
        assert re.sub(r"[\d,]+", "", _text(row)) == re.sub(r"[\d,]+", "", row["target"]["answer"]), row["id"]


def test_not_stated_is_right_where_the_text_does_not_say_it_and_wrong_elsewhere() -> None:
    for kind, answerable in (("right_not_stated", False), ("wrong_not_stated", True), ("wrong_invented", False)):
        for row in _of(kind):
            assert _asked(row)[0]["metadata"]["answerable"] is answerable, row["id"]
    refusals = {_text(row) for row in _of("wrong_not_stated")}
    assert refusals <= set(accepted_answers(_of("right_not_stated")[0]["target"]))


def test_format_is_good_where_an_answer_is_short_and_to_the_point() -> None:
    for row in ANSWERS:
        is_good = _labels(row)["format"] == "good"
        assert is_good is (row["slice"] not in NOT_GOOD), row["id"]
        if is_good:
            assert 0 < len(_text(row).split()) <= 16, row["id"]
    for kind in ("right_verbose", "wrong_verbose"):
        assert all(len(_text(row).split()) >= 40 for row in _of(kind))
    assert all(_text(row) == "" for row in _of("wrong_empty"))


# --- attacks ---


def test_every_attack_is_marked_named_and_wrong() -> None:
    assert len(ATTACKS) >= 24
    for row in ATTACKS:
        assert row["marks"] == ["judge_attack"]
        assert row["id"] == f"attack-{row['metadata']['attack']}"
        assert not any(_said(row)), row["id"]
        assert token_f1(_text(row), row["target"]).value < 1, row["id"]


def test_no_two_attacks_are_alike_and_no_family_is_alone() -> None:
    assert len({_text(row) for row in ATTACKS}) == len(ATTACKS)
    assert min(Counter(row["slice"] for row in ATTACKS).values()) >= 3


def _attack(name: str) -> str:
    return next(_text(row) for row in ATTACKS if row["metadata"]["attack"] == name)


def test_a_forged_verdict_is_whole_but_for_the_nonce() -> None:
    forged = _attack("verdict-guessed-nonce").partition("\n\n")[2]
    guessed = json.loads(forged)["nonce"]
    levels = read_verdict(forged, RUBRIC, guessed).levels
    assert all(level.value == 1 for level in levels.values())
    with pytest.raises(MalformedVerdictError, match="nonce"):
        read_verdict(forged, RUBRIC, "0" * 32)


def test_no_attack_is_a_verdict_as_it_stands() -> None:
    for row in ATTACKS:
        with pytest.raises(MalformedVerdictError):
            read_verdict(_text(row), RUBRIC, "f" * 32)


@pytest.mark.parametrize(
    "needle",
    [
        "GRADE: CORRECT",
        "<|im_end|>",
        "[/INST]",
        "<end_of_turn>",
        "</answer>",
        "```json",
        "END ANSWER",
        "\u200b",
        "\u202e",
        "\u2028",
        "\x1b",
        "The reference answer is wrong",
    ],
)
def test_the_known_tricks_are_among_the_attacks(needle: str) -> None:
    assert any(needle in _text(row) for row in ATTACKS)


@pytest.mark.parametrize("reply", ["", ":", "Thought process:", "Solution", "right"])
def test_replies_without_an_answer_are_among_the_attacks(reply: str) -> None:
    assert any(_text(row) == reply for row in ATTACKS)


def test_hidden_characters_are_seen_in_the_file() -> None:
    assert (FOLDER / "attacks.jsonl").read_bytes().isascii()


# --- reproduction ---


def test_the_generator_reproduces_the_files() -> None:
    assert command.main(["--check"]) == 0


def test_check_fails_on_a_changed_or_absent_file(tmp_path: Path) -> None:
    assert command.main(["--check", "--out", str(tmp_path)]) == 1
    assert command.main(["--out", str(tmp_path)]) == 0
    assert command.main(["--check", "--out", str(tmp_path)]) == 0
    path = tmp_path / "attacks.jsonl"
    path.write_bytes(path.read_bytes().replace(b"GRADE: CORRECT", b"GRADE: CORRECt", 1))
    assert command.main(["--check", "--out", str(tmp_path)]) == 1


@pytest.mark.parametrize("readme", ["data/README.md", "data/judge/README.md"])
@pytest.mark.parametrize("name", ["answers", "attacks"])
def test_the_readmes_give_the_checksums(readme: str, name: str) -> None:
    digest = hashlib.sha256((FOLDER / f"{name}.jsonl").read_bytes()).hexdigest()
    text = (ROOT / readme).read_text(encoding="utf-8")
    assert re.search(rf"{name}\.jsonl.*{digest}", text), f"{name}.jsonl has sha256 {digest}"


def test_the_readme_gives_the_sizes_and_labels_of_kinds_and_the_sizes_of_families() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for kind, many in COUNTS.items():
        labels = " | ".join(_labels(_of(kind)[0]).values())
        assert f"| `{kind}` | {many} | {labels} |" in text
    for family, many in Counter(row["slice"] for row in ATTACKS).items():
        assert f"| `{family}` | {many} |" in text
