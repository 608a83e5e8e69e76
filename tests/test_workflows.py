"""The workflows of this repository: their shell steps run, in a project as small as a test, with the fault server."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.fault_server import Entry, FaultHandler
from tests.support.pages import BLOCKS
from tests.support.project import Project
from tests.support.row_evals import EXACT
from tests.support.sessions import asked, requests
from tests.support.workflow import Workflow

FOLDER = Path(__file__).parent.parent / ".github" / "workflows"
ROWS: list[dict[str, Any]] = [
    {"id": f"row{number}", "input": f"q{number}", "target": f"q{number}", "marks": ["regression"]}
    for number in range(12)
]
WORSE = """
def test_echo(sample, response, score):
    score.exact(response.text.replace("q1", "x").replace("q2", "x"), sample.target)
"""
GATE = "version: 1\nbaseline: data/baselines/smollm2.jsonl\nsuites: {echo: {exact: {min: 0.5, max_drop: 0.02}}}\n"


@pytest.fixture
def checkout(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose commands are those of this environment."""
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=GATE)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    return project


def regression(project: Project, event: str, run_id: str = "7") -> dict[str, Any]:
    """Return the workflow for an event, and the environment that a runner would give it."""
    model = "!github.event.pull_request.head.repo.fork && vars.LLMEVAL_MODEL || 'local:smollm2'"
    key = "!github.event.pull_request.head.repo.fork && secrets.OPENAI_API_KEY || ''"
    values = {model: project.model, key: "", "github.run_id": run_id, "github.run_attempt": "1"}
    return {"flow": Workflow(FOLDER / "regression.yaml", values), "cwd": project.root, "GITHUB_EVENT_NAME": event}


def step(name: str, flow: Workflow, **environ: Any) -> Any:
    return flow.run("regression", name, **environ)


def fresh(project: Project) -> None:
    """Leave what a new machine has: the files of the repository, and what the cache gives back."""
    for name in (".llmeval", "comment"):
        shutil.rmtree(project.root / name, ignore_errors=True)


def merged_to_main(project: Project) -> None:
    """Let main run once and keep its baseline."""
    told = regression(project, "push", "1")
    for name in ("Run the evals", "Keep the run of main as the next baseline"):
        done = step(name, **told)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (project.root / "baseline.jsonl").is_file()
    fresh(project)


def test_a_pull_request_is_compared_with_main_and_fails_where_it_is_worse(checkout: Project) -> None:
    merged_to_main(checkout)
    checkout.eval(WORSE)
    told = regression(checkout, "pull_request")
    done = step("Run the evals", **told)
    assert done.returncode == 1
    assert "fail: exact max_drop=0.02" in done.stdout
    assert "compared with baseline main" in done.stdout
    assert (checkout.root / "report.html").is_file()
    assert (checkout.root / "junit.xml").is_file()
    assert step("Compare with the baseline", **told).returncode == 0
    comment = (checkout.root / "comment" / "comment.md").read_text("utf-8")
    assert comment.startswith("### ")
    assert "4 for the worse" in comment


def test_a_pull_request_that_changes_nothing_passes(checkout: Project) -> None:
    merged_to_main(checkout)
    told = regression(checkout, "pull_request")
    assert step("Run the evals", **told).returncode == 0
    assert step("Compare with the baseline", **told).returncode == 0
    assert "0 for the worse" in (checkout.root / "comment" / "comment.md").read_text("utf-8")


def test_without_a_run_of_main_the_committed_baseline_counts(checkout: Project) -> None:
    merged_to_main(checkout)
    (checkout.root / "data" / "baselines").mkdir()
    (checkout.root / "baseline.jsonl").rename(checkout.root / "data" / "baselines" / "smollm2.jsonl")
    told = regression(checkout, "pull_request")
    done = step("Run the evals", **told)
    assert done.returncode == 0
    assert "compared with baseline data/baselines/smollm2.jsonl" in done.stdout
    assert step("Compare with the baseline", **told).returncode == 0


def test_a_pull_request_that_cannot_run_gets_no_comparison_with_itself(checkout: Project) -> None:
    """The only run of the database is then that of main."""
    merged_to_main(checkout)
    checkout.write(data__echo_jsonl="{")
    told = regression(checkout, "pull_request")
    assert step("Run the evals", **told).returncode == 4
    assert step("Compare with the baseline", **told).returncode == 4
    assert list((checkout.root / "comment").iterdir()) == []


def test_a_red_run_of_main_is_no_baseline(checkout: Project) -> None:
    checkout.eval(EXACT, [{**row, "target": "something else"} for row in ROWS])
    told = regression(checkout, "push")
    assert step("Run the evals", **told).returncode == 1
    assert step("Keep the run of main as the next baseline", **told).returncode == 4
    assert not (checkout.root / "baseline.jsonl").exists()


def test_the_key_of_the_cache_tells_models_apart_and_takes_any_spec(checkout: Project, tmp_path: Path) -> None:
    keys = set()
    for number, model in enumerate(("gpt-4o-mini", "openai:a,b@http://h:1/v1", "$(touch hacked)")):
        told = regression(checkout, "push")
        output = tmp_path / f"output{number}"
        done = step("Name the baseline by its model", **told, LLMEVAL_MODEL=model, GITHUB_OUTPUT=str(output))
        assert done.returncode == 0
        keys.add(output.read_text("utf-8"))
    assert len(keys) == 3
    assert all(key.startswith("key=llmeval-baseline-") and len(key) == 35 for key in keys)
    assert not (checkout.root / "hacked").exists()


def test_machines_run_their_parts_and_one_judges_the_whole(checkout: Project, tmp_path: Path) -> None:
    """Each part has a folder of its own, as the artifacts of a matrix have."""
    checkout.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.9}}}\n")
    checkout.eval(EXACT, [{**row, "target": "no" if row["id"] == "row3" else row["target"]} for row in ROWS])
    for number in (1, 2, 3, 4):
        values = {
            "vars.LLMEVAL_MODEL || 'local:smollm2'": checkout.model,
            "secrets.OPENAI_API_KEY": "",
            "matrix.shard": str(number),
            "strategy.job-total": "4",
        }
        flow = Workflow(FOLDER / "sharded.yaml", values)
        done = flow.run("shard", "Run this part of the evals", cwd=checkout.root)
        assert done.returncode == 0, done.stdout
        (checkout.root / "shards").mkdir(exist_ok=True)
        (checkout.root / ".llmeval").rename(checkout.root / "shards" / f"shard-{number}")
    done = flow.run("merge", "Join the parts and judge the whole", cwd=checkout.root)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = tmp_path / "summary.md"
    assert flow.run("merge", "Show the run", cwd=checkout.root, GITHUB_STEP_SUMMARY=str(summary)).returncode == 0
    assert "**echo** on echo: 11 passed, 1 missed" in summary.read_text("utf-8")
    shutil.rmtree(checkout.root / ".llmeval")
    shutil.rmtree(checkout.root / "shards" / "shard-2")
    done = flow.run("merge", "Join the parts and judge the whole", cwd=checkout.root)
    assert done.returncode == 4
    assert "shard 2/4 is missing" in done.stderr


def test_the_shards_of_the_page_are_compared_with_main(checkout: Project, tmp_path: Path) -> None:
    """Without a run of main in the cache, the job that merges warns of it."""
    checkout.write(thresholds_yaml=GATE.replace("data/baselines/smollm2.jsonl", "main"))
    sample = next(each for each in BLOCKS if each.page.endswith("github-actions.md") and "name: sharded" in each.text)
    path = tmp_path / "sharded.yaml"
    path.write_text(sample.text, encoding="utf-8")

    def judged(event: str, run_id: str) -> str:
        fresh(checkout)
        flow = Workflow(path, {"github.run_id": run_id})
        for number in (1, 2):
            file = f"--llmeval-db=shards/shard-{number}/llmeval.db"
            assert checkout.run("evals", f"--shard={number}/2", file, f"--run-name=sharded-{run_id}").ret == 0
        environ = {"GITHUB_EVENT_NAME": event, "HOME": str(tmp_path), "GITHUB_STEP_SUMMARY": str(tmp_path / run_id)}
        names = ["Join the parts and judge the whole", "Show the run", "Keep the run of main as the next baseline"]
        done = [flow.run("merge", name, cwd=checkout.root, **environ) for name in names[: 2 if event != "push" else 3]]
        assert [each.returncode for each in done] == [0] * len(done), done
        assert "12 passed" in (tmp_path / run_id).read_text("utf-8")
        return done[0].stdout

    assert "\n::warning::no run of main" in f"\n{judged('pull_request', '1')}"
    judged("push", "2")
    told = judged("pull_request", "3")
    assert "compared with baseline main" in told and "warning" not in told


def test_a_shard_of_the_page_that_is_run_again_pays_for_nothing_twice(
    checkout: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its second attempt has the artifact of the first, and goes on; what has ended is not asked once more."""
    sample = next(each for each in BLOCKS if each.page.endswith("github-actions.md") and "name: sharded" in each.text)
    path = tmp_path / "sharded.yaml"
    path.write_text(sample.text, encoding="utf-8")
    flow = Workflow(path, {"github.run_id": "7", "matrix.shard": "1", "strategy.job-total": "2"})
    monkeypatch.setenv("LLMEVAL_MODEL", checkout.model)
    monkeypatch.setenv("LLMEVAL_MAX_CONNECTIONS", "1")

    def attempt() -> int:
        return flow.run("shard", "Run this part of the evals", cwd=checkout.root).returncode

    normal = FaultHandler._normal

    def without_money(handler: FaultHandler, entry: Entry) -> None:
        if len(checkout.server.ledger) > 2:
            handler._error(402, "no money")
        else:
            normal(handler, entry)

    with monkeypatch.context() as emptied:
        emptied.setattr(FaultHandler, "_normal", without_money)
        assert attempt() == 10
    (*answered, refused) = asked(checkout.server)
    assert len(answered) == 2 and attempt() == 0
    assert [text for text, count in requests(checkout.server).items() if count > 1] == [refused]
    before = len(checkout.server.ledger)
    assert attempt() == 0 and len(checkout.server.ledger) == before
    assert [each["name"] for each in checkout.rows("SELECT name FROM runs")] == ["sharded-7"]


GH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$GH_LOG"
case "$*" in
  *"--method GET"*/pulls*) printf '%s' "$GH_NUMBER" ;;
  *runs/77/artifacts*) printf '%s' "$GH_KEPT" ;;
  *--paginate*) printf '%s' "$GH_MINE"; exit "${GH_LISTING:-0}" ;;
  *) for argument; do case "$argument" in body=@*) cp "${argument#body=@}" "$GH_BODY" ;; esac; done ;;
esac
"""


class Commenter:
    """The workflow that comments, with a stand-in for GitHub's own command that notes what it is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.body = folder / "body"
        (folder / "bin").mkdir()
        command = folder / "bin" / "gh"
        command.write_text(GH)
        command.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder / "bin"), prepend=":")
        (folder / "temp" / "comment").mkdir(parents=True)
        self.text = folder / "temp" / "comment" / "comment.md"
        run = "github.event.workflow_run"
        values = {
            "github.token": "t",
            f"{run}.head_repository.owner.login": "somebody",
            f"{run}.head_branch": "a branch; touch hacked",
            f"{run}.head_sha": "c" * 40,
            f"{run}.id": "77",
            f"{run}.html_url": "https://example.invalid/run",
        }
        self._flow = Workflow(FOLDER / "comment.yaml", values)

    def run(self, number: str = "12", mine: str = "", *, kept: int = 0, status: int = 0) -> list[str]:
        """Comment; return what GitHub's command was told. ``kept``: artifacts of the run; ``status``: how it ends."""
        log = self.folder / "log"
        log.write_text("")
        told = {"GH_LOG": str(log), "GH_BODY": str(self.body), "GH_NUMBER": number, "GH_MINE": mine}
        runner = {"RUNNER_TEMP": str(self.folder / "temp"), "GITHUB_REPOSITORY": "us/ours"}
        environ = {**runner, **told, "GH_KEPT": str(kept)}
        done = self._flow.run("comment", "Comment", cwd=self.folder, **environ)
        assert done.returncode == status, done.stderr
        assert not (self.folder / "hacked").exists()
        return log.read_text("utf-8").splitlines()


@pytest.fixture
def commenter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commenter:
    return Commenter(tmp_path, monkeypatch)


def test_a_comment_is_written_once_and_updated_afterwards(commenter: Commenter) -> None:
    commenter.text.write_text("### ✅ llmeval: nothing changed\n", encoding="utf-8")
    asked, _, written = commenter.run()
    assert "-f state=open -f head=somebody:a branch; touch hacked" in asked
    assert f'.head.sha == "{"c" * 40}"' in asked
    assert "--method POST repos/us/ours/issues/12/comments" in written
    assert commenter.run(mine="34")[-1].startswith("api --method PATCH repos/us/ours/issues/comments/34 -F body=@")
    lines = commenter.body.read_text("utf-8").splitlines()
    assert lines[0] == f"<!-- llmeval:regression {'c' * 40} -->"
    assert "Written by the code of this pull request" in lines[1]
    assert lines[3] == "### ✅ llmeval: nothing changed"


def test_the_text_of_a_pull_request_is_nothing_but_text(commenter: Commenter) -> None:
    """It runs no command, calls nobody, and is never longer than GitHub takes."""
    commenter.text.write_bytes(
        b"$(touch hacked) `touch hacked` @everybody \xff\xfe ::error::x\n" + "é".encode() * 99_999
    )
    commenter.run()
    body = commenter.body.read_text("utf-8")
    assert "$(touch hacked) `touch hacked` @\u200beverybody" in body
    assert len(body) < 65_536


@pytest.mark.parametrize("number", ["", "12; touch hacked", "null"])
def test_no_comment_without_an_open_pull_request(commenter: Commenter, number: str) -> None:
    commenter.text.write_text("text")
    assert len(commenter.run(number)) == 1
    assert not commenter.body.exists()


def test_no_comment_where_the_run_left_none_or_a_link(commenter: Commenter) -> None:
    for _ in range(2):
        assert not [told for told in commenter.run() if "--method P" in told]
        assert not commenter.body.exists()
        commenter.text.unlink(missing_ok=True)
        commenter.text.symlink_to("/etc/passwd")


def test_a_comment_of_an_earlier_commit_does_not_stay_as_the_newest_word(commenter: Commenter) -> None:
    """Green, say, where the newest run came to no comparison."""
    assert commenter.run(mine="34")[-1].startswith("api --method PATCH repos/us/ours/issues/comments/34 -F body=@")
    assert commenter.body.read_text("utf-8") == (
        f"<!-- llmeval:regression {'c' * 40} -->\n"
        "[The newest run](https://example.invalid/run) came to no comparison.\n"
    )
    commenter.body.unlink()
    commenter.text.symlink_to("/etc/passwd")
    assert "--method PATCH" in commenter.run(mine="34 false")[-1]
    assert "came to no comparison" in commenter.body.read_text("utf-8")


def test_a_comparison_that_could_not_be_fetched_is_no_missing_one(commenter: Commenter) -> None:
    told = commenter.run(mine="34 false", kept=1, status=1)
    assert not [each for each in told if "--method P" in each]
    assert not commenter.body.exists()


def test_a_comparison_of_this_very_commit_stays_where_the_run_again_came_to_none(commenter: Commenter) -> None:
    """Which was cancelled, say; one that came to a comparison replaces it."""
    told = commenter.run(mine="34 true")
    assert not [each for each in told if "--method P" in each]
    assert f'startswith("<!-- llmeval:regression {"c" * 40} -->")' in told[-1]
    assert not commenter.body.exists()
    commenter.text.write_text("### changed\n", encoding="utf-8")
    assert "--method PATCH" in commenter.run(mine="34 true")[-1]


def test_comments_that_could_not_be_listed_are_not_taken_for_none(
    commenter: Commenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be one of ours among them: a second one would be written."""
    commenter.text.write_text("text")
    monkeypatch.setenv("GH_LISTING", "1")
    assert not [each for each in commenter.run(status=1) if "--method P" in each]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_no_workflow_gives_more_than_it_needs(path: Path) -> None:
    """Nothing by default; a job that runs code of a pull request may only read."""
    flow = yaml.safe_load(path.read_text("utf-8"))
    assert flow["permissions"] == {}
    assert "concurrency" in flow
    for job in flow["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 90
        writes = [scope for scope, right in job["permissions"].items() if right == "write"]
        assert writes == (["pull-requests"] if path.name == "comment.yaml" else [])
        checkouts = [each for each in job["steps"] if each.get("uses", "").startswith("actions/checkout@")]
        assert bool(checkouts) == (path.name != "comment.yaml")
        assert all(each["with"]["persist-credentials"] is False for each in checkouts)
