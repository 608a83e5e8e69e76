"""What judges will take, said before anything is spent."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.fault_server import FaultServer
from tests.support.judges import verdict
from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": "yes", "target": "yes"} for n in range(10)]
JUDGED = "score.judge_sync(response, rubric='qa')"
FREE = "{input: 0, output: 0}"


@pytest.fixture
def judge() -> Iterator[FaultServer]:
    """A judge's server."""
    with ExitStack() as stack:
        yield stack.enter_context(FaultServer(reply=verdict))


@pytest.fixture
def priced(project: Project, judge: FaultServer) -> Project:
    """A project with a free model, and judges that cost a dollar for a million tokens or that have no price."""
    dollar = "{input: 1, output: 1}"
    project.write(
        models_yaml=f"""
        models:
          free: {{spec: 'openai:echo@{project.server.url}', prices: {FREE}}}
          j: {{spec: 'openai:one@{judge.url}', prices: {dollar}}}
          k: {{spec: 'openai:two@{judge.url}', prices: {dollar}}}
          unpriced: {{spec: 'openai:three@{judge.url}'}}
        """
    )
    project.model = "free"
    return project


def body(*lines: str) -> str:
    """Return an eval with these lines as its body."""
    return "def test_echo(sample, response, score):\n" + "".join(f"    {line}\n" for line in lines)


def estimates(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """Return what the command says of judges, in JSON."""
    done = project.llmeval("estimate", "--json", "evals", "--model=free", *arguments)
    assert done.ret == 0, done.stderr.str()
    return [each for each in json.loads(done.stdout.str()) if each["role"] == "judge"]


@pytest.mark.parametrize(
    ("lines", "judges", "calls"),
    [
        ([JUDGED], ["j"], {"j": 10}),
        ([JUDGED], ["j", "k"], {"j": 10, "k": 10}),
        ([JUDGED], [], {}),
        (["score.exact(response, sample.target)"], ["j"], {}),
        (["score.prefer_sync(response, 'no', rubric='qa')"], ["j"], {"j": 20}),
        (["score.judge_sync(response, rubric='qa', per_dimension=True)"], ["j"], {"j": 30}),
        (["if response.text:", f"    {JUDGED}", "score.judge_sync(response, rubric='summary')"], ["j"], {"j": 20}),
    ],
    ids=["one", "panel", "no judge", "no call", "prefer", "per dimension", "two places"],
)
def test_judge_calls_are_counted_by_the_code_of_the_test(
    priced: Project, judge: FaultServer, lines: list[str], judges: list[str], calls: dict[str, int]
) -> None:
    priced.eval(body(*lines), ROWS)
    found = estimates(priced, *(f"--judge-model={name}" for name in judges))
    assert {each["model"]: each["estimate"]["calls"] for each in found} == calls
    assert all(each["cases"] == 10 and each["estimate"]["cost_usd"] > 0 for each in found)
    assert judge.ledger == priced.server.ledger == []


def test_the_prompt_is_measured_before_a_first_run_and_what_was_recorded_is_used_after_it(priced: Project) -> None:
    priced.eval(body(JUDGED), ROWS)
    (before,) = estimates(priced, "--judge-model=j")
    assert 10 * 300 < before["estimate"]["input_tokens"] < 10 * 900  # the rubric and the rules around it
    assert before["estimate"]["output_tokens"] == 10 * 3 * 100
    assert priced.run("evals", "--judge-model=j", inside=False).ret == 0
    (told,) = priced.rows("SELECT sum(input_tokens) AS i, sum(output_tokens) AS o FROM calls WHERE role = 'judge'")
    for name in ("j", "k"):  # another judge is shown the same
        (after,) = estimates(priced, f"--judge-model={name}")
        took = after["estimate"]
        assert (took["calls"], took["input_tokens"], took["output_tokens"]) == (10, told["i"], told["o"])


def test_a_run_says_how_many_answers_needed_the_judge(priced: Project) -> None:
    """Half of the answers are judged by code; and a call in a function of one's own is seen in no test."""
    priced.eval(
        body("if sample.id in ('r0', 'r1', 'r2', 'r3', 'r4'):", "    ask(response, score)")
        + "\n\ndef ask(answer, book):\n    book.judge_sync(answer, rubric='qa')\n",
        ROWS,
    )
    assert estimates(priced, "--judge-model=j") == []
    assert priced.run("evals", "--judge-model=j", inside=False).ret == 0
    (after,) = estimates(priced, "--judge-model=j")
    assert after["estimate"]["calls"] == 5


def test_models_and_judges_are_told_apart_and_an_unknown_price_is_said(priced: Project) -> None:
    priced.eval(body(JUDGED), ROWS)
    flags = ("--model=free", "--judge-model=unpriced")
    shown = priced.llmeval("estimate", "evals", *flags).stdout.str()
    lines = shown.splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("echo")] == [
        ["echo", "free", "10"],
        ["echo", "judge", "unpriced"],
    ]
    sums = lines[lines.index("") + 1 :]
    assert max(map(len, sums)) < 80
    said = " ".join(" ".join(sums).split())
    assert "models: 10 calls, about 50 tokens in, tokens out unknown" in said
    assert "judges: about 10 calls" in said and "cost unknown; verdicts in the cache cost nothing; a reply" in said
    assert "together: about 20 calls" in said
    (found,) = estimates(priced, "--judge-model=unpriced")
    assert found["estimate"]["cost_usd"] is None


def test_a_listing_says_what_judges_take(priced: Project) -> None:
    priced.eval(body(JUDGED), ROWS)
    said = " ".join(priced.run("evals", "--co", "-q", "--judge-model=j", inside=False).stdout.str().split())
    assert "these cases take 10 calls" in said
    assert "judges about 10 calls" in said


@pytest.mark.parametrize("rubric", ["'ab' + 'sent'", "'absent.yaml'[:]", "sample.metadata['rubric']"])
def test_a_rubric_that_cannot_be_told_leaves_tokens_and_cost_unknown(priced: Project, rubric: str) -> None:
    priced.eval(body(f"score.judge_sync(response, rubric={rubric})"), ROWS)
    (found,) = estimates(priced, "--judge-model=j")
    took = found["estimate"]
    assert (took["calls"], took["input_tokens"], took["cost_usd"]) == (10, None, None)


def test_an_estimate_has_what_is_sent_beside_the_messages(priced: Project) -> None:
    """As the bound of --max-cost has it: tools can be longer than a prompt."""
    tool = "{'type': 'function', 'function': {'name': 'f', 'description': 'x' * 4000}}"
    priced.eval("def test_echo(response):\n    pass\n", ROWS, marker=f"params={{'tools': [{tool}]}}")
    assert "10 calls, about 10,000 tokens in" in priced.llmeval("estimate", "evals", "--model=free").stdout.str()


def test_answers_that_were_paid_for_are_judged_though_no_further_one_fits(priced: Project, judge: FaultServer) -> None:
    """Three answers of a dollar in 3.5, none with a bound, all before their judgements, of less than a cent each."""
    priced.write(
        models_yaml=f"""
        models:
          dear: {{spec: 'openai:echo@{priced.server.url}', prices: {{input: 0, output: 1000000}}}}
          j: {{spec: 'openai:one@{judge.url}', prices: {{input: 1, output: 1}}}}
        """
    )
    priced.eval(body(JUDGED), [{**row, "target": f"yes {row['id']}"} for row in ROWS])
    result = priced.run("evals", "--judge-model=j", "--max-cost=3.5", model="dear")
    assert (result.ret, len(priced.server.ledger), len(judge.ledger)) == (10, 3, 3)
    assert sorted(priced.cases().values()) == 7 * ["error"] + 3 * ["passed"]
    told = "not asked: it may cost $1.0000, as the dearest so far, and $0."
    errors = priced.rows("SELECT error FROM cases WHERE outcome = 'error'")
    assert all(told in row["error"] for row in errors)
