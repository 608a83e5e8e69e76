"""models.yaml: what it gives, and the file, line and key of each mistake."""

import re
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.document import StrictDocument
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.models.models_file import named_models
from pytest_llmeval.models.named import NamedModel, Prices, resolve_model

LINES: dict[tuple[str | int, ...], int] = {
    (): 1,
    ("models",): 1,
    ("models", "small"): 2,
    ("models", "small", "spec"): 3,
    ("models", "small", "prices"): 4,
    ("models", "small", "prices", "input"): 5,
}


def read(data: object) -> dict[str, NamedModel]:
    return named_models(StrictDocument(data=data, shown_as="models.yaml", lines=LINES))


def small(**keys: Any) -> dict[str, Any]:
    return {"models": {"small": {"spec": "openai:gpt-4o-mini", **keys}}}


def test_a_full_entry() -> None:
    """Every key arrives, under the name."""
    data = small(params={"temperature": 0}, prices={"input": 0.15, "output": 1}, api_key_env="MY_KEY", api="responses")
    model = read(data)["small"]
    assert (model.name, model.spec.text) == ("small", "openai:gpt-4o-mini")
    assert (model.params, model.api_key_env, model.api) == ({"temperature": 0}, "MY_KEY", "responses")
    assert model.prices == Prices(input_usd_per_million=0.15, output_usd_per_million=1.0)


@pytest.mark.parametrize(
    ("spec", "params", "bounds"),
    [
        ("gpt-4o-mini", {}, {}),
        ("gpt-4o-mini", {"max_completion_tokens": 9, "max_tokens": 8}, {"max_completion_tokens": 9, "max_tokens": 8}),
        ("anthropic:claude", {}, {"max_tokens": 1024}),
        ("anthropic:claude", {"max_completion_tokens": 9}, {"max_completion_tokens": 9}),
        ("local:smollm2", {"max_tokens": "9"}, {"max_tokens": 256}),
    ],
)
def test_what_bounds_an_answer_is_stated_or_known_of_its_kind(spec: str, params: Any, bounds: Any) -> None:
    assert read(small(spec=spec, params=params))["small"].bounds == bounds


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "models.yaml:1: the file: "),
        ({}, "models.yaml:1: the file: the key 'models' is missing"),
        ({"model": {}, "models": {}}, "models.yaml:1: unknown key 'model'; did you mean 'models'?"),
        ({"models": []}, "models.yaml:1: models: "),
        ({"models": {"small": {}}}, "models.yaml:2: models.small: the key 'spec' is missing"),
        ({"models": {"small": None}}, "models.yaml:2: models.small: "),
        ({"models": {5: {"spec": "x"}}}, "models.yaml:1: "),
        (small(param={}), "models.yaml:2: unknown key 'param'; did you mean 'params'?"),
        (small(zzz=1), "unknown key 'zzz'; known: spec, params, prices, api_key_env, api"),
        (
            small(api="respones"),
            "models.yaml:2: models.small.api: Input should be 'chat' or 'responses', found 'res",
        ),
        (small(api=True), "models.small.api: Input should be 'chat' or 'responses', found True"),
        (
            small(spec="anthropic:claude", api="responses"),
            "models.yaml:2: models.small.api: only openai: models are asked by an API of choice, found anthropic:",
        ),
        (small(spec="local:smollm2", api="chat"), "found local:smollm2; remove 'api'"),
        (small(api="responses", params={"seed": 7}), "models.yaml:2: 'seed' is unknown to the Responses API; take it"),
        (small(spec=7), "models.yaml:3: models.small.spec: Input should be a valid string, found 7"),
        (small(spec="local:smolm"), "models.yaml:3: model 'local:smolm': unknown local model"),
        (small(prices={"input": -1, "output": 0}), "models.yaml:5: models.small.prices.input: "),
        (small(prices={"input": 1_000_001, "output": 0}), "models.yaml:5: models.small.prices.input: "),
        (small(prices={"input": float("nan"), "output": 0}), "models.yaml:5: models.small.prices.input: "),
        (small(prices={"input": True, "output": 0}), "models.yaml:5: models.small.prices.input: "),
        (small(prices={"input": 1}), "models.yaml:4: models.small.prices: the key 'output' is missing"),
        (small(prices={"inputs": 1}), "unknown key 'inputs'; did you mean 'input'?"),
        (small(params={"messages": []}), "models.yaml:2: 'messages' is not a sampling parameter"),
        (
            small(params={"temprature": 0}),
            "models.yaml:2: 'temprature' is not a sampling parameter; did you mean 'tem",
        ),
        (small(params={"x": {1, 2}}), "params cannot be sent as JSON"),
        (small(params={"x": float("inf")}), "params cannot be sent as JSON"),
        (small(api_key_env="my key"), "models.small.api_key_env: "),
        (small(spec="local:smollm2", api_key_env="K"), "local:smollm2 takes no key"),
        ({"models": {"a\nb": {"spec": "x"}}}, "a model's name is printable text"),
        ({"models": {"": {"spec": "x"}}}, "a model's name is printable text"),
    ],
)
def test_mistakes_name_file_line_and_key(data: object, message: str) -> None:
    """One line, with a suggestion where one is near."""
    with pytest.raises(ModelError) as caught:
        read(data)
    assert message in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models:\n  small:\n    spce: openai:x\n", "3: unknown key 'spce'; did you mean 'spec'?"),
        ("models:\n  small:\n    params: {}\n", "2: models.small: the key 'spec' is missing"),
        ("modles: {}\n", "1: unknown key 'modles'; did you mean 'models'?"),
    ],
)
def test_a_mistake_names_the_line_where_it_stands(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        named_models(load_strict(path, error=ModelError, shown_as=path.name))
    assert str(caught.value) == f"models.yaml:{message}"


@pytest.mark.parametrize("key", ["sk-proj-CANARY", ["gsk_CANARY"], {"CANARY": 1}])
def test_a_key_in_place_of_its_variables_name_is_not_shown(key: object) -> None:
    """What stands there may be the key by mistake, whatever its form."""
    with pytest.raises(ModelError) as caught:
        read(small(api_key_env=key))
    assert "expected the NAME of a variable (such as MY_KEY), not the key" in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_a_name_comes_before_a_spec() -> None:
    """A name of models.yaml may even be a spec: that is how a model gets its prices."""
    named = read({"models": {"gpt-4o": {"spec": "openai:gpt-4o@http://h:1/v1"}}})
    assert resolve_model("gpt-4o", named) is named["gpt-4o"]
    assert resolve_model("openai:gpt-4o", named).spec.base_url is None
    assert resolve_model("local:smollm2", named).name == "smollm2"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("smal", "small"), ("SMALL", "small"), ("Lab", "lab"), ("lba", "lab"), ("leb", "lab"), ("la", "lab")],
)
def test_a_near_miss_of_a_name_is_not_sent_to_openai(text: str, meant: str) -> None:
    """A slip of letters or case is a usage error, also in a short name, and the way to mean it is shown."""
    named = read({"models": {name: {"spec": f"openai:{name}@http://h:1/v1"} for name in ("lab", "small")}})
    with pytest.raises(ModelError, match=rf"did you mean '{meant}'.*'openai:{text}'"):
        resolve_model(text, named)
    assert resolve_model(f"openai:{text}", named).spec.base_url is None


@pytest.mark.parametrize("text", ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3", "o4-mini", "labs-large"])
def test_a_model_of_openai_whose_name_is_another_is_asked_there(text: str) -> None:
    named = read({"models": {name: {"spec": f"openai:{name}@http://h:1/v1"} for name in ("lab", "small", "o1")}})
    assert resolve_model(text, named).spec.text == f"openai:{text}"


SLIPS = [
    ("smollm2", "local:smollm2"),
    ("SmolLM2+out/adapter", "local:smollm2+out/adapter"),
    ("smolm2", "local:smollm2"),
    ("local", "local:smollm2"),
    ("Anthropic", "anthropic:NAME"),
]


@pytest.mark.parametrize(("text", "meant"), SLIPS)
def test_the_embedded_model_or_a_kind_alone_is_not_sent_to_openai(text: str, meant: str) -> None:
    told = f"model {text!r}: did you mean {meant!r}? (A model of that name at OpenAI is 'openai:{text}')"
    with pytest.raises(ModelError, match=f"^{re.escape(told)}$"):
        resolve_model(text, {})
    assert resolve_model(f"openai:{text}", {}).name == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "ollama:llama3",
            "there is no kind 'ollama' (there are openai, *); a server that speaks OpenAI's protocol is ",
        ),
        ("llama3:8b", "(A model of that name at OpenAI is 'openai:llama3:8b')"),
        ("good,cheap", "an option names one model; name several as --model good --model cheap"),
    ],
)
def test_what_is_no_name_at_openai_is_not_sent_there(text: str, told: str) -> None:
    with pytest.raises(ModelError) as caught:
        resolve_model(text, {})
    assert str(caught.value).startswith(f"model {text!r}: ")
    assert all(part in str(caught.value) for part in told.split("*"))
    assert resolve_model(f"openai:{text}", {}).name == text
    assert resolve_model("ft:gpt-4o-mini:org::id", {}).spec.text == "openai:ft:gpt-4o-mini:org::id"
    assert resolve_model(f"{text}@http://localhost:1/v1", {}).name == text


@pytest.mark.parametrize("text", ["smollm", "ollama:llama3", "llama3:8b", "good,cheap", *(text for text, _ in SLIPS)])
def test_a_server_of_ones_own_may_have_a_model_of_any_name(text: str) -> None:
    """The library of Ollama has ``smollm`` and ``smollm2``; and what models.yaml names was written with care."""
    assert resolve_model(text, {}, at_openai=False).spec.text == f"openai:{text}"
    assert read({"models": {"small": {"spec": text}}})["small"].spec.text == f"openai:{text}"
