"""What models cost: which list holds for which model, and the mistakes in a list of one's own."""

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.costs import FREE, Prices
from pytest_llmeval.core.document import StrictDocument
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.price_list import PriceList, price_list
from pytest_llmeval.models.prices import known_prices, priced, shipped_prices
from pytest_llmeval.models.specs import parse_spec

MINI = Prices(input_usd_per_million=0.15, output_usd_per_million=0.60)
OTHER = Prices(input_usd_per_million=1, output_usd_per_million=2)
OWN = {"input": 1, "output": 2}


def price(spec: str, override: PriceList | None = None, **environ: str) -> Prices | None:
    return known_prices(parse_spec(spec), environ, override)


def own(**models: Any) -> PriceList:
    return price_list(StrictDocument(data={"models": models}, shown_as="p.yaml"))


def test_the_shipped_list_is_sound() -> None:
    """It has a date of the past, every model in full, and a model costs more to write than to read."""
    shipped = shipped_prices()
    assert shipped.as_of is not None and "2026-01-01" <= shipped.as_of <= date.today().isoformat()
    assert len(shipped.prices) > 20
    for key, prices in shipped.prices.items():
        assert parse_spec(key).text == key and key.startswith(("openai:", "anthropic:"))
        assert 0 < prices.input_usd_per_million < prices.output_usd_per_million < 1000


@pytest.mark.parametrize("spec", ["gpt-4o-mini", "openai:gpt-4o-mini", "openai:gpt-4o-mini-2024-07-18"])
def test_a_listed_model_and_its_snapshots_have_the_list_price(spec: str) -> None:
    """At the vendor's own address, whether that is the default or named in the variable."""
    assert price(spec) == MINI
    assert price(spec, OPENAI_BASE_URL=" ") == MINI
    assert price(spec, OPENAI_BASE_URL="https://API.openai.com/v1/") == MINI


def test_anthropic_models_are_listed_too() -> None:
    """With the dates of their snapshots as Anthropic writes them."""
    sonnet = Prices(input_usd_per_million=3, output_usd_per_million=15)
    assert price("anthropic:claude-sonnet-4-5") == price("anthropic:claude-sonnet-4-5-20250929") == sonnet
    assert price("anthropic:claude-sonnet-4-5", ANTHROPIC_BASE_URL="https://api.anthropic.com") == sonnet
    assert price("anthropic:claude-sonnet-4-5", OPENAI_BASE_URL="http://h:1/v1") == sonnet


def test_a_snapshot_with_a_price_of_its_own_keeps_it() -> None:
    """The first GPT-4o was dearer than what followed."""
    first, later = price("gpt-4o-2024-05-13"), price("gpt-4o-2024-08-06")
    assert first is not None and later is not None
    assert first.input_usd_per_million == 2 * later.input_usd_per_million


@pytest.mark.parametrize(
    ("spec", "environ"),
    [
        ("openai:gpt-4o-mini@http://127.0.0.1:1/v1", {}),
        ("openai:gpt-4o-mini@https://api.openai.com/v1", {}),
        ("openai:gpt-4o-mini", {"OPENAI_BASE_URL": "http://gate:1/v1"}),
        ("openai:gpt-4o-mini", {"OPENAI_BASE_URL": "https://api.openai.com.evil.example/v1"}),
        ("anthropic:claude-sonnet-4-5", {"ANTHROPIC_BASE_URL": "http://gate:1"}),
        ("anthropic:claude-sonnet-4-5@http://gate:1", {}),
        ("anthropic:gpt-4o-mini", {}),
        ("openai:claude-sonnet-4-5", {}),
        ("openai:gpt-4o-mini-audio", {}),
        ("openai:gpt-4o-mini-20240718", {}),
        ("anthropic:claude-sonnet-4-5-2025-09-29", {}),
        ("openai:ft:gpt-4o-mini:org::id", {}),
        ("openai:unheard-of", {}),
    ],
)
def test_what_nobody_stated_is_unknown(spec: str, environ: dict[str, str]) -> None:
    """None, never 0, and never the price of something similar."""
    assert known_prices(parse_spec(spec), environ) is None


def test_a_local_model_is_free() -> None:
    """Whatever a list says."""
    assert price("local:smollm2") == price("local:smollm2", own(smollm2=OWN)) == FREE
    assert priced(resolve_model("local:smollm2", {}), {}).prices == FREE


def test_the_users_list_goes_before_the_shipped_one() -> None:
    """For what it names; the shipped one holds for the others."""
    mine = own(openai={"gpt-4o-mini": OWN})
    assert price("gpt-4o-mini", mine) == price("gpt-4o-mini-2024-07-18", mine) == OTHER
    assert price("gpt-4o", mine) == price("gpt-4o")
    assert price("gpt-4o-mini", mine, OPENAI_BASE_URL="http://gate:1/v1") == OTHER
    assert price("openai:gpt-4o-mini@http://h:1/v1", mine) is None


def test_the_users_list_names_specs_and_models_of_models_yaml() -> None:
    """A spec with its address, in any spelling; a name goes before a spec."""
    spec = parse_spec("openai:qwen3:8b@http://h:1/v1")
    address = own(**{"qwen3:8b@http://h:1/v1/": OWN})
    assert known_prices(spec, {}, address) == OTHER
    assert known_prices(parse_spec("openai:qwen3:8b@http://h:2/v1"), {}, address) is None
    model = NamedModel(name="lab", spec=spec)
    free = {"input": 0, "output": 0}
    assert priced(model, {}, own(lab=OWN, **{spec.text: free})).prices == OTHER
    assert priced(model, {}, own(other=OWN)).prices is None
    for name in ("a:b", "opnai:b"):
        assert priced(NamedModel(name=name, spec=spec), {}, own(**{name: OWN})).prices == OTHER


def test_models_yaml_goes_before_every_list() -> None:
    """What stands beside the spec is what the user meant."""
    model = NamedModel(name="m", spec=parse_spec("gpt-4o-mini"), prices=OTHER)
    assert priced(model, {}, own(m={"input": 5, "output": 5})) is model
    assert priced(NamedModel(name="m", spec=parse_spec("gpt-4o-mini")), {}).prices == MINI


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "p.yaml:1: the file: expected keys and values, found ['a']"),
        ("as_of: 2026-01-31\n", "p.yaml:1: the file: the key 'models' is missing"),
        ("models: 3\n", "p.yaml:1: models: expected keys and values, found 3"),
        ("model: {}\nmodels: {}\n", "p.yaml:1: model: unknown key; did you mean 'models'?"),
        ("zzz: {}\nmodels: {}\n", "p.yaml:1: zzz: unknown key; known: as_of, source, models"),
        ("models: {}\nas_of: 2026-02-30\n", "p.yaml:2: as_of: expected a date such as 2026-01-31, found '2026-02-30'"),
        ("models: {}\nas_of: 20260131\n", "p.yaml:2: as_of: expected a string, found 20260131"),
        ("models: {}\nas_of: '20260131'\n", "p.yaml:2: as_of: expected a date such as 2026-01-31, found '20260131'"),
        ("models: {}\nsource: [a]\n", "p.yaml:2: source: expected a string, found ['a']"),
        ("models:\n  openai: {a: 3}\n", "p.yaml:2: models.openai.a: expected keys and values, found 3"),
        ("models:\n  openai: {input: 1, output: 2}\n", "models.openai.input: expected keys and values, found 1"),
        ("models:\n  a:\n    input: 1\n", "p.yaml:2: models.a: the key 'output' is missing"),
        ("models:\n  a:\n    inptu: 1\n", "p.yaml:3: models.a.inptu: unknown key; did you mean 'input'?"),
        ("models:\n  a:\n    input: -1\n    output: 1\n", "p.yaml:3: models.a.input: expected USD per million tokens"),
        (
            "models:\n  a:\n    input: 1\n    output: '1'\n",
            "p.yaml:4: models.a.output: expected USD per million tokens",
        ),
        ("models:\n  a:\n    input: true\n    output: 1\n", "p.yaml:3: models.a.input: expected USD"),
        ("models:\n  a:\n    input: null\n    output: 1\n", "p.yaml:3: models.a.input: expected USD"),
        ("models:\n  a: {input: 1, output: 1" + "0" * 400 + "}\n", "p.yaml:2: models.a.output: expected USD"),
        ("models:\n  a:\n    input: .nan\n    output: 1\n", "p.yaml:3: models.a.input: .nan is not a finite number"),
        ('{"models": {"a": {"input": 1, "output": 2}, "a": 1}}', "the key 'a' stands here again"),
        ('models:\n  "a\\x1b": 3\n', "p.yaml:2: models.a\\x1b: expected keys and values"),
    ],
)
def test_mistakes_name_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    """One line each, before anything runs."""
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(ModelError) as caught:
        price_list(load_strict(path, error=ModelError, shown_as=path.name))
    assert message in str(caught.value) and str(caught.value).isprintable() and len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.01])
def test_numbers_that_are_no_prices_are_refused_from_any_reader(value: float) -> None:
    """Also where the data did not come from the strict reader."""
    with pytest.raises(ModelError, match=re.escape("models.a.input: expected USD")):
        own(a={"input": value, "output": 1})


def test_json_and_yaml_say_the_same(tmp_path: Path) -> None:
    """The shipped file can be copied and changed, as either."""
    found = []
    text = Path(sys.modules[priced.__module__].__file__ or "").with_name("prices.json").read_text()
    for name, content in (("a.json", text), ("b.yaml", text), ("c.json", json.dumps(json.loads(text)))):
        path = tmp_path / name
        path.write_text(content)
        found.append(price_list(load_strict(path, error=ModelError, shown_as=name)))
    assert found[0] == found[1] == found[2] == shipped_prices()


def test_the_shipped_list_costs_no_import() -> None:
    """The standard library reads it, and only when a model asks."""
    code = (
        "import sys; from pytest_llmeval.models.named import resolve_model;"
        "from pytest_llmeval.models.prices import priced, shipped_prices;"
        "print(shipped_prices.cache_info().currsize); priced(resolve_model('local:smollm2', {}), {});"
        "print(shipped_prices.cache_info().currsize); priced(resolve_model('gpt-4o', {}), {});"
        "print(shipped_prices.cache_info().currsize, [n for n in ('pydantic', 'yaml', 'openai') if n in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["0", "0", "1", "[]"]
