"""``llmeval compare`` of two suites: variants of an eval, of one run or of two."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.rules import Rule, SuiteRules, Thresholds
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import CaseRecord, Outcome
from pytest_llmeval.reports.comparing import compare_found
from pytest_llmeval.store.sides import find_sides
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_compare import NEW, OLD, add_row
from tests.support.project import Project
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run

ROWS = [{"id": f"r{number:02}", "input": f"say {number}", "target": f"say {number}"} for number in range(12)]
VARIANTS = """
import pytest

PROMPTS = {"plain": "{}", "polite": "{}, please"}

@pytest.mark.llmeval("data/echo.jsonl")
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_echo(sample, model, score, prompt):
    score.exact(model.generate_sync(prompt.format(sample.input)), sample.target)
"""
PLAIN, POLITE = "last::echo[plain]", "last::echo[polite]"
OF_RUNS = ("base", "base_id", "current", "current_id", "gate", "set_up")
"""What a comparison says of the runs themselves."""


def add(store: SqliteStore, id: str, right: Mapping[str, int], *, models: tuple[str, ...] = ("m",)) -> None:
    """Put a run in with a suite of forty rows for each name, of which so many first ones are right."""
    suites = {name: {"expected": dict.fromkeys(models, 40), "prompt_digest": name} for name in right}
    fields: dict[str, Any] = {"started_at": f"2025-01-0{1 if id == OLD else 2}", "models": models}
    store.start_run(run(id, **fields, settings={"suites": suites}))
    for name, count in right.items():
        for model in models:
            for number in range(40):
                add_row(store, id, f"row-{number}", number < count, suite=name, model=model)
    store.finish_run(id, END)


@pytest.fixture
def variants(project: Project) -> Project:
    """A project whose newest run asked one dataset with two prompts."""
    project.eval("def test_other(sample):\n    pass\n", ROWS)
    project.write(evals__test_echo_py=VARIANTS)
    assert project.run("evals").ret == 1
    return project


def test_the_variants_of_one_run_compare(variants: Project, llmeval: Command) -> None:
    """Row by row, under the name of the second; swapped, the other one is no worse."""
    done = llmeval("compare", PLAIN, POLITE, "--fail-on-regression")
    lines = done.out.splitlines()
    id = variants.last_run()["id"]
    assert done.status == 1
    assert " ".join(lines[:2]).startswith("FAIL: echo[polite] exact got worse (1.000 to 0.000, p 0.0")
    assert f"base: {id}::echo[plain] (run {id})" in lines
    assert f"now: {id}::echo[polite] (run {id})" in lines
    assert "differs in: suite echo[plain], now echo[polite]" in lines
    assert "echo[polite] on echo" in lines
    assert "rows that flipped: 12 for the worse, 0 for the better" in lines
    first = lines.index("  worse: echo[polite] r00: exact 1 to 0")
    assert lines[first + 1 : first + 5] == [
        "    asked     say 0, please",
        "    expected  say 0",
        "    before    say 0",
        "    now       say 0, please",
    ]
    assert max(map(len, lines)) <= 80
    swapped = llmeval("compare", POLITE, PLAIN, "--fail-on-regression")
    assert (swapped.status, swapped.out[:4]) == (0, "PASS")


def test_every_form_names_both(variants: Project, llmeval: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    id = variants.last_run()["id"]
    markdown = llmeval("compare", PLAIN, POLITE, "--output", "-").out
    told = f"base: {id}::echo\\[plain\\] (run {id}) · now: {id}::echo\\[polite\\] (run {id})"
    assert told in markdown
    assert "Differs in: suite echo\\[plain\\], now echo\\[polite\\]\n" in markdown
    found = llmeval("compare", PLAIN, POLITE, "--json").json()
    assert (found["base"], found["current"]) == (f"{id}::echo[plain]", f"{id}::echo[polite]")
    assert {each["suite"] for each in (*found["changes"], *found["flips"])} == {"echo[polite]"}
    monkeypatch.setenv("COLUMNS", "120")
    wide = llmeval("compare", PLAIN, POLITE).out.splitlines()
    assert wide[0].startswith("FAIL: echo[polite] exact got worse (1.000 to 0.000, p 0.0")
    assert max(map(len, wide)) <= 120


def test_two_evals_over_one_dataset_compare(project: Project, llmeval: Command) -> None:
    """Whatever they are called, in one run or in two; what differs between them is told."""
    body = "def test_{}(sample, response, score):\n    score.exact(response, sample.target)\n"
    for name, prompt in (("plain", "{input}"), ("polite", "{input}, please")):
        project.eval(body.format(name), ROWS, name, marker=f'prompt="{prompt}"')
    assert project.run("evals/test_plain.py", "--run-name=first").ret == 0
    assert project.run("evals").ret == 1
    for base in ("first::plain", "last::plain"):
        done = llmeval("compare", base, "last::polite", "--fail-on-regression")
        told = " ".join(done.out.split())
        assert (done.status, told[:30]) == (1, "FAIL: polite exact got worse (")
        assert "differs in: suite plain, now polite; prompt of polite; code of the test or a scorer of polite" in told


def test_a_suite_that_one_side_names_is_that_of_the_other_too(store: SqliteStore, llmeval: Command) -> None:
    add(store, OLD, {"a": 40, "b": 40})
    add(store, NEW, {"a": 20, "b": 20})
    both = llmeval("compare", f"{OLD}::a", f"{NEW}::a", "--json").json()
    assert {each["suite"] for each in both["changes"]} == {"a"}
    assert both["set_up"] == []
    assert llmeval("compare", f"{OLD}::a", NEW, "--json").json() == both
    assert llmeval("compare", OLD, f"{NEW}::a", "--json").json() == both


def test_a_model_stands_behind_the_suite(store: SqliteStore, llmeval: Command) -> None:
    add(store, OLD, {"a@b": 40, "c::d": 20}, models=("m", "s@all"))
    found = llmeval("compare", "last::a@b@m", "last::c::d@s@all", "--json", "--fail-on-regression")
    told = found.json()
    assert (found.status, told["base"], told["current"]) == (1, f"{OLD}::a@b@m", f"{OLD}::c::d@s@all")
    assert {(each["suite"], each["model"]) for each in told["changes"]} == {("c::d", "s@all")}
    assert told["set_up"] == ["suite a@b, now c::d", "model m, now s@all", "prompt of c::d"]
    whole = llmeval("compare", "last::a@b", "last::c::d", "--json").json()
    assert {each["model"] for each in whole["changes"]} == {"m", "s@all"}


def test_a_suite_compared_with_itself_says_so(store: SqliteStore, llmeval: Command) -> None:
    add(store, OLD, {"a": 40, "b": 20})
    assert "differs in: nothing: it is the same run twice\n" in llmeval("compare", "last::b", "last").out


def test_the_rules_are_those_of_the_current_suite(store: SqliteStore, llmeval: Command, here: Path) -> None:
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {b: {exact: {max_drop: 0.6}}}\n")
    add(store, OLD, {"a": 40, "b": 20})
    done = llmeval("compare", "last::a", "last::b", "--json", "--fail-on-regression")
    assert (done.status, [each["rule"] for each in done.json()["changes"]]) == (0, ["max_drop=0.6"])
    other = llmeval("compare", "last::b", "last::a", "--json").json()
    assert {each["rule"] for each in other["changes"]} == {"max_drop=0"}


@pytest.mark.parametrize(("rows", "status"), [(37, 0), (35, 10)])
def test_rows_of_one_suite_alone_are_counted_and_left_out(
    store: SqliteStore, llmeval: Command, rows: int, status: int
) -> None:
    """And rows of which the input or the target is another one; too few that pair prove nothing."""
    store.start_run(run(OLD))
    for number in range(40):
        add_row(store, OLD, f"row-{number}", True, suite="a")
        fields = {"input_digest": "another"} if number == 0 else {}
        if number < rows:
            add_row(store, OLD, f"row-{number}", True, suite="b", **fields)
    add_row(store, OLD, "more", False, suite="b")
    store.finish_run(OLD, END)
    done = llmeval("compare", "last::a", "last::b", "--fail-on-regression")
    assert done.status == status
    assert f"note: b on m: {rows - 1} rows pair; 1 changed, {40 - rows} gone, 1 new\n" in done.out


def test_what_the_session_said_of_other_suites_is_not_told(project: Project, llmeval: Command) -> None:
    """What it said of the current suite stands first."""
    project.eval("def test_other(sample):\n    pass\n", ROWS)
    project.write(evals__test_echo_py=VARIANTS)
    project.write(thresholds_yaml="version: 1\nsuites: {'echo[polite]': {exact: {min: 0.5}}}\n")
    assert project.run("evals").ret == 1
    assert llmeval("compare", PLAIN, POLITE).out.startswith("gate FAIL: echo[polite] exact min=0.5 is 0, below 0.5\n")
    assert llmeval("compare", POLITE, PLAIN).out.startswith("PASS: ")


def test_what_left_out_cases_of_other_suites_makes_none_partial(variants: Project, llmeval: Command) -> None:
    assert variants.run("evals", "-k", "test_echo and (plain or r00)").ret == 1
    found = llmeval("compare", PLAIN, POLITE, "--json").json()
    assert (found["base_partial"], found["current_partial"]) == ([], ["11 cases were not selected"])


def test_a_run_that_did_not_end_is_told_once(store: SqliteStore, llmeval: Command) -> None:
    suites = {name: {"expected": {"m": 40}} for name in ("a", "b")}
    store.start_run(run(OLD, pid=2**22 - 1, settings={"suites": suites}))
    for number in range(38):
        for suite in ("a", "b"):
            add_row(store, OLD, f"row-{number}", True, suite=suite)
    done = llmeval("compare", "last::a", "last::b", "--fail-on-regression")
    assert (done.status, done.out.count("note: run")) == (10, 1)


def test_suites_of_an_exported_file_compare(variants: Project, llmeval: Command) -> None:
    assert llmeval("baseline", "export", "last", "main.jsonl", "--even-red").status == 0
    for current in (POLITE, "main.jsonl::echo[polite]"):
        done = llmeval("compare", "main.jsonl::echo[plain]", current, "--fail-on-regression")
        assert (done.status, " ".join(done.out.split())[:36]) == (1, "FAIL: echo[polite] exact got worse (")
        assert "    before    say 0\n    now       say 0, please\n" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["last::ab[shrt]", "last"], f"'last::ab[shrt]': {OLD} has no suite 'ab[shrt]'; did you mean 'ab[short]'?\n"),
        (["last", "last::ab[shrt]"], f"'last::ab[shrt]': {OLD} has no suite 'ab[shrt]'; did you mean 'ab[short]'?\n"),
        (["last::ab", "last"], f"'last::ab': {OLD} has no suite 'ab'; there are 'ab[long]', 'ab[short]'\n"),
        (["last::?@m", "last"], f"'last::?@m': {OLD} has no suite '?'; there are 'ab[long]', 'ab[short]', 'qa'\n"),
        (["other", "last::qa"], "'other': other has no suite 'qa'; there are 'b'\n"),
        (["last::qa", "other"], "'other': other has no suite 'qa'; there are 'b'\n"),
        (["last::qa@gpt", "last"], f"'last::qa@gpt': {OLD} has no such model; it has m\n"),
        (["last@m::qa", "last"], "'last@m::qa': the model goes after the suite: RUN::SUITE@MODEL\n"),
        (["nope::qa", "last"], "'nope::qa': no baseline, no run in "),
    ],
)
def test_mistakes_are_told(store: SqliteStore, llmeval: Command, arguments: list[str], message: str) -> None:
    add(store, NEW, {"b": 40})
    store.set_baseline("other", NEW, "2025-01-03")
    add(store, OLD, {"qa": 40, "ab[short]": 40, "ab[long]": 20})
    done = llmeval("compare", *arguments, "--fail-on-regression")
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith(f"llmeval: {message}")


_outcomes = st.sampled_from(["passed", "missed", "error", "skipped"])
_cases = st.dictionaries(
    st.tuples(st.integers(0, 9), st.sampled_from(["m", "n"]), st.integers(1, 2)),
    st.tuples(_outcomes, st.sampled_from([0.0, 0.5, 1.0]), st.booleans(), st.sampled_from(["x", "x", "x", "y"])),
    max_size=30,
)
_rules = st.sampled_from([None, ("exact", "max_drop", 0.1), ("pass_rate", "max_drop", 0.0), ("exact", "max_rise", 0.0)])
Key = tuple[int, str, int]
Drawn = tuple[Outcome, float, bool, str]


def drawn_rule(metric: str, kind: Any, bound: float) -> Rule:
    return Rule(suite="b", metric=metric, kind=kind, bound=bound)


def add_drawn(store: SqliteStore, id: str, **suites: tuple[str, Mapping[Key, Drawn]]) -> None:
    """Put a run in whose suites have such cases; each begins its answers with a word of its own."""
    models = ("m", "n")
    known = {
        name: {"expected": {model: sum(key[1] == model for key in cases) for model in models}}
        for name, (_, cases) in suites.items()
    }
    store.start_run(run(id, models=models, settings={"suites": known}))
    for suite, (said, cases) in suites.items():
        for key, value in cases.items():
            store.add_case(id, drawn_case(suite, said, key, value))
    store.finish_run(id, END)


def drawn_case(suite: str, said: str, key: Key, drawn: Drawn) -> CaseRecord:
    row, model, epoch = key
    outcome, value, is_cheap, digest = drawn
    cost = 0.1 if is_cheap else 0.5
    is_scored = outcome in ("passed", "missed")
    return record(
        f"row-{row}",
        suite=suite,
        model=model,
        epoch=epoch,
        outcome=outcome,
        error_kind="timeout" if outcome == "error" else None,
        input_digest=f"{row} {digest}",
        slices=("even",) if row % 2 == 0 else (),
        target=json.dumps(row),
        scores=(score("exact", value, value >= 1, reason=f"it is {value}"),) if is_scored else (),
        calls=(call(model=model, response=f"{said} {value}", cost_usd=cost, latency_s=cost),),
    )


def compared(store: SqliteStore, base: str, current: str, rules: Thresholds) -> dict[str, Any]:
    """Return what is found by a comparison, without what it says of the runs themselves."""
    sides = find_sides(base, current, reader=store, root=store.path.parent)
    found: dict[str, Any] = plain(compare_found(*sides, rules, reader=store, most_flips=1000))
    text = json.dumps({key: value for key, value in found.items() if key not in OF_RUNS})
    told: dict[str, Any] = json.loads(text.replace(base, "BASE"))  # some reasons name it
    return told


@settings(max_examples=40, deadline=None)
@given(before=_cases, after=_cases, rest=_cases, rule=_rules, model=st.sampled_from(["", "@m"]))
def test_suites_compare_as_runs_that_have_them_under_one_name(
    before: Mapping[Key, Drawn],
    after: Mapping[Key, Drawn],
    rest: Mapping[Key, Drawn],
    rule: tuple[str, Any, float] | None,
    model: str,
) -> None:
    """Every number, reason, row and text is the same, whatever else is in the run."""
    suites = {} if rule is None else {"b": SuiteRules(name="b", rules=(drawn_rule(*rule),))}
    rules = Thresholds(suites=suites)
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "llmeval.db")) as store:
        add_drawn(store, "both", a=("old", before), b=("new", after), c=("none", rest))
        add_drawn(store, "earlier", b=("old", before))
        add_drawn(store, "now", b=("new", after))
        found = compared(store, f"both::a{model}", f"both::b{model}", rules)
        assert found == compared(store, f"earlier{model}", f"now{model}", rules)
