"""Names in thresholds.yaml against the names of a session."""

import pytest

from pytest_llmeval.core.gate.names import check_names
from pytest_llmeval.core.names import closest, did_you_mean, show_key
from pytest_llmeval.core.rules import Rule, SuiteRules, SuiteSeen, Thresholds


def thresholds(*, slice: str | None = None, model: str | None = None, line: int | None = 4) -> Thresholds:
    """Return one rule on the suite ``json_extraction``."""
    rule = Rule(
        suite="json_extraction",
        metric="json_match",
        kind="min",
        bound=0.8,
        slice=slice,
        model=model,
        line=line,
    )
    named = {} if slice is None else {slice: line}
    rules = SuiteRules(name="json_extraction", rules=(rule,), slice_lines=named, line=3)
    return Thresholds(suites={"json_extraction": rules})


def seen(
    name: str, *slices: str, read_to_end: bool = True, models: frozenset[str] | None = None
) -> dict[str, SuiteSeen]:
    """Return one suite as collected."""
    return {name: SuiteSeen(name=name, slices=frozenset(slices), read_to_end=read_to_end, models=models)}


def test_known_names_are_well() -> None:
    """Nothing to say."""
    collected = seen("json_extraction", "hard", models=frozenset({"m1", "m2"}))
    assert check_names(thresholds(slice="hard", model="m1"), collected, everything_collected=True) == []


def test_an_unknown_suite_near_one_without_rules_is_named_with_it() -> None:
    """Somebody mistyped it."""
    found = check_names(thresholds(), seen("json_extractoin"), everything_collected=True)
    assert found == [
        "thresholds.yaml:3: suites.json_extraction: unknown suite 'json_extraction'; did you mean 'json_extractoin'?"
    ]


def test_the_suites_of_parameter_sets_are_near_the_name_of_their_function() -> None:
    found = check_names(thresholds(), seen("json_extraction[a long set of parameters]"), everything_collected=True)
    assert [line.partition("; ")[2] for line in found] == [
        "did you mean 'json_extraction[a long set of parameters]'? Each set of parameters is a suite of its own"
    ]


def test_an_unknown_suite_was_perhaps_not_selected() -> None:
    """Where not everything was collected, where none is similar, and where the similar one has rules."""
    assert check_names(thresholds(), seen("json_extractoin"), everything_collected=False) == []
    assert check_names(thresholds(), seen("qa"), everything_collected=True) == []
    rule = Rule(suite="json_extraction2", metric="json_match", kind="min", bound=0.8)
    both = Thresholds(
        suites={
            **thresholds().suites,
            "json_extraction2": SuiteRules(name="json_extraction2", rules=(rule,)),
        }
    )
    assert check_names(both, seen("json_extraction2"), everything_collected=True) == []


def test_an_unknown_slice_is_wrong_once_its_suite_was_read_to_the_end() -> None:
    """Before that it may still come."""
    collected = seen("json_extraction", "hard", "easy")
    found = check_names(thresholds(slice="hrad"), collected, everything_collected=False)
    place = "thresholds.yaml:4: suites.json_extraction.slices.hrad"
    assert found == [f"{place}: unknown slice 'hrad'; did you mean 'hard'?"]
    unread = seen("json_extraction", "hard", read_to_end=False)
    assert check_names(thresholds(slice="hrad"), unread, everything_collected=False) == []
    assert check_names(thresholds(slice="hrad"), {}, everything_collected=False) == []


@pytest.mark.parametrize(("name", "wrong"), [("hrad", 1), ("legal", 0)])
def test_rules_that_may_be_newer_are_wrong_only_where_a_name_is_like_theirs(name: str, wrong: int) -> None:
    """The rows of a slice may have come after the run that is judged again."""
    collected = seen("json_extraction", "hard", "easy")
    found = check_names(thresholds(slice=name), collected, everything_collected=False, may_be_newer=True)
    assert len(found) == wrong
    assert len(check_names(thresholds(slice=name), collected, everything_collected=False)) == 1


def test_a_suite_without_slices_says_so() -> None:
    """There is no name to suggest."""
    found = check_names(thresholds(slice="hard", line=None), seen("json_extraction"), everything_collected=True)
    place = "thresholds.yaml: suites.json_extraction.slices.hard"
    assert found == [f"{place}: unknown slice 'hard'; its rows have no slices"]


@pytest.mark.parametrize(("part", "place"), [(None, "json_match"), ("hard", "slices.hard.json_match")])
def test_an_unknown_model_is_wrong_where_one_that_no_rule_names_is_like_it(part: str | None, place: str) -> None:
    """And the suite was collected."""
    rules = thresholds(slice=part, model="gpt-4o-mni")
    found = check_names(
        rules, seen("json_extraction", "hard", models=frozenset({"gpt-4o-mini"})), everything_collected=False
    )
    assert found == [
        f"thresholds.yaml:4: suites.json_extraction.{place}.model: unknown model 'gpt-4o-mni'; did you mean"
        " 'gpt-4o-mini'?"
    ]
    assert check_names(rules, seen("json_extraction", "hard"), everything_collected=True) == []


@pytest.mark.parametrize("known", ["gpt-4o", "gpt-4o-mini-search", "gpt-5o-mini", "haiku"])
def test_another_model_of_a_matrix_was_just_not_asked(known: str) -> None:
    """Those of a family have names that are alike."""
    collected = seen("json_extraction", models=frozenset({known}))
    assert check_names(thresholds(model="gpt-4o-mini"), collected, everything_collected=True) == []


def test_a_model_that_a_rule_names_was_not_meant_by_another() -> None:
    (left,), (right,) = (thresholds(model=name).suites["json_extraction"].rules for name in ("small-a", "small-b"))
    rules = Thresholds(suites={"json_extraction": SuiteRules(name="json_extraction", rules=(left, right))})
    collected = seen("json_extraction", models=frozenset({"small-a"}))
    assert check_names(rules, collected, everything_collected=True) == []


def test_a_suggestion_ignores_case_and_order() -> None:
    """The best match, whatever the order of the names."""
    assert closest("Acuracy", ["json_match", "accuracy"]) == "accuracy"
    assert closest("zzz", ["json_match", "accuracy"]) is None


def test_without_a_near_name_those_that_exist_are_listed() -> None:
    """At most ten."""
    assert did_you_mean("zzz", ["b", "a"]) == "there are 'a', 'b'"
    assert did_you_mean("zzz", "abcdefghijkl").endswith("'i', 'j' and 2 more")
    assert did_you_mean("zzz", []) == ""
    one, two = "R\u00fcckgabe", "Ru\u0308ckgabe"
    assert did_you_mean(one, [two]) == (
        f"did you mean '{two}'? It looks the same, but has other characters: 'Ru\\u0308ckgabe', not 'R\\xfcckgabe'"
    )


@pytest.mark.parametrize(
    ("key", "shown"),
    [("json_match", "json_match"), (0, "0"), ("a.b", "'a.b'"), ("\x1b[1m", "'\\x1b[1m'"), ("", "''")],
)
def test_a_key_is_shown_without_harm(key: object, shown: str) -> None:
    """Nothing in it can steer a terminal or be taken for two keys."""
    assert show_key(key) == shown


def test_a_long_key_is_cut() -> None:
    """A message stays readable."""
    assert show_key("a" * 90) == repr("a" * 60 + "…")
