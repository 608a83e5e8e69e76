"""The temperature at which a judge is asked: 0 or its own, and what it makes of the judge."""

import json
from typing import Any

import pytest

from pytest_llmeval.bridge.config.model_facts import model_digest
from pytest_llmeval.core.judge.asking import judge_id
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.loaders.rubrics import load_rubric
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.specs import parse_spec
from tests.support.judges import ROWS, Judged, verdict
from tests.support.project import Project

EVAL = """
async def test_echo(sample, model, score):
    await score.judge(await model.generate(), rubric="qa", gates=False)
"""


def test_a_judge_is_asked_at_its_own_temperature_else_at_0(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    """That 0 is written out makes no other judge: its verdicts are found again under the same judge_id."""
    server = judged_by(verdict)
    written = f"spec: 'openai:x@{server.url}', params: {{seed: 7"
    ways = {"a": "", "b": ", temperature: 0.0", "c": ", temperature: 0.7"}
    project.write(
        models_yaml="\n".join(["models:", *(f"  {name}: {{{written}{way}}}}}" for name, way in ways.items())])
    )
    project.eval(EVAL, ROWS[:1])
    sent = []
    for name in ways:
        assert project.run("evals", f"--judge-model={name}", *spread).ret == 0
        sent.append([(entry.body["temperature"], entry.body["seed"]) for entry in server.ledger])
    assert sent == [[(0, 7)], [(0, 7)], [(0, 7), (0.7, 7)]]
    a, b, c = (json.loads(row["settings_json"])["judge_digests"] for row in project.rows("SELECT * FROM runs"))
    assert a["a"] == b["b"] != c["c"]
    rows = project.rows("SELECT judge_id FROM judges JOIN runs ON id = run_id ORDER BY started_at")
    first, second, third = (row["judge_id"] for row in rows)
    assert first == second != third


@pytest.mark.parametrize(
    ("own", "is_known"), [("seed: 7", True), ("seed: 7, temperature: 0", True), ("temperature: 0.7", False)]
)
def test_a_judge_that_was_asked_at_0_all_the_same_is_another_one(
    project: Project, judged_by: Judged, own: str, is_known: bool
) -> None:
    """As versions did that sent no temperature of its own: labels, baselines and runs of theirs are of that judge."""
    spec = f"openai:x@{judged_by(verdict).url}"
    project.write(models_yaml=f"models:\n  a: {{spec: '{spec}', params: {{{own}}}}}\n")
    project.eval(EVAL, ROWS[:1])
    assert project.run("evals", "--judge-model=a").ret == 0
    params: dict[str, Any] = {"temperature": 0.7} if "0.7" in own else {"seed": 7}
    asked = NamedModel(name="a", spec=parse_spec(spec), params=params)
    (judge,) = project.rows("SELECT * FROM judges")
    run = project.last_run()
    assert json.loads(judge["detail"])["judges"] == [[asked.spec.text, params]]
    rubric = load_rubric("qa", rootdir=project.root, test_file=project.root / "evals" / "test_echo.py")
    assert (judge["judge_id"] == judge_id(rubric, canonical([asked.spec.text, params]))) == is_known
    settings = json.loads(run["settings_json"])
    assert (settings["judge_digests"]["a"] == model_digest(asked, None)) == is_known
