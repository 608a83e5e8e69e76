"""Labels of cases of which a judge was shown several texts."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pytest_llmeval.core.judge.given import digest_of
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_labels import GOOD, jsonl, rows_of, write_rows
from tests.support.fault_server import FaultServer
from tests.support.judged_runs import judged_record, store_run
from tests.support.judges import named, verdict
from tests.support.project import Project


def test_a_label_of_one_of_two_judged_answers_is_of_that(project: Project, llmeval: Command) -> None:
    """Each has a row of its own; what people say of the draft is nothing that they say of the final answer."""
    project.eval(
        """
        async def test_echo(sample, model, score):
            answer = await model.generate()
            await score.judge("no", rubric="qa", name="draft", gates=False)
            await score.judge(answer, rubric="qa", name="final", question="And now?", gates=False)
        """,
        [{"id": "a", "input": "yes", "target": "yes"}],
    )
    with FaultServer(reply=verdict) as judge:
        assert project.run("evals", named(project, judge)).ret == 0
        done = llmeval("labels", "export", "--output", "out.csv")
        assert (done.status, "out.csv: answers to 1 of 1 rows" in done.out) == (0, True)
        draft, final = rows_of(Path("out.csv"))
        assert [(each["question"], each["answer"]) for each in (draft, final)] == [("yes", "no"), ("And now?", "yes")]
        assert "final_" not in draft["levels"] and "draft_" not in final["levels"]
        write_rows(Path("wrong.csv"), [{**draft, "label_draft_format": "good", "label_final_format": "good"}])
        refused = llmeval("labels", "import", "wrong.csv", "--rater", "kim")
        assert "wrong.csv:2: another answer of sample_id 'a'" in refused.err and refused.err.count("\n") < 4
        set_values = [{**draft, "label_draft_correctness": "wrong"}, {**final, "label_final_correctness": "right"}]
        write_rows(Path("back.csv"), set_values)
        assert llmeval("labels", "import", "back.csv", "--rater", "kim").status == 0
        rescored = llmeval("rescore", "last")
        assert (rescored.status, "2 labels copied from it" in rescored.out) == (0, True)
        held = llmeval("calibrate", "--json").json()
        assert {each["name"] for each in held["scores"]} == {"draft_correctness", "final_correctness"}
        again = llmeval("labels", "import", "back.csv", "last", "--rater", "kim", "--json").json()
        assert (again["labels"], again["replaced"]) == (2, 2), "they are told in the new run too"
        test = Path("evals/test_echo.py")
        test.write_text(test.read_text().replace("And now?", "And then?"))
        changed = llmeval("rescore", "last", named(project, judge), "--json").json()
        assert changed["labels"] == 1, "the final answer was judged beside another question"


def test_an_older_run_with_several_judged_answers_is_to_be_scored_again(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    """Nothing in it tells which score is of which; a label that does not say which answer it is of is by its score."""
    one, other = judged_record("a", answer="draft"), judged_record("a", answer="final")
    store_run(store, [replace(one, calls=(*one.calls, *other.calls))])
    row = {**GOOD, "answer_digest": digest_of("draft")}
    for command in (
        ["labels", "export", "--output", "out.csv"],
        ["labels", "import", jsonl(here / "in.jsonl", row), "--rater", "kim"],
        ["calibrate", str(here / "in.jsonl")],
    ):
        done = llmeval(*command)
        assert (done.status, done.out) == (4, "")
        assert "sample_id 'a': a judge was shown several texts of a case" in done.err
        assert "`llmeval rescore RUN --judge-model SPEC` makes one that tells" in done.err
    assert llmeval("labels", "import", jsonl(here / "by.jsonl", GOOD), "--rater", "kim").status == 0


def test_what_was_kept_back_from_the_judge_is_kept_back_from_people(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    store_run(store, [judged_record("a", reference=None, target='"kept back"')])
    assert llmeval("labels", "export", "--output", "out.csv").status == 0
    assert [row["reference"] for row in rows_of(Path("out.csv"))] == [""]


def test_the_command_that_brings_labels_back_names_their_database(here: Path, llmeval: Command) -> None:
    """Of another than the project's, as that may hold other runs."""
    with closing(SqliteStore(here / "my ci.db")) as store:
        store_run(store, [judged_record("a")])
    done = llmeval("labels", "export", "--output", "out.csv", "--db", "my ci.db")
    assert "--rater NAME --llmeval-db 'my ci.db'`" in " ".join(done.out.split())
