"""An app that calls a model itself, past the fixtures: what a session can say of it, and what it does not."""

import pytest

from tests.cli.conftest import Command
from tests.support.project import Project

ROWS = [{"id": name, "input": name, "target": name} for name in ("Paris", "Havana")]
APP = """
def test_own(sample, score):
    score.contains("Paris,\\nPeru", sample.target)
"""
WITH_THE_MODEL = """
def test_some(sample, model, score):
    score.contains(model.generate_sync() if sample.id == "Paris" else "Havana", sample.target)
"""
MODELS = "models: {small: {spec: '%s', prices: {input: 1, output: 1}}, big: {spec: '%s'}}\n"
NOTE = "suite own made no call through model or response: if it asks a model by itself, that is not counted and not"
RULES = "{contains: {min: 0.1}, cost_usd: {max_total: 0.1}, input_tokens: {max_total: 9}"


@pytest.fixture
def own(project: Project) -> Project:
    """A project in which one suite asks no fixture, and another for one of its two rows."""
    project.eval(APP, ROWS, name="own")
    project.eval(WITH_THE_MODEL, ROWS, name="some", marker="params={'max_tokens': 5}")
    project.write(models_yaml=MODELS % (project.model, project.model))
    project.model = "small"
    return project


def test_no_rule_on_calls_passes_where_none_is_recorded(own: Project) -> None:
    """A row that makes none among others that do takes part with its zeros, and no call takes no tokens."""
    own.write(thresholds_yaml=f"version: 1\nsuites: {{own: {RULES}, latency_s: {{max_p95: 9}}}}, some: {RULES}}}}}\n")
    listed = " ".join(own.run("evals", "--co", "-q", "-k", "some").stdout.str().split())
    assert "these cases take 2 calls, about 12 tokens in, 10 out, under $0.01" in listed
    result = own.run("evals")
    assert result.ret == 10
    assert f"{NOTE} chosen by --model " in " ".join(result.stdout.str().split())
    found = own.rows("SELECT suite, metric, value, verdict, reason FROM verdicts WHERE metric != 'contains'")
    told = {(row["suite"], row["metric"]): (row["value"], row["verdict"], row["reason"]) for row in found}
    nothing = (None, "unmeasurable", "no call of this suite went through the fixtures")
    assert told == {
        **{("own", metric): nothing for metric in ("cost_usd", "input_tokens", "latency_s")},
        ("some", "cost_usd"): (pytest.approx(0, abs=1e-4), "pass", None),
        ("some", "input_tokens"): (7, "pass", None),
    }


def test_an_estimate_does_not_say_that_they_cost_nothing(own: Project, installed: Command) -> None:
    """Neither before a run nor after one in which a suite could have asked a fixture, and asked none."""
    own.eval(APP.replace("own(sample", "other(sample, model"), ROWS, name="other")
    for is_known in (False, True):
        told = " ".join(own.run("evals", "--co", "-q").stdout.str().split())
        found = installed("estimate", "--json", "--model=small", cwd=own.root).json()
        silent = [each["suite"] for each in found if each["estimate"]["input_tokens"] is None]
        assert silent == (["other", "own"] if is_known else ["own"])
        assert all(f"suite {name}: no call through response, model or a judge is known" in told for name in silent)
        assert "cost unknown" in told
        assert told.count("one call of each case is counted") == (0 if is_known else 1)
        own.run("evals")


@pytest.mark.parametrize(("more", "told"), [((), None), (("--max-cost=1",), f"{NOTE} limited by --max-cost ")])
def test_they_are_told_of_only_beside_an_option_that_does_not_hold_for_them(
    own: Project, more: tuple[str, ...], told: str | None
) -> None:
    """What scores stored answers asks nobody, and a model that the project names once is none that anybody chose."""
    said = " ".join(own.run("evals", "-o", "llmeval_model=small", *more, model="").stdout.str().split())
    assert told in said if told is not None else "made no call" not in said


def test_they_are_told_of_where_a_variable_chose_the_model(own: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does in a workflow; what scores the answers again asks nobody, whatever the variable says."""
    monkeypatch.setenv("LLMEVAL_MODEL", "small")
    assert f"{NOTE} chosen by --model or LLMEVAL_MODEL" in " ".join(own.run("evals", model="").stdout.str().split())
    assert "made no call" not in own.run("evals", "--llmeval-rescore=last", model="").stdout.str()


def test_a_suite_that_asked_nothing_as_it_did_not_come_to_that_is_not_told(own: Project) -> None:
    own.eval("def test_own(score):\n    __import__('pytest').skip()\n", ROWS, name="own")
    own.eval("def test_some(response):\n    pass\n", ROWS, name="some")
    assert "made no call" not in own.run("evals").stdout.str()


def test_a_comparison_shows_no_zeros_for_them(own: Project, llmeval: Command) -> None:
    """Nor half a reason, which stands in the place of the answers that were not recorded."""
    own.run("evals", "--run-name=one")
    own.eval(APP.replace("Paris", "Havana"), name="own")
    own.run("evals", "--model=big", "--run-name=two")
    lines = llmeval("compare", "one", "two@small").out.splitlines()
    measured = [line.split()[0] for line in lines if line.startswith(("  input_tokens", "  cost_usd", "  error_rate"))]
    assert measured == ["error_rate", "input_tokens", "cost_usd", "error_rate"]
    first = lines.index("  worse: own Paris: contains 1 to 0")
    assert lines[first + 2 : first + 6] == [
        "    before    (passed)",
        "    now       (missed) contains: 0 is under the pass mark 1",
        '              not found: "Paris"',
        '              in "Havana,\\nPeru"',
    ]


def test_an_answer_of_several_calls_stands_beside_the_input_of_its_row(own: Project, llmeval: Command) -> None:
    """What was asked first is no question to the last answer; of one call the prompt is, whatever the row says."""
    body = """
    def test_own(sample, model, score):
        model.generate_sync("Give me search words.")
        score.contains(model.generate_sync("%s"), sample.target)

    """
    own.eval(body % "Paris, Havana", ROWS, name="own")
    own.run("evals/test_own.py", "--run-name=one")
    own.eval(body % "Paris", name="own")
    own.run("evals/test_own.py", "--run-name=two")
    lines = llmeval("compare", "one", "two").out.splitlines()
    place = lines.index("  worse: own Havana: contains 1 to 0")
    assert lines[place + 1 : place + 5] == [
        "    asked     Havana",
        "    expected  Havana",
        "    before    Paris, Havana",
        "    now       Paris",
    ]
    assert "search words" not in llmeval("export", "csv", "two").out
    own.run("evals/test_some.py")
    assert own.rows("SELECT input FROM cases WHERE suite = 'some'") == 2 * [{"input": None}]


def test_that_input_is_the_row_as_it_was_read_without_its_pictures(own: Project) -> None:
    """A body that goes on with the row's own messages puts no answer into it."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + 99 * "iVBOR"}}
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"text": "What?"}, picture]}]
    body = """
    def test_own(sample, model):
        for again in ("really?", "sure?"):
            answer = model.generate_sync([{"role": "user", "content": "x"}]).text
            sample.input.append({"role": "assistant", "content": answer})
            sample.input.append({"role": "user", "content": again})
    """
    own.eval(body, [{"id": "a", "input": asked}], name="own")
    own.run("evals/test_own.py")
    assert own.rows("SELECT input FROM cases") == [{"input": "system:\nBe brief.\n\nuser:\nWhat?\n(image_url)"}]


KEEPS = """
def test_kept(sample, model, score):
    if sample.input not in KEPT:
        KEPT[sample.input] = model.generate_sync().text
    score.contains(KEPT[sample.input], sample.target)

KEPT = {}
"""
SHARED = "no call was made, though another epoch or model of the same row made one; if the application keeps answers,"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--epochs=3",), f"warning: suite kept (4 cases): {SHARED}"),
        (("--model=big",), f"warning: suite kept (2 cases): {SHARED}"),
        (("--cache=use", "--epochs=1"), None),
    ],
)
def test_answers_that_an_application_keeps_are_no_results_of_other_epochs_and_models(
    own: Project, llmeval: Command, arguments: tuple[str, ...], told: str | None
) -> None:
    """Its cache gives all of them the first one's, so that they agree; one that makes calls for some rows only may."""
    own.eval(KEEPS, ROWS, name="kept")
    said = " ".join(own.run("evals", *arguments, inside=False).stdout.str().split())
    shown = " ".join(llmeval("show", "last").out.split())
    for text in (said, shown):
        assert told in text if told else SHARED not in text, text
        assert "suite some (" not in text
