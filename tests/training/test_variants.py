"""Variants of rows: what they change, and what they leave alone."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.types import Sample
from pytest_llmeval.training.arranging import arranged, labels_of
from pytest_llmeval.training.variants import Variants

ROOT = Path(__file__).parents[2]
FIRST = ("Ada", "Boris", "Chidi", "Dana", "Emil", "Fatima", "Goran", "Hana")
LAST = ("Ng", "Okafor", "Petrov", "Quist", "Rossi", "Sato", "Tanaka", "Uzun")


def row(number: int, name: str, **more: Any) -> Sample:
    """Return a row of which a name, a state of three and what ``more`` says are learned."""
    state = ("open", "paid", "late")[number % 3]
    said = "".join(f"\n{key}: {value}" for key, value in more.items())
    given = f"Name: {name}\nState: {state}{said}\nDear {name.split()[0]}, thanks."
    return Sample(id=f"r{number}", input={"document": given}, target={"name": name, "state": state, **more})


def people(**more: Any) -> list[Sample]:
    return [row(number, f"{a} {b}", **more) for number, (a, b) in enumerate(product(FIRST, LAST))]


def variants(samples: Sequence[Sample], *, seed: int = 0) -> list[Sample]:
    made = Variants(samples, seed=seed)
    return [made.variant(sample, 1) for sample in samples]


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(each)
    else:
        yield value


def test_values_are_exchanged_in_input_and_target_alike() -> None:
    samples = people()
    others = variants(samples)
    assert (
        sum(other.target["name"] != sample.target["name"] for sample, other in zip(samples, others, strict=True)) > 50
    )
    for sample, other in zip(samples, others, strict=True):
        first, last = other.target["name"].split()
        assert first in FIRST
        assert last in LAST
        assert other.target["name"] in other.input["document"]
        assert f"Dear {first}, thanks." in other.input["document"]  # its words alone, too
        assert other.target["state"] == sample.target["state"]  # one of a list, not any
        assert other.id == f"{sample.id}, variant 1"


def test_a_variant_is_decided_by_seed_number_and_row() -> None:
    samples = people()
    made = Variants(samples, seed=3)
    again = Variants(list(reversed(samples)), seed=3)
    assert [made.variant(each, 1) for each in samples] == [again.variant(each, 1) for each in samples]
    assert [made.variant(each, 1) for each in samples] != [made.variant(each, 2) for each in samples]
    assert [made.variant(each, 1) for each in samples] != variants(samples, seed=4)


def signed() -> list[Sample]:
    return [row(n, f"{a} {b}", sign=f"AB-{3000 + n}") for n, (a, b) in enumerate(product(FIRST, LAST))]


@pytest.mark.parametrize("samples", [people(sign=1250), people(sign=37.25), people(sign=-418), signed()])
def test_numbers_and_signs_get_other_digits_of_the_same_form(samples: list[Sample]) -> None:
    others = variants(samples)
    assert sum(each.target["sign"] != sample.target["sign"] for sample, each in zip(samples, others, strict=True)) > 50
    for sample, other in zip(samples, others, strict=True):
        found = other.target["sign"]
        assert type(found) is type(sample.target["sign"])
        assert re.sub(r"\d", "0", str(found)) == re.sub(r"\d", "0", str(sample.target["sign"]))
        assert str(found) in other.input["document"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"due": "2026-03-05"}, "a date means something"),
        ({"at": "14:30"}, "a time means something"),
        ({"year": 2025}, "a year means something"),
        ({"done": True}, "no number"),
        ({"count": 4}, "one digit stands anywhere"),
        ({"count": 17, "same": 17}, "nothing says which of two stands there"),
        ({"count": 17, "place": "Gate 17"}, "part of a text"),
        ({"large": 1e30}, "written otherwise"),
    ],
)
def test_what_a_value_means_stays(more: dict[str, Any], why: str) -> None:
    for sample, other in zip(people(**more), variants(people(**more)), strict=True):
        assert {key: other.target[key] for key in more} == more, why
        for value in more.values():
            assert str(value) in other.input["document"]
        assert sample.target.keys() == other.target.keys()


def test_a_zero_before_the_point_stays() -> None:
    others = variants(people(share=0.45))
    assert {str(other.target["share"])[:2] for other in others} == {"0."}
    assert len({other.target["share"] for other in others}) > 20


def test_rows_with_other_keys_share_no_values() -> None:
    towns = ("Oslo", "Lima", "Rome", "Bern", "Cork", "Gent", "Nice", "Pisa", "Kyiv", "Lviv", "Turku", "Porto", "Basel")
    trips = [
        Sample(id=f"t{n}", input={"document": f"To {town}."}, target={"name": town}) for n, town in enumerate(towns)
    ]
    others = variants([*people(), *trips])[-len(trips) :]
    assert {other.target["name"] for other in others} <= set(towns)
    assert any(other.target != trip.target for other, trip in zip(others, trips, strict=True))


@pytest.mark.parametrize("form", ["text", "messages"])
def test_an_input_may_be_a_text_or_messages(form: str) -> None:
    def asked(text: str) -> Any:
        return text if form == "text" else [{"role": "system", "content": "Read."}, {"role": "user", "content": text}]

    samples = [Sample(id=each.id, input=asked(each.input["document"]), target=each.target) for each in people()]
    others = variants(samples)
    assert sum(other.target != sample.target for sample, other in zip(samples, others, strict=True)) > 50
    for other in others:
        text = other.input if form == "text" else other.input[1]["content"]
        assert other.target["name"] in text
        assert form == "text" or other.input[0] == {"role": "system", "content": "Read."}


def test_a_text_of_several_rows_is_an_instruction_and_stays() -> None:
    said = {"fields": "- name: as written\n- state: open, paid or late", "schema": {"title": "Who"}, "limit": 3}
    samples = [Sample(id=each.id, input={**each.input, **said}, target=each.target) for each in people()]
    for other in variants(samples):
        assert {key: other.input[key] for key in said} == said


def test_a_value_that_stands_in_such_a_text_or_as_a_number_is_not_exchanged() -> None:
    def asked(each: Sample) -> Sample:
        return Sample(id=each.id, input={**each.input, "of": "Ada Ng", "count": 17}, target=each.target)

    samples = [asked(each) for each in people(count=17)]
    for sample, other in zip(samples, variants(samples), strict=True):
        assert other.target["count"] == 17
        assert "Ada Ng" not in (sample.target["name"], other.target["name"]) or sample.target == other.target


def test_texts_within_an_input_are_exchanged_together() -> None:
    """As in a question about passages."""
    samples = [
        Sample(
            id=each.id,
            input={"question": f"What is {each.target['name']}?", "passages": [f"{each.target['name']} is a baker."]},
            target={"name": each.target["name"]},
        )
        for each in people()
    ]
    for other in variants(samples):
        name = other.target["name"]
        assert other.input == {"question": f"What is {name}?", "passages": [f"{name} is a baker."]}


@pytest.mark.parametrize(
    ("document", "target"),
    [
        ("Due 1 May 2025", {"as_written": "1 May 2025", "due": "2025-05-01"}),
        ("At 2025-05-01T14:00", {"at": "2025-05-01T14:00"}),
        ("Takes 12 tablets", {"taken": "12 tablets", "count": 12}),
        ("It costs 24.00", {"cost": 24}),
        ("It costs 2,400 and not 2400", {"cost": 2400}),
    ],
)
def test_a_figure_that_the_target_has_in_two_forms_stays(document: str, target: dict[str, Any]) -> None:
    samples = [
        Sample(
            id=f"r{number}",
            input=f"Number {number}. {document}",
            target={
                key: f"{value}{number}" if number and isinstance(value, str) else value for key, value in target.items()
            },
        )
        for number in range(20)
    ]
    assert variants(samples)[0].target == target


def test_a_name_that_is_a_month_too_leaves_dates_alone() -> None:
    names = [f"{a} {b}" for a, b in product(("Jan", "April", "May", "Carl", "Otto", "Ada", "Ida", "Kim"), LAST)]
    samples = [
        Sample(id=f"r{n}", input=f"{name} calls on 1 Jan, not in April or May.", target={"name": name})
        for n, name in enumerate(names)
    ]
    others = variants(samples)
    assert all(other.input.endswith(" calls on 1 Jan, not in April or May.") for other in others)
    assert all(other.input.startswith(other.target["name"]) for other in others)
    assert sum(a.target != b.target for a, b in zip(samples, others, strict=True)) > 50


def test_numbers_stay_where_one_of_the_target_may_follow_from_them() -> None:
    """34 at 53 each are 1,802, which stands nowhere."""
    samples = [
        Sample(id=each.id, input=f"{each.target['name']} buys 34 at 53", target={**each.target, "n": 34, "sum": 1802})
        for each in people()
    ]
    for other in variants(samples):
        assert (other.target["n"], other.target["sum"]) == (34, 1802)
        assert "buys 34 at 53" in other.input


def test_texts_of_which_one_is_a_part_of_another_go_on_agreeing() -> None:
    towns = ("Oslo", "Lima", "Rome", "Bern", "Cork", "Gent", "Nice", "Pisa", "Kyiv", "Lviv", "Turku", "Porto", "Basel")
    samples = [
        Sample(
            id=f"r{n}",
            input=f"Send it to Ring 2{n}, {town}. The {town} depot is closed.",
            target={"address": f"Ring 2{n}, {town}", "city": town},
        )
        for n, town in enumerate(towns)
    ]
    for other in variants(samples):
        assert other.target["address"].endswith(other.target["city"])


def test_a_title_before_an_old_name_goes_with_it() -> None:
    samples = [
        Sample(
            id=each.id,
            input=f"Dear Ms {each.target['name'].split()[1]},\nnoted.\n{each.target['name']} wrote:\n> my costs",
            target={"employee": each.target["name"]},
        )
        for each in people()
    ]
    for other in variants(samples):
        assert other.input.startswith(f"Dear Ms {other.target['employee'].split()[1]},")


def test_a_target_without_keys_may_be_a_list() -> None:
    samples = [Sample(id=each.id, input=each.input, target=[each.target]) for each in people()]
    for sample, other in zip(samples, variants(samples), strict=True):
        assert other.target[0]["name"] in other.input["document"]
        assert len(other.target) == len(sample.target)


def test_variants_of_the_shipped_rows_say_what_their_targets_say() -> None:
    lines = (ROOT / "data/json_extraction/train.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    samples = [Sample(id=each["id"], input=each["input"], target=each["target"]) for each in rows]
    quoted = changed = 0
    for sample, other in zip(samples, variants(samples), strict=True):
        document, varied = sample.input["document"], other.input["document"]
        assert {**other.input, "document": document} == sample.input  # fields and schema stay
        for before, after in zip(leaves(sample.target), leaves(other.target), strict=True):
            assert type(before) is type(after)
            if isinstance(before, str) and before in document:
                assert after in varied, (sample.id, before, after)
                quoted, changed = quoted + 1, changed + (before != after)
    assert changed > 0.4 * quoted > 3000


LABELS = ("Date", "Place", "Host", "Fee")
LINE = st.one_of(
    st.builds("{}: {}".format, st.sampled_from(LABELS), st.text("abcxyz", min_size=3, max_size=8)),
    st.text("abc ,|;", max_size=12),
    st.builds("{};{};{};{}".format, *[st.text("klmno", min_size=1, max_size=4)] * 4),
)


@given(st.lists(LINE, max_size=12), st.randoms(use_true_random=False))
def test_an_arranged_document_loses_no_word_and_gains_none(lines: list[str], rng: Any) -> None:
    document = "\n".join(lines)
    found = re.findall(r"\w+", arranged(document, LABELS, rng).lower())
    assert sorted(found) == sorted(re.findall(r"\w+", document.lower()))


def read(document: str) -> dict[str, str]:
    """Return the values of an arranged block by their labels, be it lines, one line, or a table with one row."""
    lines = document.split("\n")
    if len(lines) == 2 and all(label.lower() in lines[0].lower() for label in LABELS[:3]):
        head, row = (re.split(r" \| |;|\t", line) for line in lines)  # a value has the other delimiter
        return {label.lower(): value for label, value in zip(head, row, strict=True)}
    found = re.findall(r"(?i)(date|place|host)\W+(\w.*?)(?=[\W]+(?:date|place|host)\b|$)", document.replace("\n", "  "))
    return {label.lower(): value for label, value in found}


@given(st.randoms(use_true_random=False))
def test_a_value_stays_with_its_label(rng: Any) -> None:
    document = "Date: 3 May\nPlace: Oslo, by the sea\nHost: Ada Ng"
    assert read(arranged(document, LABELS, rng)) == {"date": "3 May", "place": "Oslo, by the sea", "host": "Ada Ng"}
    found = arranged(f"Hello\n{document}\n\nBye", LABELS, rng)
    assert found.startswith("Hello")
    assert found.endswith("Bye")
    assert all(value in found for value in ("3 May", "Oslo, by the sea", "Ada Ng"))


@given(st.randoms(use_true_random=False))
def test_a_line_that_another_goes_on_with_stays_before_it(rng: Any) -> None:
    """As the name before the lines of an address; on one line there is a joint between them."""
    found = arranged("Date: 3 May\nFee: 5\nHost: Ada Ng\n4 Main Street\nPlace: Oslo", LABELS, rng)
    assert re.search(r"Host: Ada Ng(\n| |; | / )4 Main Street", found), found


def arrangements(document: str) -> set[str]:
    return {arranged(document, LABELS, Random(number)) for number in range(400)}


def test_labelled_lines_may_come_as_a_table_with_one_row() -> None:
    found = arrangements("Date: 3 May\n:Place: Oslo, Norway\nHost: Ada Ng")
    assert "Date | Place | Host\n3 May | Oslo, Norway | Ada Ng" in found
    assert "Host;Date;Place\nAda Ng;3 May;Oslo, Norway" in found
    assert not any("Date,Place" in each for each in found)  # a value has that delimiter
    pair = arrangements("Date: 3 May\nPlace: Oslo")
    assert not any(re.match("Date.*Place", each) and "\n" in each for each in pair)  # two are hardly a table


def test_a_table_with_one_row_may_come_as_labelled_lines() -> None:
    for document in ("date | place | host | fee\n3 May | Oslo | Ada | 5", "|date|place|\n|:--|---|\n|3 May|Oslo|"):
        assert any("date: 3 May" in each.split("\n") for each in arrangements(document))
    for document in ("date;place;host;fee\n3 May;Oslo;Ada;5\n4 May;Rome;Ben;6", "1;2;3;4\n5;6;7;8", "a;;b;c\nd;e;f;g"):
        assert all(len(each.split("\n")) == len(document.split("\n")) for each in arrangements(document))


def test_what_comes_on_one_line_has_its_labels_before_their_values() -> None:
    assert not any(":\n" in each for each in arrangements("Hello\nDate: 3 May\nFee: 5") if each.count("\n") < 2)


@given(st.randoms(use_true_random=False))
def test_the_columns_of_a_table_move_together(rng: Any) -> None:
    table = "| a | b | c |\n|---|---|---|\n| a1 | b1 | c1 |\n| a2 | b2 | c2 |"
    lines = [re.findall(r"\w+", line) for line in arranged(table, (), rng).split("\n")]
    head, *rows = [line for line in lines if line]
    assert sorted(head) == ["a", "b", "c"]
    assert len(lines) == 3 or lines[1] == []  # the rule stands under the head, or nowhere
    assert rows == [[f"{name}{number}" for name in head] for number in (1, 2)]
    assert arranged("a;b;c;d\n1;2;3;4", (), rng, listed={"1", "2"}).split("\n")[0][0] == "a"


@pytest.mark.parametrize(
    "document",
    [
        "> Ada: hello\n> Boris: hi",  # speakers of a chat: no labels
        "> Date: 3 May\n> Date: 4 May",  # one label twice: the order tells which is which
        "Date: 3 May",  # one line has no order
        'a,"b,c",d,e\nf,"g,h",i,j',  # commas in quotes
        "one, two, three\nfour, five, six",  # fewer columns than a table has
    ],
)
@given(rng=st.randoms(use_true_random=False))
def test_other_lines_stay_as_they_are(document: str, rng: Any) -> None:
    """But for the joints between them where they come on one line."""
    lines = re.split(r"\n| / |; ", arranged(document, LABELS, rng))
    assert lines == document.split("\n") or " ".join(lines) == document.replace("\n", " ")


def test_labels_are_those_before_a_colon_or_an_equals_sign() -> None:
    assert labels_of("Date: 3 May\n- Fee = 5\nnone here\nNo value:") == {"Date", "Fee"}
