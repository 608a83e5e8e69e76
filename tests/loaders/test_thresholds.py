"""thresholds.yaml: what it says, and how each mistake in it is named."""

from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ThresholdsError
from pytest_llmeval.core.rules import MEASURED_METRICS, SHIPPED_SCORES, GateSettings, Rule, Thresholds
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.scorers import REGISTRY

EXAMPLE = """\
version: 1
baseline: main
defaults: {alpha: 0.05, max_error_rate: 0.02, on_inconclusive: warn}
suites:
  json_extraction:
    json_match: {min: 0.80, max_drop: 0.02}
    json_valid: {every: true}
    slices:
      hard: {json_match: {min: 0.60}}
  qa:
    correctness: {min: 0.75, min_lower: 0.70}
    latency_s: {max_p95: 5.0}
    cost_usd: {max_total: 1.00}
"""


def load(tmp_path: Path, content: str) -> Thresholds:
    """Return ``content`` read from thresholds.yaml."""
    path = tmp_path / "thresholds.yaml"
    path.write_text(content, encoding="utf-8")
    return load_thresholds(path)


def problems(tmp_path: Path, content: str) -> list[str]:
    """Return the lines with which ``content`` is refused."""
    with pytest.raises(ThresholdsError) as caught:
        load(tmp_path, content)
    return str(caught.value).splitlines()


def suite(body: str) -> str:
    """Return a file with one suite ``qa`` whose metrics start on line 4."""
    return "version: 1\nsuites:\n  qa:\n" + "".join(f"    {line}\n" for line in body.splitlines())


def test_the_contracts_example_is_read(tmp_path: Path) -> None:
    """One rule for each bound, in the order of the file, with its line."""
    thresholds = load(tmp_path, EXAMPLE)
    assert (thresholds.baseline, thresholds.defaults) == ("main", GateSettings())
    extraction, qa = thresholds.suites.values()
    assert extraction.rules == (
        Rule(suite="json_extraction", metric="json_match", kind="min", bound=0.8, line=6),
        Rule(suite="json_extraction", metric="json_match", kind="max_drop", bound=0.02, line=6),
        Rule(suite="json_extraction", metric="json_valid", kind="every", line=7),
        Rule(suite="json_extraction", metric="json_match", kind="min", bound=0.6, slice="hard", line=9),
    )
    assert (extraction.line, extraction.slice_lines) == (5, {"hard": 9})
    assert [(rule.metric, rule.text) for rule in qa.rules] == [
        ("correctness", "min=0.75"),
        ("correctness", "min_lower=0.7"),
        ("latency_s", "max_p95=5"),
        ("cost_usd", "max_total=1"),
    ]


def test_confident_speaks_of_min_and_max_alone(tmp_path: Path) -> None:
    rules = load(tmp_path, suite("f1: {min: 0.8, max: 0.9, max_drop: 0.1, confident: true}")).suites["qa"].rules
    assert [(rule.kind, rule.confident) for rule in rules] == [("min", True), ("max", True), ("max_drop", False)]


def test_every_key_of_a_rule_is_read(tmp_path: Path) -> None:
    """Those of one model too."""
    body = "f1: {max: 2, max_rise: 0, max_p50: 1, model: m, pass_at: {k: 3, min: 0.9}}\n"
    body += "f2: {mode: noninferior, margin: 0.03, confident: false}"
    rules = load(tmp_path, suite(body)).suites["qa"].rules
    assert [(rule.text, rule.model) for rule in rules] == [
        ("max=2", "m"),
        ("max_rise=0", "m"),
        ("max_p50=1", "m"),
        ("pass_at(3)=0.9", "m"),
        ("noninferior=0.03", None),
    ]


def test_a_suites_settings_stand_over_the_defaults(tmp_path: Path) -> None:
    """Key by key."""
    content = "version: 1\ndefaults: {alpha: 0.1, on_inconclusive: fail}\nsuites:\n  qa:\n"
    content += "    settings: {alpha: 0.01, allow_change: [judge, judge], require_judge: true}\n    f1: {min: 0}\n"
    thresholds = load(tmp_path, content)
    assert thresholds.defaults == GateSettings(alpha=0.1, on_inconclusive="fail")
    assert thresholds.suites["qa"].settings == GateSettings(
        alpha=0.01, on_inconclusive="fail", allow_change=("judge",), require_judge=True
    )


def test_a_file_may_gate_nothing_yet(tmp_path: Path) -> None:
    """Every suite is then ungated."""
    assert load(tmp_path, "version: 1\n") == Thresholds()
    assert load(tmp_path, suite("settings: {alpha: 0.1}")).suites["qa"].rules == ()


def test_the_file_is_called_what_the_caller_says(tmp_path: Path) -> None:
    """A path relative to the rootdir."""
    path = tmp_path / "t.yaml"
    path.write_text("version: 2\n", encoding="utf-8")
    with pytest.raises(ThresholdsError, match=r"^gates/t\.yaml:1: version: "):
        load_thresholds(path, shown_as="gates/t.yaml")
    path.write_text("version: 1\n", encoding="utf-8")
    assert load_thresholds(path, shown_as="gates/t.yaml").shown_as == "gates/t.yaml"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "thresholds.yaml:1: found a list; write a mapping such as version: 1"),
        ("suites: {qa: {f1: {min: 0}}}", "thresholds.yaml:1: version: is missing; write version: 1"),
        ("version: 2", "thresholds.yaml:1: version: found 2; write 1, the version that is read here"),
        ("version: true", "thresholds.yaml:1: version: found true; write 1, the version that is read here"),
        ("version: 1.0", "thresholds.yaml:1: version: found 1.0; write 1, the version that is read here"),
        ("version: 1\nsuite: {}", "thresholds.yaml:2: suite: unknown key 'suite'; did you mean 'suites'?"),
        (
            "version: 1\nbaseline: 3",
            "thresholds.yaml:2: baseline: found 3; write a name, in quotes if it looks like a number",
        ),
        (
            "version: 1\nbaseline: ' '",
            "thresholds.yaml:2: baseline: found ' '; write a name, in quotes if it looks like a number",
        ),
        (
            "version: 1\nsuites: [qa]",
            "thresholds.yaml:2: suites: found a list; write a mapping of suites by name",
        ),
        (
            "version: 1\nsuites: {}",
            "thresholds.yaml:2: suites: is empty; write suites by name, or take the key out",
        ),
        ("version: 1\nsuites:", "thresholds.yaml:2: suites: has no value; write one, or take the key out"),
        (
            "version: 1\ndefaults: 3",
            "thresholds.yaml:2: defaults: found 3; write a mapping such as {alpha: 0.05}",
        ),
        (
            "version: 1\nversion: 1",
            "thresholds.yaml:2: the key 'version' stands here again (first on line 1); keep one of them",
        ),
    ],
)
def test_a_mistake_at_the_top_is_named(tmp_path: Path, content: str, message: str) -> None:
    """File, line, key, what was found, what to do."""
    assert problems(tmp_path, content) == [message]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("alfa: 0.1", "alfa: unknown key 'alfa'; did you mean 'alpha'?"),
        ("alpha: 0", "alpha: found 0; write a number above 0, up to 0.5"),
        ("alpha: 0.6", "alpha: found 0.6; write a number above 0, up to 0.5"),
        ("max_error_rate: 2", "max_error_rate: found 2; write a number in 0..1"),
        ("max_error_rate: 2%", "max_error_rate: found the string '2%'; write 0.02, not 2% (and no quotes)"),
        ("on_inconclusive: warm", "on_inconclusive: found 'warm'; write 'warn', 'fail' or 'escalate'"),
        ("allow_change: judge", "allow_change: found 'judge'; write a list such as [judge]"),
        ("allow_change: [jugde]", "allow_change.0: found 'jugde'; write 'judge' or 'scorer'"),
        ("require_judge: 1", "require_judge: found 1; write true or false"),
        ("alpha:", "alpha: has no value; write one, or take the key out"),
    ],
)
def test_a_mistake_in_settings_is_named_in_both_places(tmp_path: Path, settings: str, message: str) -> None:
    """Under ``defaults`` and beside a suite's metrics."""
    assert problems(tmp_path, f"version: 1\ndefaults: {{{settings}}}") == [f"thresholds.yaml:2: defaults.{message}"]
    assert problems(tmp_path, suite(f"settings:\n  {settings}")) == [f"thresholds.yaml:5: suites.qa.settings.{message}"]


@pytest.mark.parametrize(
    ("found", "advice"),
    [
        ("90%", "found the string '90%'; write 0.9, not 90% (and no quotes)"),
        ("2,5 %", "found the string '2,5 %'; write 0.025, not 2,5 % (and no quotes)"),
        ("0,9", "found the string '0,9'; write 0.9, not 0,9 (and no quotes)"),
        ("1e-1", "found the string '1e-1'; write 0.1, not 1e-1 (and no quotes)"),
        ("1e-9", "found the string '1e-9'; write 0.000000001, not 1e-9 (and no quotes)"),
        ("'0.8'", "found the string '0.8'; write 0.8 without quotes"),
        ("'.5'", "found the string '.5'; write 0.5 without quotes"),
        ("' 5. '", "found the string ' 5. '; write 5 without quotes"),
        ("1,000", "found '1,000', which is not a number; write one such as 0.8"),
        ("high", "found 'high', which is not a number; write one such as 0.8"),
        ("true", "found true, which is not a number; write one such as 0.8"),
        ("[0.8]", "found a list, which is not a number; write one such as 0.8"),
        ("{a: 1}", "found a mapping, which is not a number; write one such as 0.8"),
        ("1" + "0" * 400, "found a number that is too large; write a smaller one"),
        ("x" * 90, "found '" + "x" * 56 + "..., which is not a number; write one such as 0.8"),
    ],
)
def test_what_is_not_a_number_is_named_with_what_to_write(tmp_path: Path, found: str, advice: str) -> None:
    """YAML 1.1 reads many of them as text."""
    expected = [f"thresholds.yaml:4: suites.qa.f1.min: {advice}"]
    assert (
        problems(tmp_path, suite(f"f1: {{min: {found}}}" if "," not in found else f"f1: {{min: '{found}'}}"))
        == expected
    )


@pytest.mark.parametrize("found", [".nan", ".inf", "-.inf", "012", "0x10", "1:30", "yes"])
def test_what_yaml_turns_into_something_else_is_refused_with_its_line_and_its_key(tmp_path: Path, found: str) -> None:
    """``score < nan`` is False, and the gate would be green."""
    (message,) = problems(tmp_path, suite(f"f1:\n  min: {found}"))
    assert message.startswith(f"thresholds.yaml:5: suites.qa.f1.min: {found} ")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("f1: {minn: 0.8}", "f1.minn: unknown key 'minn'; did you mean 'min'?"),
        ("f1: {min: 0.8, margn: 1}", "f1.margn: unknown key 'margn'; did you mean 'margin'?"),
        ("f1: 0.8", "f1: found 0.8; write a mapping such as {min: 0.8}"),
        ("f1: [0.8]", "f1: found a list; write a mapping such as {min: 0.8}"),
        ("f1:", "f1: has no value; write one, or take the key out"),
        ("f1: {min: }", "f1.min: has no value; write one, or take the key out"),
        ("f1: {min 0.8}", "f1.'min 0.8': has no value; write one, or take the key out (is a colon missing? min: 0.8)"),
        ("f1: {pass_at: {k: , min: 1}}", "f1.pass_at.k: has no value; write one, or take the key out"),
        ("f1: {}", "f1: has no bound; write one such as {min: 0.8}"),
        ("f1: {model: m}", "f1: has no bound; write one such as {min: 0.8}"),
        ("f1: {every: false}", "f1.every: found false; write true, or take the key out"),
        ("f1: {every: 1}", "f1.every: found 1; write true, or take the key out"),
        ("f1: {min: 0.9, max: 0.8}", "f1.min: found 0.9, above max 0.8; swap them"),
        ("f1: {min_lower: 1}", "f1.min_lower: found 1; write a number above 0 and below 1"),
        ("f1: {min_lower: 0}", "f1.min_lower: found 0; write a number above 0 and below 1"),
        ("f1: {max_drop: -0.1}", "f1.max_drop: found -0.1; write a number from 0 up"),
        ("f1: {max_rise: -0.1}", "f1.max_rise: found -0.1; write a number from 0 up"),
        ("f1: {mode: noninferior}", "f1.mode: needs a margin beside it; write one such as margin: 0.03"),
        ("f1: {margin: 0.1}", "f1.margin: has no mode beside it; write mode: noninferior"),
        ("f1: {mode: noninferior, margin: 0}", "f1.margin: found 0; write a number above 0"),
        ("f1: {mode: strict, margin: 0.1}", "f1.mode: found 'strict'; write 'noninferior'"),
        ("f1: {pass_at: 3}", "f1.pass_at: found 3; write a mapping such as {k: 3, min: 0.9}"),
        ("f1: {pass_at: {k: 3}}", "f1.pass_at.min: is missing; write {k: 3, min: 0.9}"),
        ("f1: {pass_at: {k: 0, min: 0.9}}", "f1.pass_at.k: found 0; write a whole number from 1 up"),
        ("f1: {pass_at: {k: 1.5, min: 0.9}}", "f1.pass_at.k: found 1.5; write a whole number from 1 up"),
        ("f1: {pass_at: {k: true, min: 0.9}}", "f1.pass_at.k: found true; write a whole number from 1 up"),
        ("f1: {pass_at: {k: 3, min: 2}}", "f1.pass_at.min: found 2; write a number in 0..1"),
        ("f1: {pass_at: {k: 3, min: 1, max: 1}}", "f1.pass_at.max: unknown key 'max'; there are 'k', 'min'"),
        ("f1: {min: 0.8, confident: 1}", "f1.confident: found 1; write true or false"),
        (
            "f1: {max_drop: 0.1, confident: true}",
            "f1.confident: has neither min nor max beside it; write one, or take confident out",
        ),
        ("f1: {min: 0.8, model: 4}", "f1.model: found 4; write a name, in quotes if it looks like a number"),
        (
            "pass_rate: {min: 1.5}",
            "pass_rate.min: found 1.5, but pass_rate lies in 0..1; write a number there",
        ),
        (
            "pass_rate: {max_drop: 2}",
            "pass_rate.max_drop: found 2, but pass_rate lies in 0..1; write a number there",
        ),
        (
            "pass_rate: {mode: noninferior, margin: 5}",
            "pass_rate.margin: found 5, but pass_rate lies in 0..1; write a number there",
        ),
        (
            "error_rate: {max: -1}",
            "error_rate.max: found -1, but error_rate lies in 0..1; write a number there",
        ),
        ("latency_s: {max: -1}", "latency_s.max: found -1, but latency_s is never below 0; write 0 or more"),
        (
            "latency_s: {every: true}",
            "latency_s.every: every has no meaning for latency_s; write one of "
            "min, max, max_p50, max_p95, max_total, max_rise",
        ),
        (
            "error_rate: {min_lower: 0.1}",
            "error_rate.min_lower: min_lower has no meaning for error_rate; write one of max, max_rise",
        ),
        (
            "pass_rate: {max_total: 1}",
            "pass_rate.max_total: max_total has no meaning for pass_rate; write one of "
            "min, max, min_lower, every, pass_at, max_drop",
        ),
        ("slice: {hard: {f1: {min: 1}}}", "slice: unknown key 'slice'; did you mean 'slices'?"),
        ("Settings: {alpha: 0.1}", "Settings: unknown key 'Settings'; did you mean 'settings'?"),
        ("slices: 3", "slices: found 3; write a mapping of slices by name"),
        ("slices: {}", "slices: is empty; write slices by name, or take the key out"),
        ("slices: {hard: 3}", "slices.hard: found 3; write a mapping of metrics by name"),
        ("slices: {hard: {}}", "slices.hard: is empty; write metrics by name, or take the key out"),
        ("slices: {hard: {f1: {minn: 1}}}", "slices.hard.f1.minn: unknown key 'minn'; did you mean 'min'?"),
        (
            "metrics: {exact: {min: 0.5}}",
            "metrics: is read as a metric; write metrics right below their suite or slice",
        ),
        (
            "metrics: {pass_rate: {min: 0.5}}",
            "metrics: is read as a metric; write metrics right below their suite or slice",
        ),
        (
            "pass_rate: {en: {min: 0.5}}",
            "pass_rate.en: unknown key 'en'; "
            "there are 'confident', 'every', 'judge', 'margin', 'max', 'max_drop', 'max_p50', 'max_p95', 'max_rise', "
            "'max_total' and 5 more",
        ),
        ("f1: {pass_att: {k: 3, min: 0.5}}", "f1.pass_att: unknown key 'pass_att'; did you mean 'pass_at'?"),
        ("slices: {a.b: {settings: {}}}", "slices.'a.b'.settings: unknown key 'settings'; name a metric"),
    ],
)
def test_a_mistake_in_a_suite_is_named(tmp_path: Path, rule: str, message: str) -> None:
    """File, line, key, what was found, what to do."""
    assert problems(tmp_path, suite(rule)) == [f"thresholds.yaml:4: suites.qa.{message}"]


SETTING = "is a setting; write it under settings: of its suite, or under defaults:"
OF_A_RULE = "is a key of a rule; write it under a metric, such as pass_rate: {min: 0.8}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (suite("max_error_rate: 0.1"), f"4: suites.qa.max_error_rate: {SETTING}"),
        (suite("allow_change: [judge]"), f"4: suites.qa.allow_change: {SETTING}"),
        (suite("f1: {alpha: 0.1}"), f"4: suites.qa.f1.alpha: {SETTING}"),
        (suite("slices: {hard: {alpha: 0.1}}"), f"4: suites.qa.slices.hard.alpha: {SETTING}"),
        (suite("defaults: {alpha: 0.1}"), f"4: suites.qa.defaults.alpha: {SETTING}"),
        ("version: 1\non_inconclusive: fail", f"2: on_inconclusive: {SETTING}"),
        (suite("min: 0.5"), f"4: suites.qa.min: {OF_A_RULE}"),
        (suite("slices: {hard: {every: true}}"), f"4: suites.qa.slices.hard.every: {OF_A_RULE}"),
        ("version: 1\nmax_drop: 0.1", f"2: max_drop: {OF_A_RULE}"),
        ("version: 1\ndefaults: {min: 0.5}", f"2: defaults.min: {OF_A_RULE}"),
    ],
)
def test_a_key_at_another_level_is_told_where_it_belongs(tmp_path: Path, content: str, message: str) -> None:
    """A score may have the name of any key: it is taken for one where bounds stand under it."""
    assert problems(tmp_path, content) == [f"thresholds.yaml:{message}"]
    assert load(tmp_path, suite("alpha: {min: 0.5}")).suites["qa"].rules[0].metric == "alpha"


@pytest.mark.parametrize(
    ("metric", "bound", "instead"),
    [
        *((metric, "max_drop: 0.5", "max_rise") for metric in (*MEASURED_METRICS, "error_rate")),
        ("error_rate", "min: 0.1", "max"),
        ("pass_rate", "max_rise: 0.1", "max_drop"),
    ],
)
def test_a_bound_on_the_better_side_is_refused(tmp_path: Path, metric: str, bound: str, instead: str) -> None:
    """It would pass when a call takes a minute longer; the one that is meant is named, and taken."""
    key = bound.partition(":")[0]
    assert problems(tmp_path, suite(f"{metric}: {{{bound}}}")) == [
        f"thresholds.yaml:4: suites.qa.{metric}.{key}: {key} fails where {metric} gets better, and passes where it gets"
        f" worse; write {instead}"
    ]
    assert load(tmp_path, suite(f"{metric}: {{{bound.replace(key, instead)}}}")).suites["qa"].rules


def test_an_empty_suite_is_a_mistake(tmp_path: Path) -> None:
    """Somebody began it."""
    expected = "thresholds.yaml:2: suites.qa: is empty; write metrics by name, or take the key out"
    assert problems(tmp_path, "version: 1\nsuites: {qa: {}}") == [expected]


def test_a_recorded_score_takes_any_bound_and_a_shipped_one_those_in_its_range(tmp_path: Path) -> None:
    """``score.record`` takes any finite number; a scorer's value lies in [0, 1]."""
    good = load(tmp_path, suite("length: {min: -5, max: 900}\njson_match: {max_total: 90}"))
    assert len(good.suites["qa"].rules) == 3
    expected = "json_match.min: found 90, but json_match lies in 0..1; write a number there"
    assert problems(tmp_path, suite("json_match: {min: 90}")) == [f"thresholds.yaml:4: suites.qa.{expected}"]


@pytest.mark.parametrize(
    ("metric", "bounds", "key"),
    [
        *((metric, "{max_drop: N}", "max_drop") for metric in ("pass_rate", "json_match")),
        *((metric, "{max_rise: N}", "max_rise") for metric in ("error_rate", "json_match")),
        *((metric, "{mode: noninferior, margin: N}", "margin") for metric in ("pass_rate", "error_rate", "exact")),
    ],
)
def test_a_change_that_a_share_cannot_exceed_is_refused(tmp_path: Path, metric: str, bounds: str, key: str) -> None:
    """Else only a whole run tells of it; a bar of 1 is no such rule, and what was recorded may be any number."""
    at_one, below = bounds.replace("N", "1"), bounds.replace("N", "0.99")
    assert problems(tmp_path, suite(f"{metric}: {at_one}")) == [
        f"thresholds.yaml:4: suites.qa.{metric}.{key}: found 1, but {metric} lies in 0..1 and cannot change by more;"
        " write a number below 1"
    ]
    assert load(tmp_path, suite(f"{metric}: {below}")).suites["qa"].rules
    assert load(tmp_path, suite(f"{metric}: {{max: 1}}\nrating: {at_one}")).suites["qa"].rules


def test_the_scores_whose_range_is_known_are_those_of_the_shipped_scorers() -> None:
    """Their own names, and those of the companions of json_match and tool_calls."""
    names = [name for name in REGISTRY.names() if (found := REGISTRY.find(name)) and found.shipped]
    assert sorted([*names, "json_exact", "tool_names"]) == sorted(SHIPPED_SCORES)
