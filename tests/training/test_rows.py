"""The rows of a training, one by one."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from pytest_llmeval.core.errors import DatasetError, SettingsError
from pytest_llmeval.loaders.prompts import load_prompt
from pytest_llmeval.training.config import DataModel, ProofModel
from pytest_llmeval.training.rows import Rows, Splits, leaks, read_rows, read_splits, within

PROOF = ProofModel(metric="exact", margin=0.1)


def read(
    folder: Path, rows: Sequence[Any], *, completion: Literal["json", "text"] = "text", name: str = "train", **cut: Any
) -> Rows:
    """Write the rows, each an object or a line as it is, and read them."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    prompt = load_prompt("Say {input}", rootdir=folder, test_file=folder / "test_a.py")
    return read_rows(f"{name}.jsonl", rootdir=folder, prompt=prompt, completion=completion, **cut)


def row(number: int, target: Any = "yes", **more: Any) -> dict[str, Any]:
    return {"id": f"r{number}", "input": f"word {number}", "target": target, **more}


def test_a_row_is_the_evals_prompt_and_the_target(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [row(1)]).rows
    assert found.messages == ({"role": "user", "content": "Say word 1"},)
    assert (found.completion, found.where, found.id) == ("yes", "train.jsonl:1", "r1")


@pytest.mark.parametrize(
    ("target", "completion"),
    [({"answer": "Oslo", "aliases": ["oslo"]}, "Oslo"), (["Oslo", "oslo"], "Oslo"), ("Oslo", "Oslo")],
)
def test_the_text_that_is_learned_is_the_first_that_is_accepted(tmp_path: Path, target: Any, completion: str) -> None:
    assert read(tmp_path, [row(1, target)]).rows[0].completion == completion


def test_json_keeps_the_order_of_keys_and_letters_as_they_are(tmp_path: Path) -> None:
    found = read(tmp_path, [row(1, {"b": "ø", "a": [1, None]})], completion="json").rows[0]
    assert found.completion == '{"b": "ø", "a": [1, null]}'


def test_a_field_of_the_prompt_that_a_row_lacks_is_an_error_and_one_that_all_lack_is_told(tmp_path: Path) -> None:
    """Its name would be trained on, in braces."""
    prompt = load_prompt("In {city}: {thing}", rootdir=tmp_path, test_file=tmp_path / "test_a.py")
    data = DataModel(train="train.jsonl", val="val.jsonl", test="test.jsonl", completion="text")

    def splits(**rows: Sequence[dict[str, Any]]) -> tuple[Rows, Rows, Rows]:
        for name in ("train", "val", "test"):
            lines = [json.dumps({"input": {**each, "of": name}, "target": "x"}) for each in rows[name]]
            (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        return read_splits(data, PROOF, rootdir=tmp_path, prompt=prompt, seed=0)[:3]

    whole = [{"city": "Oslo", "thing": "a"}, {"city": "Bern", "thing": "b"}]
    assert [each.warnings for each in splits(train=whole, val=whole, test=whole)] == [[], [], []]
    with pytest.raises(DatasetError) as caught:
        splits(train=[*whole, {"city": "Rome", "thng": "c"}], val=whole, test=[{"thing": "d"}])
    assert str(caught.value).splitlines()[1:] == [
        "train.jsonl:3: input has no 'thing'",
        "test.jsonl:1: input has no 'city'",
    ]
    misspelt = [{"city": each["city"], "thng": each["thing"]} for each in whole]
    told = "prompt template: {thing} is not a row field and is sent unchanged; did you mean {thng}?"
    found = splits(train=misspelt, val=misspelt, test=misspelt)
    assert [each.warnings for each in found] == [[f"{name}.jsonl: {told}"] for name in ("train", "val", "test")]


def test_all_wrong_rows_are_told_with_their_lines(tmp_path: Path) -> None:
    rows = [row(1), "{broken", {"input": "x", "tagret": 1}, row(4, None), row(5)]
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, rows)
    first, second, third = str(caught.value).splitlines()
    assert first.startswith("train.jsonl:2: not valid JSON")
    assert second.startswith("train.jsonl:3: unknown key 'tagret'")
    assert third == "train.jsonl:4: target None has no text to learn, but data.completion is text"


def test_twenty_wrong_rows_are_shown_and_all_counted(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, [row(number, None) for number in range(25)])
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 5 more wrong rows"


def test_wrong_rows_of_all_three_datasets_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("\n".join(json.dumps(row(number, None)) for number in range(25)), "utf-8")
    (tmp_path / "val.jsonl").write_text(json.dumps(row(1)) + "\n{broken", "utf-8")
    (tmp_path / "test.jsonl").touch()
    data = DataModel(train="train.jsonl", val="val.jsonl", test="test.jsonl", completion="text")
    prompt = load_prompt(None, rootdir=tmp_path, test_file=tmp_path / "test_a.py")
    with pytest.raises(DatasetError) as caught:
        read_splits(data, PROOF, rootdir=tmp_path, prompt=prompt, seed=0)
    lines = str(caught.value).splitlines()
    assert lines[19].startswith("train.jsonl:20: ")
    assert lines[20] == "… and 5 more wrong rows"
    assert lines[21].startswith("val.jsonl:2: not valid JSON")
    assert lines[22:] == ["test.jsonl: 0 rows; training needs at least one"]


@pytest.mark.parametrize("target", ['{"a": 1}', 7, None, {}])
def test_a_completion_that_is_no_json_object_is_an_error(tmp_path: Path, target: Any) -> None:
    with pytest.raises(DatasetError, match=r"train\.jsonl:1: target .* is not a JSON object or list"):
        read(tmp_path, [row(1, target)], completion="json")


def test_no_row_at_all_is_an_error_that_names_the_slice(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train.jsonl: 0 rows in slice 'easy'"):
        read(tmp_path, [row(1)], slice_="easy")


def test_slice_and_limit_choose_rows_and_decide_the_digest(tmp_path: Path) -> None:
    rows = [row(number, slice="easy" if number % 2 else "hard") for number in range(8)]
    found = read(tmp_path, rows, slice_="easy", limit=2)
    assert [each.id for each in found.rows] == ["r1", "r3"]
    assert found.digest != read(tmp_path, rows, slice_="easy").digest


def test_bom_crlf_and_blank_lines_are_taken(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(
        b"\xef\xbb\xbf" + b"\r\n".join(json.dumps(row(number)).encode() for number in (1, 2)) + b"\r\n\r\n"
    )
    prompt = load_prompt(None, rootdir=tmp_path, test_file=tmp_path / "test_a.py")
    assert len(read_rows("train.jsonl", rootdir=tmp_path, prompt=prompt, completion="text").rows) == 2


def test_held_out_rows_that_are_trained_on_are_named_in_pairs(tmp_path: Path) -> None:
    train = read(tmp_path, [row(1), row(2), row(3)])
    same = {"id": "t", "input": " WORD  2".strip(), "target": "no"}
    test = read(tmp_path, [row(9), same], name="test")
    assert leaks(train, test) == ["train.jsonl:2 is test.jsonl:2 (t)"]


@pytest.mark.parametrize("same", ["École\tde\n\nLille", " École de Lille\n", "éCOLE DE LILLE", "E\u0301cole de Lille"])
def test_a_held_out_row_in_other_case_or_white_space_is_trained_on(tmp_path: Path, same: str) -> None:
    train = read(tmp_path, [{"id": "a", "input": {"q": ["École de Lille"], "n": 1}, "target": "yes"}])
    test = read(tmp_path, [{"id": "b", "input": {"q": [same], "n": 1}, "target": "yes"}], name="test")
    assert leaks(train, test) == ["train.jsonl:1 is test.jsonl:1 (b)"]
    other = read(tmp_path, [{"id": "b", "input": {"q": [same], "n": 2}, "target": "yes"}], name="test")
    assert leaks(train, other) == []


def test_rows_of_test_that_choose_the_checkpoint_are_named(tmp_path: Path) -> None:
    for name, rows in {"train": [row(1)], "val": [row(2), row(3)], "test": [row(3), row(4)]}.items():
        read(tmp_path, rows, name=name)
    data = DataModel(train="train.jsonl", val="val.jsonl", test="test.jsonl", completion="text")
    prompt = load_prompt(None, rootdir=tmp_path, test_file=tmp_path / "test_a.py")
    with pytest.raises(DatasetError) as caught:
        read_splits(data, PROOF, rootdir=tmp_path, prompt=prompt, seed=0)
    told = "1 rows of test.jsonl choose the checkpoint, as they stand in val.jsonl too; take them out of one of both:"
    assert str(caught.value).splitlines() == [told, "val.jsonl:2 is test.jsonl:1 (r3)"]


@pytest.mark.parametrize("name", ["val", "test"])
def test_a_row_that_no_session_would_take_is_told_before_anything_is_trained(tmp_path: Path, name: str) -> None:
    """The proof asks each, and val cannot be changed any more once something was trained by it."""
    splits = {"train": [row(1), row(1)], "val": [row(2)], "test": [row(3)]}
    for each, rows in {**splits, name: [row(4), row(5), row(4)]}.items():
        read(tmp_path, rows, name=each)
    data = DataModel(train="train.jsonl", val="val.jsonl", test="test.jsonl", completion="text")
    prompt = load_prompt(None, rootdir=tmp_path, test_file=tmp_path / "test_a.py")
    with pytest.raises(
        DatasetError, match=rf"^{name}\.jsonl:3: id 'r4' is already used in line 1; ids must be unique$"
    ):
        read_splits(data, PROOF, rootdir=tmp_path, prompt=prompt, seed=0)


def asked(found: Splits) -> dict[str, list[str]]:
    """Return the ids of the rows that the proof asks, by dataset."""
    return {name: [row.id for row in rows] for name, rows in found.proved.items()}


def test_what_the_proof_asks_is_of_all_of_val_and_test(tmp_path: Path) -> None:
    """``data.slice`` is about training and its looks; a slice of the proof that nobody has is told."""
    train, val, test = (
        [{**row(1), "slice": "a"}],
        [{**row(2), "slice": "a"}, {**row(3), "slice": "b"}],
        [row(4), row(5)],
    )
    for name, rows in {"train": train, "val": val, "test": test}.items():
        read(tmp_path, rows, name=name)
    data = DataModel(train="train.jsonl", val="val.jsonl", test="test.jsonl", completion="text", slice="a")
    prompt = load_prompt(None, rootdir=tmp_path, test_file=tmp_path / "test_a.py")
    found = read_splits(data, PROOF, rootdir=tmp_path, prompt=prompt, seed=0)
    assert [each.id for each in found.val.rows] == ["r2"]
    assert asked(found) == {"val.jsonl": ["r2", "r3"], "test.jsonl": ["r4", "r5"]}
    few = PROOF.model_copy(update={"limit": 1})
    found = read_splits(data, few, rootdir=tmp_path, prompt=prompt, seed=0)
    assert asked(found) == {"val.jsonl": ["r2"], "test.jsonl": ["r4"]}
    nobodys = PROOF.model_copy(update={"slice": "b"})
    with pytest.raises(SettingsError, match=r"^proof\.slice: 'b': no row of test\.jsonl has it$"):
        read_splits(data, nobodys, rootdir=tmp_path, prompt=prompt, seed=0)


def varied(folder: Path, variants: int = 2, *, seed: int = 0) -> Rows:
    """Return the rows of a training on 40 people, with variants of each."""
    people = [f"{a} {b}" for a in ("Ada", "Boris", "Chidi", "Dana", "Emil") for b in "STUVWXYZ"]
    splits = {"train": [f"I am {name}." for name in people], "val": ["nobody"], "test": ["someone"]}
    for split, texts in splits.items():
        rows = [{"id": f"{split}{n}", "input": text, "target": {"name": text[5:-1]}} for n, text in enumerate(texts)]
        read(folder, rows, completion="json", name=split)
    data = DataModel(train="train.jsonl", val="val.jsonl", test="test.jsonl", completion="json", variants=variants)
    prompt = load_prompt("Who? {input}", rootdir=folder, test_file=folder / "test_a.py")
    return read_splits(data, PROOF, rootdir=folder, prompt=prompt, seed=seed)[0]


def test_variants_of_rows_are_trained_on_beside_them(tmp_path: Path) -> None:
    found = varied(tmp_path)
    assert (len(found.rows), len(found.variants)) == (40, 80)
    second = found.variants[40]
    assert (second.where, second.id) == ("train.jsonl:1, variant 2", "train0, variant 2")
    name = second.target["name"]
    assert second.messages == ({"role": "user", "content": f"Who? I am {name}."},)
    assert second.completion == json.dumps({"name": name})
    assert found.warnings == []  # of what a file repeats


def test_variants_decide_the_digest_and_the_seed_decides_them(tmp_path: Path) -> None:
    found = [varied(tmp_path, variants, seed=seed).digests for variants, seed in ((0, 0), (1, 0), (2, 0), (2, 1))]
    assert len({each["train"] for each in found}) == 1
    assert len({each.get("variants") for each in found}) == 4
    assert varied(tmp_path).digests == found[2]


def test_a_variant_that_has_come_to_be_a_held_out_row_is_left_out(tmp_path: Path) -> None:
    people = [f"{a} {b}" for a in ("Ada", "Boris", "Chidi") for b in "STUVWX"]
    for split, names in {"train": people[:-1], "val": ["nobody"], "test": people[-1:]}.items():
        rows = [{"id": name, "input": f"I am {name}.", "target": {"name": name}} for name in names]
        read(tmp_path, rows, completion="json", name=split)
    data = DataModel(train="train.jsonl", val="val.jsonl", test="test.jsonl", completion="json", variants=40)
    prompt = load_prompt("{input}", rootdir=tmp_path, test_file=tmp_path / "test_a.py")
    found = read_splits(data, PROOF, rootdir=tmp_path, prompt=prompt, seed=0)[0]
    learned = {row.target["name"] for row in found.variants}
    assert learned == set(people[:-1])


def test_a_variant_that_is_too_long_is_left_out_where_its_row_is_not(tmp_path: Path) -> None:
    train = varied(tmp_path, variants=1)
    kept, *long = within(train, [8] * 39 + [9] + [8] * 39 + [9], most=8, on_long="drop")
    assert kept == [*range(39), *range(40, 79)]
    assert long == [["train.jsonl:40 (9 tokens)"], ["train.jsonl:40, variant 1 (9 tokens)"]]
    assert len(within(train, [8] * 79 + [9], most=8, on_long="error")[0]) == 79


def test_rows_on_one_line_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(json.dumps([row(1), row(2), row(3)]), "utf-8")
    prompt = load_prompt(None, rootdir=tmp_path, test_file=tmp_path / "test_a.py")
    rows = read_rows("train.json", rootdir=tmp_path, prompt=prompt, completion="text")
    assert within(rows, [9, 1, 1], most=8, on_long="drop")[0] == [1, 2]


def test_half_a_character_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"train\.jsonl:2: half a character"):
        read(tmp_path, [row(1), row(2, "\ud800")])


def test_many_repeated_inputs_are_warned_of(tmp_path: Path) -> None:
    rows = [row(number) for number in range(10)]
    assert read(tmp_path, rows).warnings == []
    found = read(tmp_path, [*rows, {"id": "again", "input": "word 3", "target": "yes"}])
    assert found.warnings == ["train.jsonl: 1 of 11 rows repeat an earlier input"]


def test_long_rows_are_an_error_or_dropped_by_name(tmp_path: Path) -> None:
    rows = read(tmp_path, [row(1), row(2), row(3)])
    with pytest.raises(DatasetError, match=r"1 of 3 rows have more than 8 tokens: train\.jsonl:2 \(9 tokens\); raise"):
        within(rows, [8, 9, 1], most=8, on_long="error")
    kept, *long = within(rows, [8, 9, 1], most=8, on_long="drop")
    assert kept == [0, 2]
    assert long == [["train.jsonl:2 (9 tokens)"], []]
    with pytest.raises(DatasetError, match="3 of 3 rows"):
        within(rows, [9, 9, 9], most=8, on_long="drop")


@pytest.mark.parametrize(("context", "told"), [
    (20, "2 of 3 rows have more than 8 tokens: A, B; raise data.max_tokens, or write on_long: drop"),
    (10, "2 of 3 rows have more than 8 tokens: A, B; shorten those of more than the 10 LIMIT, raise data.max_tokens for"
         " the others, or write on_long: drop"),
    (8, "2 of 3 rows have more than the 8 LIMIT: A, B; shorten them, or write on_long: drop"),
])  # fmt: skip
def test_a_row_that_the_base_does_not_read_is_to_be_shortened_whatever_may_be_taken(
    tmp_path: Path, context: int, told: str
) -> None:
    rows = read(tmp_path, [row(1), row(2), row(3)])
    words = {"A": "train.jsonl:2 (9 tokens)", "B": "train.jsonl:3 (20 tokens)"}
    words["LIMIT"] = "tokens that the base reads at most (max_position_embeddings in its config.json)"
    for word, meant in words.items():
        told = told.replace(word, meant)
    with pytest.raises(DatasetError) as caught:
        within(rows, [8, 9, 20], most=8, on_long="error", context=context)
    assert str(caught.value) == told
