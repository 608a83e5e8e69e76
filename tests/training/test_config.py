"""Configurations: read strictly, each mistake with its line, and those that are shipped or shown."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.base_spec import weights_of
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.config_file import load_config
from tests.support.tiny_base import config

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "finetune" / "configs").glob("*.yaml"))


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_configurations_that_the_readme_lists_are_there() -> None:
    told = (ROOT / "finetune" / "README.md").read_text("utf-8")
    assert {path.stem for path in SHIPPED} == {
        "smollm2-135m-json-cpu",
        "smollm2-135m-json-gpu",
        "llama-3.2-3b-json",
        "llama-3.2-3b-qa",
    }
    assert all(f"`{path.stem}`" in told for path in SHIPPED)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_are_good_and_their_files_are_there(path: Path) -> None:
    found = load_config(path, shown_as=path.name)
    named = (found.data.train, found.data.val, found.data.test, found.eval.partition("::")[0])
    assert all((ROOT / name).is_file() for name in named)


def test_layout_changes_no_digest_and_a_value_does(tmp_path: Path) -> None:
    plain = load_config(written(tmp_path, yaml.safe_dump(config("b"))), shown_as="mine.yaml")
    flow = load_config(written(tmp_path, yaml.safe_dump(config("b"), default_flow_style=True)), shown_as="mine.yaml")
    other = load_config(written(tmp_path, yaml.safe_dump(config("b", seed=2))), shown_as="mine.yaml")
    assert plain.digest == flow.digest != other.digest
    stricter = load_config(written(tmp_path, yaml.safe_dump(config("b", proof__margin=0.9))), shown_as="mine.yaml")
    assert stricter.digest == plain.digest


def test_a_default_that_is_written_out_changes_no_digest(tmp_path: Path) -> None:
    """So a key that a newer version has does not keep it from going on with a training that an older one began."""
    plain = load_config(written(tmp_path, yaml.safe_dump(config("b"))), shown_as="mine.yaml")
    whole = plain.model_dump(mode="json", exclude_none=True)
    assert load_config(written(tmp_path, yaml.safe_dump(whole)), shown_as="mine.yaml").digest == plain.digest

    class Newer(TrainingConfig):
        later: int = 3

    newer = Newer.model_validate(config("b"))
    assert newer.digest == plain.digest
    assert newer.model_copy(update={"later": 4}).digest != plain.digest


def test_a_base_is_held_in_4_bits_or_in_numbers(tmp_path: Path) -> None:
    """By the words that an ``hf:`` spec has for it; in 4 bits where neither is written, and the record says so."""

    def held(**keys: str) -> TrainingConfig:
        data = {key: value for key, value in config("b").items() if key != "load"}
        return load_config(written(tmp_path, yaml.safe_dump({**data, **keys})), shown_as="mine.yaml")

    found = {each.held: str(weights_of(each, "/b")) for each in (held(), held(dtype="bfloat16"), held(dtype="float32"))}
    assert found == {
        "4bit": "/b?device=cpu&load=4bit",
        "bfloat16": "/b?device=cpu&dtype=bfloat16",
        "float32": "/b?device=cpu&dtype=float32",
    }
    assert held() == held(load="4bit") and held().digest == held(load="4bit").digest != held(dtype="bfloat16").digest
    with pytest.raises(SettingsError, match="dtype: found 'float32', and load is '4bit', which has numbers of its own"):
        held(load="4bit", dtype="float32")


def test_a_mean_is_of_processes_that_hold_all_weights(tmp_path: Path) -> None:
    data = config("b", device="cuda", dtype="bfloat16", launch={"processes": 2, "engine": "fsdp"}, optim__average=True)
    with pytest.raises(SettingsError, match=r"optim\.average: found true, and launch\.engine is 'fsdp'; write false"):
        load_config(written(tmp_path, yaml.safe_dump(data)), shown_as="mine.yaml")


def test_variants_are_of_targets_in_json(tmp_path: Path) -> None:
    data = config("b", data__variants=2, data__completion="text")
    with pytest.raises(SettingsError, match=r"data\.variants: found 2, and data\.completion is 'text'; write 0: what"):
        load_config(written(tmp_path, yaml.safe_dump(data)), shown_as="mine.yaml")
    with pytest.raises(SettingsError, match=r"data\.variants: found -1; write a whole number from 0 up"):
        load_config(written(tmp_path, yaml.safe_dump(config("b", data__variants=-1))), shown_as="mine.yaml")


@pytest.mark.parametrize(
    ("line", "wrong", "told"),
    [
        ("version: 1", "version: 2", "version: found 2; write 1, the version that is read here"),
        ("version: 1", "version: 1.0", "version: found 1.0; write 1, the version that is read here"),
        ("base: b", "base: hf:o/x", "base: found 'hf:o/x'; write local:smollm2, a folder or OWNER/NAME of the hub"),
        ("base: b", "base: local:x", "base: found 'local:x'; write local:smollm2, a folder or OWNER/NAME of the hub"),
        (
            "load: 4bit",
            "load: bf16",
            "load: found 'bf16'; write '4bit', or leave it out for dtype: bfloat16 or float32",
        ),
        (
            "load: 4bit",
            "load: 8bit",
            "load: found '8bit'; write '4bit', or leave it out for dtype: bfloat16 or float32",
        ),
        ("load: 4bit", "load: 4", "load: found 4; write '4bit', or leave it out for dtype: bfloat16 or float32"),
        ("load: 4bit", "dtype: bf16", "dtype: found 'bf16'; write 'bfloat16' or 'float32'"),
        ("seed: 0", "seed: -1", "seed: found -1; write a whole number from 0 up"),
        ("seed: 0", "sede: 0", "sede: unknown key; did you mean 'seed'?"),
        ("  r: 8", "  r: 0", "lora.r: found 0; write a whole number from 1 up"),
        ("  r: 8", "  targets: [lm_head]", "lora.targets: found lm_head, which no server takes; leave it out"),
        (
            "  r: 8",
            "  targets: [q_proj, mlp.v_prj]",  # peft would train the other without a word
            "lora.targets: no layer of a Llama has a matrix 'mlp.v_prj'; did you mean 'v_proj'?",
        ),
        ("  margin: 0.1", "  margin: 10%", "proof.margin: found the string '10%'; write 0.1, not 10% (and no quotes)"),
    ],
)
def test_a_mistake_is_told_with_line_and_key(tmp_path: Path, line: str, wrong: str, told: str) -> None:
    lines = yaml.safe_dump(config("b", seed=0)).splitlines()
    place = lines.index(line)
    lines[place] = wrong
    with pytest.raises(SettingsError) as caught:
        load_config(written(tmp_path, "\n".join(lines)), shown_as="mine.yaml")
    assert str(caught.value) == f"mine.yaml:{place + 1}: {told}"


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = "version: 1\ndevice: tpu\nload: 3bit\ndata: 7\n"
    with pytest.raises(SettingsError) as caught:
        load_config(written(tmp_path, text), shown_as="mine.yaml")
    lines = str(caught.value).splitlines()
    assert "mine.yaml:2: device: found 'tpu'; write 'cpu' or 'cuda'" in lines
    assert "mine.yaml:3: load: found '3bit'; write '4bit', or leave it out for dtype: bfloat16 or float32" in lines
    assert any(line.startswith("mine.yaml:4: data: found 7; write a mapping of train, val, test") for line in lines)
    assert "mine.yaml:1: proof: is missing; write it" in lines


SPAN = {"low": 0.001, "high": 0.01}


@pytest.mark.parametrize(
    ("space", "key", "told"),
    [
        ({}, "space", "search.space: names no key; write one of optim.learning_rate, optim.batch, "),
        ({"lora.ranks": SPAN}, "lora.ranks", "search.space.'lora.ranks': unknown key; "),
        ({"check.every": SPAN}, "check.every", "search.space.'check.every': unknown key; "),
        (
            {"lora.r": {"low": 4}},
            "lora.r",
            "search.space.'lora.r': write low and high, with log: true or without, or choices alone",
        ),
        (
            {"lora.r": {"choices": [4, 8], "low": 2}},
            "lora.r",
            "search.space.'lora.r': write low and high, with log: true or without, or choices alone",
        ),
        (
            {"optim.learning_rate": {"low": 0.1, "high": 0.01}},
            "low",
            "search.space.'optim.learning_rate'.low: found 0.1, and high is 0.01; write less",
        ),
        (
            {"optim.weight_decay": {"low": 0, "high": 1, "log": True}},
            "low",
            "search.space.'optim.weight_decay'.low: found 0, which has no logarithm; write a number above 0, or ",
        ),
        (
            {"lora.dropout": {"low": 0, "high": 1.5}},
            "high",
            "search.space.'lora.dropout'.high: found 1.5; write a number from 0 to below 1",
        ),
        (
            {"optim.schedule": {"choices": ["cosine", "step"]}},
            "choices",
            "search.space.'optim.schedule'.choices: found 'step'; write 'cosine', 'linear' or 'constant'",
        ),
        (
            {"lora.r": {"choices": [8]}},
            "choices",
            "search.space.'lora.r'.choices: found a list; write a list of two or more ",
        ),
        ({"lora.r": {"low": "a", "high": 8}}, "low", "search.space.'lora.r'.low: found 'a'; write a number"),
        ({"lora.r": {"lo": 2, "high": 8}}, "lo", "search.space.'lora.r'.lo: unknown key; did you mean 'low'?"),
    ],
)
def test_every_mistake_in_a_space_is_told_with_its_line(
    tmp_path: Path, space: dict[str, Any], key: str, told: str
) -> None:
    path = written(tmp_path, yaml.safe_dump(config("b", search={"trials": 3, "space": space})))
    lines = path.read_text("utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.strip().startswith(f"{key}:"))
    with pytest.raises(SettingsError) as caught:
        load_config(path, shown_as="mine.yaml")
    assert str(caught.value).startswith(f"mine.yaml:{line}: {told}")


def test_a_batch_that_processes_share_is_chosen_from_what_they_divide(tmp_path: Path) -> None:
    def told(span: dict[str, Any]) -> str:
        wanted = {"trials": 3, "space": {"optim.batch": span}}
        with pytest.raises(SettingsError) as caught:
            load_config(
                written(tmp_path, yaml.safe_dump(config("b", launch={"processes": 2}, search=wanted))),
                shown_as="mine.yaml",
            )
        return str(caught.value).partition(": ")[2]

    assert told({"low": 2, "high": 8}) == (
        "search.space.'optim.batch': write choices, each of which launch.processes divides"
    )
    assert told({"choices": [4, 5]}) == (
        "search.space.'optim.batch'.choices: 5 does not go with launch.processes:"
        " found 2, and optim.batch is 5; write one of 1, 5"
    )
