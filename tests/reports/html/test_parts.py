"""Parts of pages: whatever stands in them is shown, and they are done in no time."""

import json
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.reports.html.charts import Bar, histogram, slice_bars, steps
from pytest_llmeval.reports.html.chat import chat
from pytest_llmeval.reports.html.diff import difference
from pytest_llmeval.reports.html.escape import Html, element, escaped, shown
from tests.support.growth import assert_grows_with_size
from tests.support.hostile import HOSTILE, LONG_WORD, harmless

TAGS = {"div", "b", "p", "pre", "span", "i", "del", "ins", "table", "thead", "tbody", "tr", "th", "td"}
DRAWN = {"figure", "figcaption", "svg", "title", "desc", "rect", "line", "circle", "text"}


class Read(HTMLParser):
    """What a browser makes of a text: tags, attributes and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_text_wherever_it_stands(name: str) -> None:
    text = HOSTILE[name]
    pages = [
        chat([(text, text)], text, text),
        chat([("user", text)], text, "something else"),
        difference(text + "a b", text + "a c"),
        difference(f'{{"k": {len(text)}}}', '{"k": 0, "x": "<script>"}'),
        slice_bars(text, [Bar(label=text, value=0.5, verdict=text)]),
        histogram(text, [0.5], [0, 1], unit=text, note=text),
        element("p", text, title=text),
    ]
    for page in pages:
        read = Read(page)
        assert read.tags <= TAGS | DRAWN
        assert not {each for each in read.attributes if each.startswith("on") or each in ("href", "src", "style")}
        harmless(read.text)


@given(st.text(), st.text())
def test_a_text_is_read_back_as_it_is_printable(text: str, other: str) -> None:
    read = Read(element("p", text, element("b", other), title=text))
    assert "p" in read.tags and len(read.tags) == 2
    harmless(Read(element("p", text, title=text)).text, Read(element("b", other)).text)  # two of ":" are "::" together


def test_html_of_ours_is_not_escaped_twice_and_template_engines_know_it() -> None:
    inner = element("b", "a & b")
    assert escaped(inner) is inner
    assert element("p", inner, "<") == "<p><b>a &amp; b</b>&lt;</p>"
    assert getattr(inner, "__html__")() == "<b>a &amp; b</b>"  # noqa: B009 - as template engines ask
    assert isinstance(inner, Html)


def test_attributes_that_say_nothing_are_left_out() -> None:
    assert element("a", data_case=3, class_="x", hidden=True, title=None, open=False) == (
        '<a data-case="3" class="x" hidden></a>'
    )


def test_a_long_text_says_how_much_is_not_shown() -> None:
    page = shown(LONG_WORD, 1000)
    assert len(page) < 1200
    assert "999,000 characters more" in page


def test_words_that_differ_are_marked() -> None:
    page = difference("The capital is Lyon, I think.", "The capital is Paris.")
    assert "The capital is <del>Paris</del><ins>Lyon, I think</ins>." in page


def test_beside_an_earlier_response_nothing_is_said_to_have_been_expected() -> None:
    assert '<th scope="col">expected</th>' in difference('{"a": 1}', '{"a": 2}')
    assert '<th scope="col">before</th>' in difference('{"a": 1}', '{"a": 2}', other="before")
    assert "JSON was expected, and the response is not JSON" in difference("no", '{"a": 2}')
    assert "it was JSON before, and now is not JSON" in difference("no", '{"a": 2}', other="before")


def test_what_marks_mean_stands_beside_them() -> None:
    """A wrong answer is underlined, as what is new is anywhere; where nothing is marked there is nothing to tell."""
    key = "Difference · struck out: expected, and not said; underlined: said, and not expected"
    assert key in Read(chat([("user", "q")], "Lyon", "Paris")).text
    assert key in Read(chat([("user", "q")], '{"a": 1}', '{"a": 2}')).text
    for answer in ("Paris", "no one of these words is in the other text", ""):
        wanted = "Paris" if len(answer) < 9 else "a b c d e f g h i"
        assert ("struck out" in Read(chat([("user", "q")], answer, wanted)).text) is (answer == "")


def test_equal_texts_are_said_to_be_the_same() -> None:
    assert "same" in difference("a", "a")


def test_texts_with_little_in_common_are_not_compared() -> None:
    assert "little in common" in difference("a b c d e f g h i", "no one of these words is in the other text")
    assert "<del>Paris</del><ins>Lyon</ins>" in difference("Lyon", "Paris")


def test_numbers_are_the_same_as_scorers_take_them() -> None:
    """A whole number is one however it is written; true is none."""
    assert "Every key is the same" in difference('{"a": 1.0, "b": 2}', '{"a": 1, "b": 2.0}')
    assert "0 of 1 keys are the same" in Read(difference('{"a": true}', '{"a": 1}')).text


def test_json_is_compared_key_by_key_whatever_its_order_and_space() -> None:
    page = difference(
        '```json\n{"b": {"c": [1, 2]},\n "a": 1, "e": true}\n```', '{"a":1,"b":{"c":[1,3]},"d":null,"e":1}'
    )
    text = Read(page).text
    assert "2 of 5 keys are the same" in text
    assert "b.c[1]32" in text
    assert "dnullmissing" in text
    assert "e1true" in text
    assert "Every key" in difference('{"a":1, "b":[]}', '{"b":[],"a":1}')


@pytest.mark.parametrize("turned", [False, True])
def test_what_was_not_compared_is_not_called_the_same(turned: bool) -> None:
    """Nor missing, where it stands further on."""
    many = [f"k{number}" for number in range(6_000)]
    wanted = json.dumps(dict.fromkeys(many, 1))
    given = json.dumps({**dict.fromkeys(many[::-1] if turned else many, 1), "k5999": 2})
    page = difference(given, wanted)
    assert "Every key" not in page and "missing" not in page and "not there" not in page
    assert "keys are the same; there are more than 5,000, of which the others were not compared" in page
    whole = difference(json.dumps(dict.fromkeys(many[:5_000], 1)), json.dumps(dict.fromkeys(many[4_999::-1], 1)))
    assert "Every key is the same." in whole


def test_a_response_that_is_no_json_is_not_compared_with_json() -> None:
    assert "JSON was expected" in difference("Rome is it", '{"a": 1}')


def test_keys_that_look_like_paths_are_told_apart() -> None:
    page = difference('{"a.b": 1, "a": {"b": 2}}', '{"a.b": 2, "a": {"b": 2}}')
    assert "1 of 2 keys" in page


@pytest.mark.parametrize(
    ("texts", "size"),
    [
        (lambda size: ("w" * size, "w" * (size - 1)), 1_000_000),
        (lambda size: ("w " * size, "w v " * (size // 2)), 500_000),
        (lambda size: ("a b " * size, "b a c " * (size * 3 // 5)), 500),
        (lambda size: (f"[{'1,' * size}1]", f"[{'2,' * size}1]"), 90_000),
        (lambda size: ("[" * size, "{" * size), 100_000),
        (lambda size: ('{"a": ' + "9" * size + "}", '{"a": NaN}'), 6000),
    ],
)
def test_comparing_texts_grows_with_their_length_and_takes_little_room(
    texts: Callable[[int], tuple[str, str]], size: int
) -> None:
    assert len(difference(*texts(size))) < 100_000
    assert_grows_with_size(lambda part: difference(*texts(part)), size)


def test_a_chat_shows_who_said_what_in_order() -> None:
    text = Read(chat([("system", "be brief"), ("user", "hi")], None, None)).text
    assert text == "systembe briefuserhino response"
    assert "(empty)" in chat([], "", None)


def test_a_bar_chart_tells_in_words_what_it_shows() -> None:
    bars = [
        Bar(label="hard", value=0.55, low=0.41, high=0.68, n=48, baseline=0.61, bar=0.6, verdict="fail"),
        Bar(label="none", value=None),
    ]
    page = slice_bars("exact by slice", bars)
    assert "<desc>hard: 0.55 [0.41, 0.68] · n 48, baseline 0.61, bar 0.6, fail; none: no value · n 0</desc>" in page
    assert 'width="55.00%"' in page and "le-bad" in page
    assert page.count("le-before") == 1
    assert "baseline" not in slice_bars("x", [Bar(label="a", value=0.5)])


def test_many_slices_are_cut_and_that_is_said() -> None:
    page = slice_bars("x", [Bar(label=f"s{place}", value=1.0) for place in range(40)])
    assert "The first 30 of 40 slices." in page
    assert "s29" in page and "s30" not in page


def test_values_above_one_are_drawn_on_a_scale_of_their_own() -> None:
    page = slice_bars("x", [Bar(label="a", value=50.0), Bar(label="b", value=200.0)])
    assert 'width="25.00%"' in page and 'width="100.00%"' in page


def test_values_in_thousands_keep_the_digits_in_which_they_differ() -> None:
    page = slice_bars("x", [Bar(label="a", value=1234.0, low=1200.0, high=1300.4, n=5, baseline=1236.0)])
    assert "<desc>a: 1234 [1200, 1300.4] · n 5, baseline 1236</desc>" in page
    assert "e+0" not in page + histogram("x", [1000.0, 2500.0], steps(1000, 2500), unit=" s")


def test_a_histogram_counts_what_lies_between_edges() -> None:
    page = histogram("x", [-1, 0, 0.5, 0.99, 1, 2], [0, 0.5, 1], unit=" s")
    assert "<desc>0 to 0.5 s: 2; 0.5 to 1 s: 4</desc>" in page
    assert "<desc>no value</desc>" in histogram("x", [], [0, 1])


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_steps_hold_all_between_their_ends(one: float, other: float) -> None:
    low, high = sorted((one, other))
    edges = steps(low, high)
    assert edges == sorted(edges) and len(edges) >= 2
    slack = 1 + 1e-9  # steps are rounded, and what lies outside by that is counted in the outermost
    assert edges[0] <= max(low, 1e-3) * slack and edges[-1] * slack >= high
