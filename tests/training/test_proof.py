"""Base and adapter, measured in sessions of their own; here both are a server that echoes, or knows the answers."""

import os
import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.cli.project import find_project
from pytest_llmeval.cli.rules import rules_for
from pytest_llmeval.core.errors import LlmevalError, SettingsError
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.proof import Measurement, _run, failures, measure
from tests.support.fault_server import FaultServer
from tests.support.nursery import Nursery
from tests.support.tiny_base import write_project

INI = """[pytest]
addopts = -p no:asyncio -p no:anyio -p no:hypothesispytest -x
llmeval_limit = 2
llmeval_slice = other
llmeval_cache = only
llmeval_epochs = 3
"""


@pytest.fixture(autouse=True)
def sessions_are_forks(nursery: Nursery) -> Iterator[None]:
    with nursery.used():
        yield


def measurement(root: Path, base: str, adapter: str, **proof: Any) -> Measurement:
    """Return one over rows whose right answer is what the echo says of them: the prompt."""
    path = write_project(root, "base", **{"proof__also": ["pass_rate"], **proof})
    (root / "pytest.ini").write_text(INI, "utf-8")
    for name in ("val", "test"):
        data = root / "data" / f"{name}.jsonl"
        lines = [
            f'{{"id": "{name}-{number}", "input": {{"thing": "t{number}"}}, "target": "Colour of t{number}"}}\n'
            for number in range(12)
        ]
        data.write_text("".join(lines), "utf-8")
    return Measurement(
        config=load_config(path, shown_as="tiny.yaml"),
        name="tiny",
        id="t1",
        suite="colour",
        rootdir=root,
        folder=root,
        db=root / "llmeval.db",
        specs={"base": base, "adapter": adapter},
        again="pytest NODEID --llmeval-train-resume",
        report=print,
        environ={**os.environ, "PYTEST_ADDOPTS": "--llmeval-limit=1"},
    )


def test_the_gain_is_paired_over_all_rows_of_both_splits(tmp_path: Path, server: FaultServer) -> None:
    """What the environment and the project say of other runs, such as a limit, changes nothing."""
    with FaultServer(reply=lambda messages: "no idea") as knows_nothing:
        base, adapter = f"openai:base@{knows_nothing.url}", f"openai:adapter@{server.url}"
        shown: list[str] = []
        asked = replace(measurement(tmp_path, base, adapter), report=shown.append)
        gains = measure(asked)
    assert shown == [f"tiny: measures {side} on {split}" for split in ("val", "test") for side in ("base", "adapter")]
    assert [(gain.split, gain.n, gain.before, gain.after, gain.verdict) for gain in gains] == [
        ("val", 12, 0.0, 1.0, "pass"),
        ("test", 12, 0.0, 1.0, "pass"),
    ]
    assert failures(gains) == []
    assert gains[0].reason.startswith("the gain may be as little as 0.7504, the margin is 0.1; ")
    told = "over 12 rows (no interval: all rows, or groups of them, changed alike; margin"
    assert gains[0].line().startswith(f"val: exact 0.0 % -> 100.0 % {told}")
    with closing(SqliteStore(asked.db)) as store:
        names = {run.id: run.name for run in store.runs()}
    asked_as = [names[run] for gain in gains for run in (gain.base_run, gain.adapter_run)]
    assert asked_as == [f"{which} of tiny t1" for which in ("val base", "val adapter", "test base", "test adapter")]
    assert len({(name or "")[:6] for name in asked_as}) == 4  # as much of them is left in a narrow table


def test_an_adapter_that_answers_worse_fails_by_every_rule(tmp_path: Path, server: FaultServer) -> None:
    with FaultServer(reply=lambda messages: "no idea") as knows_nothing:
        base, adapter = f"openai:base@{server.url}", f"openai:adapter@{knows_nothing.url}"
        wrong = failures(measure(measurement(tmp_path, base, adapter)))
    assert wrong[0].startswith("val: exact 100.0 % -> 0.0 % over 12 rows")
    assert "\n  the adapter is worse than its base on these rows; llmeval compare " in wrong[0]
    assert sum("pass_rate is worse" in line for line in wrong) == 2


def test_a_session_that_cannot_be_carried_through_says_what_it_printed(tmp_path: Path, server: FaultServer) -> None:
    asked = measurement(tmp_path, "openai:", f"openai:adapter@{server.url}")
    with pytest.raises(
        LlmevalError, match=r"the base could not be measured on val \(pytest ended with 4\):\n(?s:.*)no name"
    ):
        measure(asked)


@pytest.mark.parametrize(("key", "value", "name"), [("metric", "exakt", "exakt"), ("also", ["exact", "jsn"], "jsn")])
def test_a_score_that_the_eval_does_not_give_is_told_before_the_adapter_is_asked(
    tmp_path: Path, server: FaultServer, key: str, value: object, name: str
) -> None:
    base, adapter = f"openai:base@{server.url}", "openai:"
    told = rf"tiny: proof\.{key}: '{name}' is not a score that (?s:.*) gave the base; it gave: exact\. The adapter"
    with pytest.raises(SettingsError, match=told):
        measure(measurement(tmp_path, base, adapter, **{f"proof__{key}": value}))


def test_rows_without_an_answer_make_no_verdict_and_say_how_to_measure_again(
    tmp_path: Path, server: FaultServer
) -> None:
    asked = measurement(tmp_path, server.spec("base"), server.spec("adapter"))
    path = tmp_path / "evals" / "test_colour.py"
    lost = (
        "from pytest_llmeval.core.errors import CallError, ErrorKind\n"
        "async def test_colour(sample, model, score):\n"
        "    if model.name == 'adapter' and sample.id[-1] in '39':\n"
        "        raise CallError('reset', kind=ErrorKind.CONNECTION)\n"
    )
    text = path.read_text("utf-8").replace("async def test_colour(sample, model, score):\n", lost.split("\n", 1)[1])
    path.write_text(lost.split("\n", 1)[0] + text, "utf-8")
    with pytest.raises(LlmevalError) as caught:
        measure(asked)
    told = str(caught.value)
    assert told.startswith("the adapter could not be measured on val (2 of 12 cases of run ")
    assert " have no answer (connection)):" in told
    assert "pytest NODEID --llmeval-train-resume measures it without training" in told


def test_a_server_without_quota_makes_no_verdict(tmp_path: Path, server: FaultServer) -> None:
    asked = measurement(tmp_path, server.spec("base"), server.spec("fault-quota"))
    with pytest.raises(LlmevalError, match=r"the adapter could not be measured on val \(run .* is unmeasurable\):"):
        measure(asked)


@pytest.mark.parametrize(
    "addopts",
    [
        "-p no:cacheprovider --strict-config",
        "--limit=2 --model openai:x --ff --strict-config",
        "--llmeval-limit 2 --llmeval-model=openai:other",
        '-k nothing -m "not llmeval"',
    ],
)
def test_what_the_project_adds_to_its_sessions_cuts_and_breaks_no_proof(
    tmp_path: Path, server: FaultServer, addopts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultServer(reply=lambda messages: "no idea") as knows_nothing:
        asked = measurement(tmp_path, f"openai:base@{knows_nothing.url}", f"openai:adapter@{server.url}")
        (tmp_path / "pytest.ini").write_text(INI.replace("-x", addopts), "utf-8")
        others = tuple(shlex.split(addopts)) if addopts.startswith(("-p", "-k", "-m")) else ()
        gains = measure(replace(asked, arguments=others))
    assert [(gain.n, gain.verdict) for gain in gains] == [(12, "pass")] * 2
    with closing(SqliteStore(asked.db)) as store:
        monkeypatch.chdir(tmp_path)
        compared = rules_for(find_project(), store.find_run(gains[0].adapter_run), None)
    assert compared.suites == {}


def test_all_sessions_together_spend_what_may_be_spent(tmp_path: Path, server: FaultServer) -> None:
    """One session of twelve rows has enough, as would the second by itself."""
    asked = measurement(tmp_path, "priced-base", "priced-adapter")
    prices = "prices: {input: 1000, output: 1000}"
    lines = [f"  priced-{side}: {{spec: '{server.spec(side)}', {prices}}}\n" for side in ("base", "adapter")]
    (tmp_path / "models.yaml").write_text("models:\n" + "".join(lines), "utf-8")
    first = _run(asked, "val", asked.config.data.val, "base", before=[])
    with closing(SqliteStore(asked.db)) as store:
        (spent,) = (each.cost_usd for each in store.spending(first))
    assert spent is not None
    assert spent > 0
    enough = replace(asked, max_cost_usd=1.5 * spent)
    assert _run(enough, "val", asked.config.data.val, "adapter", before=[])
    with pytest.raises(LlmevalError, match="the adapter could not be measured on val .run .* is unmeasurable"):
        _run(enough, "val", asked.config.data.val, "adapter", before=[first])


def test_an_eval_of_several_suites_has_no_verdict_on_its_gain(tmp_path: Path, server: FaultServer) -> None:
    """The implied rules on each of them say "not worse", which is not "better by the margin"."""
    asked = measurement(tmp_path, server.spec("base"), server.spec("adapter"))
    path = tmp_path / "evals" / "test_colour.py"
    text = path.read_text("utf-8").replace("(sample, model, score)", "(sample, model, score, shade)")
    shades = "@pytest.fixture(params=['dark', 'light'])\ndef shade(request):\n    return request.param\n"
    path.write_text(f"{text}\n{shades}", "utf-8")
    told = r"has no rows of suite 'colour', so nothing can be said of the gain on val; let .* make one suite"
    with pytest.raises(LlmevalError, match=told):
        measure(asked)


def test_a_base_that_earns_no_score_is_no_typo(tmp_path: Path, server: FaultServer) -> None:
    """As where an eval scores only what can be read, and the base cannot say that yet."""
    with FaultServer(reply=lambda messages: "no idea") as knows_nothing:
        asked = measurement(tmp_path, f"openai:base@{knows_nothing.url}", f"openai:adapter@{server.url}")
        path = tmp_path / "evals" / "test_colour.py"
        scored = "    score.exact(await model.generate(), sample.target)\n"
        asking = "    said = await model.generate()\n    if 'idea' not in said.text:\n"
        guarded = f"{asking}        score.exact(said, sample.target)\n"
        path.write_text(path.read_text("utf-8").replace(scored, guarded), "utf-8")
        gains = measure(asked)
    assert [(gain.n, gain.verdict) for gain in gains] == [(0, "unmeasurable")] * 2
    assert "llmeval compare" in failures(gains)[0]


def test_keys_under_any_name_are_there(tmp_path: Path, server: FaultServer) -> None:
    """Else the base could not be asked, after all the hours of the training."""
    asked = measurement(tmp_path, "lab", "lab")
    (tmp_path / "models.yaml").write_text(
        f"models:\n  lab: {{spec: '{server.spec('base')}', api_key_env: LLMEVAL_LAB_KEY}}\n", "utf-8"
    )
    keyed = replace(asked, environ={**asked.environ, "LLMEVAL_LAB_KEY": "sk-lab"})
    assert _run(keyed, "val", asked.config.data.val, "base", before=[])
    assert {entry.headers["authorization"] for entry in server.ledger} == {"Bearer sk-lab"}


def test_a_gain_that_is_no_more_than_the_margin_is_not_called_unsure(tmp_path: Path, server: FaultServer) -> None:
    """More rows would not help it."""
    base, adapter = f"openai:base@{server.url}", f"openai:adapter@{server.url}"
    wrong = failures(measure(measurement(tmp_path, base, adapter, proof__margin=0.05)))
    assert "\n  the gain of 0.0 % is not above the margin of 5.0 %; llmeval compare " in wrong[0]


def test_a_score_that_is_no_share_is_not_told_in_percent(tmp_path: Path, server: FaultServer) -> None:
    """Of 0 to 100, say; without a margin it is a gain that is asked for, too."""
    with FaultServer(reply=lambda messages: "no idea") as knows_nothing:
        asked = measurement(
            tmp_path,
            f"openai:base@{knows_nothing.url}",
            f"openai:adapter@{server.url}",
            proof__metric="points",
            proof__margin=0,
        )
        path = tmp_path / "evals" / "test_colour.py"
        scored = "    score.exact(await model.generate(), sample.target)\n"
        points = "    score.record('points', 40.0 if 'idea' in str(await model.generate()) else 90.0)\n"
        path.write_text(path.read_text("utf-8").replace(scored, points), "utf-8")
        gain = measure(asked)[0]
    assert gain.line().startswith("val: points 40 -> 90 over 12 rows (no interval: ")
    assert "the gain may be as little as " in gain.reason


def test_a_gain_of_all_rows_that_is_not_sure_says_what_may_help(tmp_path: Path, server: FaultServer) -> None:
    with FaultServer(reply=lambda messages: "no idea") as knows_nothing:
        base, adapter = f"openai:base@{knows_nothing.url}", f"openai:adapter@{server.url}"
        wrong = failures(measure(measurement(tmp_path, base, adapter, proof__margin=0.8)))
    assert "a gain above the margin of 80.0 % is not sure; with more rows it may be surer; llmeval compare" in wrong[0]
    assert "the gain may be as little as 0.7504, the margin is 0.8" in wrong[0]
