"""Which bound of an answer goes out, of those that models.yaml, the marker and the call state."""

import json

import pytest

from tests.support.project import Project

BODY = """
def test_echo(model):
    model.generate_sync({call})
"""


@pytest.mark.parametrize(
    ("own", "marker", "call", "sent"),
    [
        ({"max_completion_tokens": 500}, {"max_tokens": 20}, "", {"max_tokens": 20}),
        ({"max_tokens": 500}, {"max_completion_tokens": 20}, "", {"max_completion_tokens": 20}),
        ({"max_tokens": 500}, {"max_tokens": 20}, "max_completion_tokens=5", {"max_completion_tokens": 5}),
        ({"max_completion_tokens": 500}, {}, "max_tokens=5", {"max_tokens": 5}),
    ],
    ids=str,
)
def test_the_latest_level_states_the_bound(
    project: Project, own: dict[str, int], marker: dict[str, int], call: str, sent: dict[str, int]
) -> None:
    project.write(models_yaml=f"models: {{mine: {{spec: '{project.model}', params: {json.dumps(own)}}}}}\n")
    project.eval(BODY.format(call=call), [{"id": "a", "input": "hello"}], marker=f"params={marker}")
    project.run("evals", model="mine").assert_outcomes(passed=1)
    (entry,) = project.server.ledger
    assert {name: value for name, value in entry.body.items() if name.startswith("max_")} == sent
