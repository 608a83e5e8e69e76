"""``-m`` and ``-k`` that leave no eval, as no eval has what they name."""

from typing import Any

import pytest

from tests.support.project import Project

ROWS: list[dict[str, Any]] = [
    {"id": "policy-1", "input": "a", "marks": ["regression"]},
    {"id": "refund-2", "input": "b"},
]


@pytest.mark.parametrize(("arguments", "told"), [
    (["evals", "-m", "regresion"], "-m: no eval or row here has the mark 'regresion'; did you mean 'regression'?"),
    (["-m", "not slow and regresion"], "-m: no eval or row here has the mark 'regresion'; did you mean 'regression'?"),
    (["evals", "-n2", "-m", "judged"], "-m: no eval or row here has the mark 'judged'"),
    (["evals", "-k", "clasify"], "-k: no eval or row here has the name 'clasify'; did you mean 'classify'?"),
    (["evals", "-k", "polcy-1"], "-k: no eval or row here has the name 'polcy-1'; did you mean 'policy-1'?"),
    (["evals", "-k", "policy and refund"], None),
])  # fmt: skip
def test_a_word_that_fits_nothing_is_named(project: Project, arguments: list[str], told: str | None) -> None:
    project.eval("def test_classify(response):\n    pass\n", ROWS, name="classify")
    result = project.run(*arguments)
    assert result.ret == 5
    found = [line for line in result.stdout.str().splitlines() if line.startswith("llmeval: ")]
    assert found == ([] if told is None else [f"llmeval: {told}"])
    assert not project.server.ledger


def test_nothing_is_said_of_other_tests_or_where_evals_are_left(project: Project) -> None:
    project.eval("def test_classify(response):\n    pass\n", ROWS, name="classify")
    project.write(tests__test_more_py="def test_more():\n    pass\n")
    others = (["tests", "-k", "clasify"], ["tests", "evals", "-k", "more"])
    for arguments in (*others, ["evals", "-k", "policy or clasify"]):
        assert "llmeval: -" not in project.run(*arguments).stdout.str()


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (("--limit=2",), " (of the rows that --limit left)"),
        (("--slice=even", "--limit=1"), " (of the rows that --slice and --limit left)"),
        ((), ""),
    ],
)
def test_rows_that_other_options_left_out_may_have_the_word(
    project: Project, arguments: tuple[str, ...], left: str
) -> None:
    """So it is said of the others alone."""
    rows = [{"id": f"r{n}", "input": "q", "slice": "odd" if n % 2 else "even"} for n in range(4)]
    project.eval("def test_echo(sample):\n    pass\n", [*rows[:3], {**rows[3], "marks": ["regression"]}])
    word = "regression" if arguments else "regresion"
    result = project.run("evals", "-m", word, *arguments)
    assert result.ret == 5
    text = " ".join(result.stdout.str().split())
    assert f"-m: no eval or row here has the mark '{word}'{left}" in text
    assert ("(of the rows" in text) is bool(left)
