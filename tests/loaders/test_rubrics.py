"""Rubrics are read strictly: every mistake is named with file, line and key."""

from pathlib import Path

import pytest

from pytest_llmeval.core.errors import RubricError
from pytest_llmeval.core.judge.rubric import Rubric
from pytest_llmeval.loaders.rubrics import load_rubric, shipped_rubrics

GOOD = """\
version: 2
task: A poem was asked for.
needs_reference: false
dimensions:
  rhyme:
    question: Does it rhyme?
    weight: 2.5
    pass_mark: 0.5
    gates: false
    levels:
      always: {value: 1, anchor: every line}
      never: {value: 0, anchor: no line}
      at_times: {value: 0.5, anchor: some lines}
"""


def load(folder: Path, text: str) -> Rubric:
    """Return the rubric that ``text`` is."""
    (folder / "poem.yaml").write_text(text, encoding="utf-8")
    return load_rubric("poem.yaml", rootdir=folder, test_file=folder / "evals" / "test_poem.py")


def test_a_rubric_of_ones_own(tmp_path: Path) -> None:
    """Its levels come in the order of their values."""
    rubric = load(tmp_path, GOOD)
    assert (rubric.name, rubric.version, rubric.task, rubric.needs_reference) == (
        "poem",
        2,
        "A poem was asked for.",
        False,
    )
    (rhyme,) = rubric.dimensions
    assert (rhyme.name, rhyme.weight, rhyme.pass_mark, rhyme.gates) == ("rhyme", 2.5, 0.5, False)
    assert [(level.name, level.value) for level in rhyme.levels] == [("never", 0), ("at_times", 0.5), ("always", 1)]


def test_a_change_is_read_and_makes_another_digest(tmp_path: Path) -> None:
    before = load(tmp_path, GOOD)
    assert load(tmp_path, GOOD).digest == before.digest
    assert load(tmp_path, GOOD.replace("every line", "each line")).digest != before.digest


def test_it_may_stand_beside_the_test(tmp_path: Path) -> None:
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "poem.yml").write_text(GOOD)
    assert load_rubric(Path("poem.yml"), rootdir=tmp_path, test_file=tmp_path / "evals" / "test_poem.py").version == 2


@pytest.mark.parametrize("name", shipped_rubrics())
def test_the_shipped_rubrics_are_good(name: str, tmp_path: Path) -> None:
    rubric = load_rubric(name, rootdir=tmp_path, test_file=tmp_path / "test_x.py")
    assert rubric.name == name
    assert any(dimension.gates for dimension in rubric.dimensions)
    for dimension in rubric.dimensions:
        assert (dimension.levels[0].value, dimension.levels[-1].value) == (0, 1)
        assert dimension.question.endswith("?")


def test_the_shipped_are_those_that_are_promised() -> None:
    assert shipped_rubrics() == ("grounded", "json_semantic", "qa", "summary")


@pytest.mark.parametrize(
    ("rubric", "problem"),
    [
        ("qaa", "no rubric 'qaa'; did you mean 'qa'?; one of your own is a path ending in .yaml"),
        ("zebra", "no rubric 'zebra'; there are 'grounded', 'json_semantic', 'qa', 'summary'; one"),
        ("gone.yaml", "gone.yaml: no such rubric; a path is relative to the rootdir or to the test file"),
        ("../out.yaml", "leads out of the rootdir"),
        ("", "rubric must be a name or a path, found ''"),
    ],
)
def test_what_is_not_there_says_what_is(tmp_path: Path, rubric: str, problem: str) -> None:
    with pytest.raises(RubricError) as caught:
        load_rubric(rubric, rootdir=tmp_path, test_file=tmp_path / "test_x.py")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version: 2\n", "", "poem.yaml:1: version: is missing"),
        ("version: 2", "version: 0", "poem.yaml:1: version: found 0; write a whole number from 1 up"),
        ("needs_ref", "need_ref", "poem.yaml:3: need_reference: unknown key 'need_reference'; did you mean 'needs_ref"),
        ("weight: 2.5", "weight: 0", "poem.yaml:7: dimensions.rhyme.weight: found 0; write a number above 0"),
        ("weight:", "wieght:", "poem.yaml:7: dimensions.rhyme.wieght: unknown key 'wieght'; did you mean 'weight'?"),
        ("gates: false", "gates: 0", "poem.yaml:9: dimensions.rhyme.gates: found 0; write true or false"),
        ("  rhyme:", "  Reim ä:", "poem.yaml:4: dimensions: "),
        ("  rhyme:", "  Güte:", "dimensions: Güte cannot be a name here; write letters from a to z, digits and _"),
        ("  rhyme:", "  nonce:", "poem.yaml:4: dimensions: nonce cannot be a name here"),
        ("value: 0.5", "value: 1.5", "poem.yaml:13: dimensions.rhyme.levels.at_times.value: found 1.5"),
        ("value: 0.5", "value: 1", "poem.yaml:10: dimensions.rhyme.levels: two levels have one value"),
        (", anchor: some lines", "", "poem.yaml:13: dimensions.rhyme.levels.at_times.anchor: is missing"),
        ("value: 1,", "value: 0.4,", "poem.yaml:10: dimensions.rhyme.levels: no level reaches the pass mark 0.7"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    mark = GOOD.replace("pass_mark: 0.5", "pass_mark: 0.7")
    with pytest.raises(RubricError) as caught:
        load(tmp_path, mark.replace(old, new))
    assert problem in str(caught.value)


def test_one_level_is_no_choice(tmp_path: Path) -> None:
    kept = [line for line in GOOD.splitlines() if "never" not in line and "at_times" not in line]
    with pytest.raises(RubricError, match="two levels or more"):
        load(tmp_path, "\n".join(kept))
