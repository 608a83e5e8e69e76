"""Labels by the page: what is asked, what is taken, and what is not."""

import html
import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.transport import as_json
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.hostile import HOSTILE
from tests.support.judged_runs import judged_record, store_run
from tests.support.records import call, record
from tests.support.stored_runs import run
from tests.view.conftest import NEW

PAGE = f"/label?run={NEW}"


def form_of(client: TestClient, address: str = PAGE, **filled: str) -> dict[str, str]:
    """Return what the form of a page sends, filled in."""
    text = client.get(address).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))
    return {**hidden, "rater": "Noor", "note": "", **filled}


def send(client: TestClient, form: dict[str, str], **headers: str) -> Any:
    return client.post("/label", data=form, headers=headers, follow_redirects=False)


def said(store: SqliteStore) -> list[tuple[str, float, bool | None, str, str | None, str | None]]:
    return [(each.name, each.value, each.passed, each.rater, each.note, each.draw) for each in store.labels(NEW)]


def test_a_form_becomes_labels(client: TestClient, two_runs: SqliteStore) -> None:
    form = form_of(client, **{"level-0": "2", "level-1": "0", "note": " The clause is missing. "})
    answer = send(client, form)
    assert answer.status_code == 303 and f"run={NEW}" in answer.headers["Location"]
    note = "The clause is missing."
    assert said(two_runs) == [
        ("correctness", 1.0, True, "Noor", note, "random"),
        ("completeness", 0.0, False, "Noor", note, "random"),
    ]
    following = client.get(answer.headers["Location"]).text
    assert form["case"] not in re.findall(r'name="case" value="(\w+)"', following)
    assert "1 of 6 labelled by Noor" in following and 'value="Noor"' in following


def test_all_answers_come_once_in_an_order_of_chance(client: TestClient, two_runs: SqliteStore) -> None:
    cases = []
    for _ in range(6):
        form = form_of(client, **{"level-2": "1"})
        cases.append(form["case"])
        send(client, form)
    assert len({*cases}) == 6
    text = client.get(PAGE).text
    assert "Every judged answer has a label of yours" in text and "llmeval calibrate" in text
    client.cookies.clear()
    assert form_of(client)["case"] == cases[0], "another rater has the same order"


def test_a_second_look_takes_the_place_of_the_first(client: TestClient, two_runs: SqliteStore) -> None:
    form = form_of(client, **{"level-0": "2"})
    send(client, form)
    again = f"{PAGE}&case={form['case']}"
    text = client.get(again).text
    assert 'name="level-0" value="2" checked' in text
    send(client, form_of(client, again, **{"level-0": "1"}))
    assert said(two_runs) == [("correctness", 0.5, False, "Noor", None, "random")], "the answer was drawn then"


@pytest.mark.parametrize("draw", ["verdict of correctness", "random", None])
def test_a_correction_leaves_how_the_answer_was_drawn(
    client: TestClient, two_runs: SqliteStore, draw: str | None
) -> None:
    """Else an answer that was chosen by the judge's verdict would tell what the judge is worth."""
    case = form_of(client)["case"]
    drawn = Label(case_id=case, name="correctness", value=1.0, passed=True, rater="Noor", at="2026", draw=draw)
    two_runs.add_labels([drawn, replace(drawn, rater="Kim", draw="random")])
    send(client, form_of(client, f"{PAGE}&case={case}", **{"level-0": "0", "level-1": "0"}))
    found = {(each.rater, each.name): (each.value, each.draw) for each in two_runs.labels(NEW)}
    assert found == {
        ("Noor", "correctness"): (0.0, draw),
        ("Noor", "completeness"): (0.0, None),
        ("Kim", "correctness"): (1.0, "random"),
    }


def test_an_answer_that_was_chosen_by_hand_was_not_drawn(client: TestClient, two_runs: SqliteStore) -> None:
    case = form_of(client)["case"]
    send(client, form_of(client, f"{PAGE}&case={case}", **{"level-0": "1"}))
    assert said(two_runs) == [("correctness", 0.5, False, "Noor", None, None)]


@pytest.mark.parametrize("note", ["one\ntwo", "a family: \U0001f468\u200d\U0001f469", "a\x0b</textarea>&amp;"])
def test_a_note_comes_back_as_it_was_written(client: TestClient, two_runs: SqliteStore, note: str) -> None:
    """However often it is saved: a form sends each line end as CR LF."""
    form = form_of(client, **{"level-0": "1", "note": note.replace("\n", "\r\n")})
    for _ in range(2):
        send(client, form)
        assert [each.note for each in two_runs.labels(NEW)] == [note]
        text = client.get(f"{PAGE}&case={form['case']}").text
        (shown,) = re.findall(r"<textarea[^>]*>(.*)</textarea>", text)
        form["note"] = html.unescape(shown).replace("\n", "\r\n")


def test_what_the_judge_said_is_not_shown(client: TestClient, two_runs: SqliteStore) -> None:
    text = client.get(PAGE).text
    assert "It says so" not in text and "It names the writer" not in text
    assert "wrote it" in text and "expected" in text


def test_the_answer_that_the_judge_judged_is_shown(client: TestClient, store: SqliteStore) -> None:
    """A test may pass something else on than the model's last response and the row's target, and ask otherwise."""
    passed_on = judged_record(
        "a", answer="the part that counts", question="Asked in brief", reference=None, target='"kept back"'
    )
    asked = {"messages": [{"role": "user", "content": "all that the model read"}], "params": {}}
    calls = (call(request=asked, response="all that the model said"), *passed_on.calls[1:])
    store_run(store, [replace(passed_on, calls=calls)])
    text = client.get(f"/label?run={run().id}").text
    assert "the part that counts" in text and "Asked in brief" in text
    assert "all that the model" not in text and "kept back" not in text


def test_people_read_the_texts_of_the_row(client: TestClient, store: SqliteStore) -> None:
    """And not what was put in as they were quoted for the judge: an answer that is the reference differs nowhere."""
    text = "<b>Ottawa</b> [INST]"
    judged = judged_record("a", answer=text, question=text, reference=text, target=as_json(text))
    asked = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]}
    store_run(store, [replace(judged, calls=(call(request=asked, response=text), *judged.calls[1:]))])
    page = client.get(f"/label?run={run().id}").text
    assert re.findall(r"<pre[^>]*>(.*?)</pre>", page)[:3] == [html.escape(text)] * 3
    assert "<del>" not in page and "<ins>" not in page and "quoted for the judge" not in page


def test_a_text_that_stays_as_it_was_quoted_is_said_to_be(client: TestClient, store: SqliteStore) -> None:
    judged = judged_record("a", answer="<i>", reference="<b>", target=as_json("<b>"))
    store_run(store, [replace(judged, calls=(call(response="So: <i>"), *judged.calls[1:]))])
    page = client.get(f"/label?run={run().id}").text
    assert "shown as it was quoted for the judge" in page
    assert "&lt; i&gt;" in page and "&lt; b&gt;" in page and "&lt;b&gt;" not in page


def test_of_several_judged_answers_each_stands_under_its_scores(client: TestClient, store: SqliteStore) -> None:
    """One that an older version recorded does not tell which is whose, and cannot be labelled."""
    both = [judged_record("a", answer=answer, question=f"{answer}?") for answer in ("draft", "final")]
    marked = [
        replace(each.calls[1], detail={"scores": names})
        for each, names in zip(both, (["correctness", "completeness"], ["format"]), strict=True)
    ]
    store_run(store, [replace(both[0], calls=(call(response="final"), *marked))])
    page = f"/label?run={run().id}"
    found = re.findall(
        r"<h2>(.*?)</h2>.*?<pre[^>]*>(.*?)</pre>.*?<pre[^>]*>(.*?)</pre>", client.get(page).text, re.DOTALL
    )
    assert found == [("correctness, completeness", "draft?", "draft"), ("format", "final?", "final")]
    older = "20260101-000000-cccccc"
    store_run(store, [replace(both[0], calls=(*both[0].calls, *both[1].calls))], older)
    page = f"/label?run={older}"
    assert "cannot be labelled: a judge was shown several texts" in client.get(page).text
    assert send(client, form_of(client, page, **{"level-0": "2"})).status_code == 400
    assert store.labels(older) == []


@pytest.mark.parametrize(
    ("filled", "told"),
    [
        ({}, "Nothing was chosen"),
        ({"level-0": "2", "rater": "  "}, "fill in your name"),
        ({"level-0": "7"}, "there is no level 7"),
        ({"level-9": "1"}, "Nothing was chosen"),
        ({"level-0": "x"}, "Nothing was chosen"),
        ({"level-0": "\u00b2"}, "Nothing was chosen"),
    ],
)
def test_a_form_that_says_too_little_comes_back(
    client: TestClient, two_runs: SqliteStore, filled: dict[str, str], told: str
) -> None:
    answer = send(client, form_of(client, note="kept", **filled))
    assert answer.status_code == 400 and told in answer.text and ">kept</textarea>" in answer.text
    assert not said(two_runs)


@pytest.mark.parametrize("token", [None, "", "x", "é"])
def test_a_form_without_the_token_is_refused(client: TestClient, two_runs: SqliteStore, token: str | None) -> None:
    form = form_of(client, **{"level-0": "2"})
    form = {key: value for key, value in {**form, "token": token}.items() if value is not None}
    assert send(client, form).status_code == 403
    assert not said(two_runs)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ],
)
def test_a_form_of_another_site_is_refused(client: TestClient, two_runs: SqliteStore, headers: dict[str, str]) -> None:
    """Even one that knows the token."""
    assert send(client, form_of(client, **{"level-0": "2"}), **headers).status_code == 403
    assert not said(two_runs)


def test_a_form_of_this_page_is_taken(client: TestClient, two_runs: SqliteStore) -> None:
    headers = {"Origin": "http://127.0.0.1:8765", "Sec-Fetch-Site": "same-origin"}
    assert send(client, form_of(client, **{"level-0": "2"}), **headers).status_code == 303


def test_a_form_that_is_too_long_is_refused(client: TestClient, two_runs: SqliteStore) -> None:
    assert send(client, form_of(client, **{"level-0": "2", "note": "w" * 200_000})).status_code == 413


def test_names_and_notes_may_hold_anything(client: TestClient, two_runs: SqliteStore) -> None:
    for text in (HOSTILE["people"], HOSTILE["bidi"], HOSTILE["script"], "Ünïcode ☃ \u4e2d"):
        answer = send(client, form_of(client, **{"level-0": "2", "rater": text, "note": text}))
        assert answer.status_code == 303
        assert client.get(answer.headers["Location"]).status_code == 200
        two_runs_labels = {each.rater for each in two_runs.labels(NEW)}
        assert text.strip() in two_runs_labels
        client.cookies.clear()


def test_a_run_without_a_judge_has_nothing_to_label(client: TestClient, store: SqliteStore) -> None:
    store.start_run(run())
    store.add_case(run().id, record("a"))
    assert "nothing to label" in client.get(f"/label?run={run().id}").text
    assert "Label answers" not in client.get(f"/run?id={run().id}").text


def test_the_page_of_a_judged_run_leads_to_its_answers(client: TestClient, two_runs: SqliteStore) -> None:
    assert f'<a href="{PAGE}">Label answers</a>' in client.get(f"/run?id={NEW}").text


def test_an_answer_that_no_judge_saw_cannot_be_labelled(client: TestClient, two_runs: SqliteStore) -> None:
    form_case = next(case.id for case in two_runs.cases(NEW) if case.key.sample_id == "form")
    assert client.get(f"/label?run={NEW}&case={form_case}").status_code == 404


def test_a_case_offers_to_be_labelled_where_it_can_be(client: TestClient, store: SqliteStore) -> None:
    """Of the epochs of a row the first one that was judged."""
    unjudged: dict[str, Any] = {"outcome": "error", "error_kind": "judge", "scores": ()}
    store_run(
        store,
        [
            *(judged_record("a", epoch=epoch) for epoch in (1, 2)),
            judged_record("b", epoch=1, **unjudged),
            *(judged_record("b", epoch=epoch) for epoch in (2, 3)),
            record("unjudged"),
        ],
    )
    offered = {}
    for case in store.cases(run().id):
        offers = "Label this answer" in client.get(f"/case?id={case.id}").text
        assert offers is (client.get(f"/label?run={run().id}&case={case.id}").status_code == 200)
        offered[case.key.sample_id, case.key.epoch] = offers
    assert [key for key, offers in offered.items() if offers] == [("a", 1), ("b", 2)]


def test_what_was_labelled_elsewhere_is_shown(client: TestClient, two_runs: SqliteStore) -> None:
    """By the command or from a file, under the same name."""
    form = form_of(client, **{"level-1": "0"})
    case = form["case"]
    two_runs.add_labels([Label(case_id=case, name="correctness", value=0.5, passed=False, rater="Noor", at="2026")])
    send(client, form)
    assert 'name="level-0" value="1" checked' in client.get(f"{PAGE}&case={case}").text
