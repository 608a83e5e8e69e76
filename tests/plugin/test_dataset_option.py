"""``--llmeval-dataset``: an eval over other rows than its marker names."""

from tests.support.project import Project, jsonl
from tests.support.row_evals import EXACT


def test_the_rows_of_the_file_take_the_place_of_the_markers(project: Project) -> None:
    project.eval(EXACT, [{"id": "own", "input": "a", "target": "a"}])
    project.write(data__val_jsonl=jsonl({"id": "v1", "input": "b", "target": "b"}, {"id": "v2", "input": "c"}))
    assert project.run("evals", "--llmeval-dataset=data/val.jsonl", "--limit=1").ret == 0
    assert project.cases() == {"v1": "passed"}
    assert project.settings()["options"]["dataset"] == "data/val.jsonl"


def test_a_file_that_is_not_there_is_a_usage_error(project: Project) -> None:
    project.eval(EXACT, [{"id": "own", "input": "a", "target": "a"}])
    result = project.run("evals", "--llmeval-dataset=data/vall.jsonl")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*data/vall.jsonl: No such file or directory; a path is relative to the rootdir*"])
    assert project.server.ledger == []


def test_a_run_of_other_rows_is_scored_again_and_gone_on_with_over_them(project: Project) -> None:
    project.eval(EXACT, [{"id": "own", "input": "a", "target": "a"}])
    project.write(data__val_jsonl=jsonl({"id": "v1", "input": "b", "target": "b"}, {"id": "v2", "input": "c"}))
    assert project.run("evals", "--llmeval-dataset=data/val.jsonl", "--limit=1").ret == 0
    assert project.run("evals", "--llmeval-rescore=last", model="").ret == 0
    assert project.cases() == {"v1": "passed"}
    (first,) = project.rows("SELECT id FROM runs ORDER BY started_at LIMIT 1")
    result = project.run("evals", f"--resume={first['id']}", "--llmeval-dataset=data/other.jsonl")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--llmeval-dataset is 'data/other.jsonl' here and was 'data/val.jsonl' for the run*"])
