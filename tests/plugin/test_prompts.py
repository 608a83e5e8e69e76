"""What a model is sent: the marker's prompt, rendered for a row (contract section 1)."""

import hashlib
from typing import Any

import pytest

from pytest_llmeval.core.ids import input_digest
from tests.support.project import Project, jsonl
from tests.support.row_evals import PASS

ROW: dict[str, Any] = {"id": "a", "input": {"question": "why?", "n": [1, 2]}}


def sent(project: Project) -> list[Any]:
    """Return the messages of each request."""
    return [entry.body["messages"] for entry in project.server.ledger]


def passing(project: Project, number: int, rows: list[dict[str, Any]], marker: str) -> None:
    """Write an eval that passes, ``n`` with a number, beside others."""
    project.eval(PASS.replace("echo", f"n{number}"), rows, name=f"n{number}", marker=marker)


def recorded(project: Project) -> Any:
    """Return what the run says of the suite's prompt."""
    return project.settings()["suites"]["echo"]


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ("hello", [{"role": "user", "content": "hello"}]),
        (
            [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}],
            [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}],
        ),
        ({"b": 1, "a": "ü"}, [{"role": "user", "content": '{"b": 1, "a": "ü"}'}]),
    ],
    ids=["string", "list", "object"],
)
def test_without_a_prompt_the_input_is_sent(project: Project, given: Any, messages: Any) -> None:
    project.eval(PASS, [{"id": "a", "input": given}])
    assert project.run("evals").ret == 0
    assert sent(project) == [messages]


FILLED = {
    "Q: {question}": "Q: why?",
    "{n} {question} {question}": "[1, 2] why? why?",
    "{{7*7}} {0.__class__} %s {question}": "{{7*7}} {0.__class__} %s why?",
    "{missing} {} { question } {question!r} {question:>9}": "{missing} {} { question } {question!r} {question:>9}",
    "{{question}}": "{why?}",
    '{"json": {question}}': '{"json": why?}',
    "{input}": "{input}",
    "$question ${question} <question>": "$question $why? <question>",
}


def test_a_template_fills_fields_and_keeps_every_other_brace(project: Project) -> None:
    for number, template in enumerate(FILLED):
        passing(project, number, [ROW], f"prompt={template!r}")
    assert project.run("evals").ret == 0
    texts = sorted(FILLED.values())
    assert sorted(sent(project), key=str) == sorted(([{"role": "user", "content": each}] for each in texts), key=str)


QUESTIONS = [{"id": each, "input": {"question": each, "n": 1}} for each in "ab"]
TEXTS = [{"id": each, "input": each} for each in "ab"]


TAKING_UP: list[tuple[str, list[dict[str, Any]], str | None]] = [
    ("Say {inptu}", TEXTS, "{inptu} is not a row field and is sent unchanged; did you mean {input}?"),
    ("Say {inptu}", TEXTS[:1], "did you mean {input}?"),
    ("{n}: {Question}", QUESTIONS, "{Question} is not a row field * did you mean {question}?"),
    ("Say {question}", TEXTS, "is the same for all 2 rows: it has none of their fields ({input})"),
    ("Say {input}", QUESTIONS, "is the same for all 2 rows: it has none of their fields ({n}, {question})"),
    ("Say it", TEXTS, "is the same for all 2 rows"),
    ("Say it", [TEXTS[0], {**TEXTS[0], "id": "b"}], None),
    ("{input} and {inputs} {x}", TEXTS, None),
    (
        "{plan}, {n}: {question}",
        [QUESTIONS[0], {"id": "c", "input": {"question": "c", "n": 2, "plan": "x"}}, QUESTIONS[1]],
        "{plan} is missing in 2 of 3 rows and is sent there unchanged (first: row a)",
    ),
    ('{question} as {"questio": {"n": 1}}, {n: int}', QUESTIONS, None),
    ("{question} ({number})", QUESTIONS, "no row has {number}, sent unchanged; the prompt does not use {n}"),
    ("{question} ({number}), {n}", QUESTIONS, None),
    ("{input.question} ({n})", QUESTIONS, "{input.question} is not a row field * did you mean {question}?"),
    ("{n}: {question!r:>9}", QUESTIONS, "{question!r:>9} is not a row field * did you mean {question}?"),
    ("{sample.input} {input}", TEXTS, "{sample.input} is not a row field * did you mean {input}?"),
    ("{input}, {n}", QUESTIONS, "{input} is not a row field * the input is an object, *fields ({n}, {question})"),
    ("{sample.target}, {id}: {input}", TEXTS, "{sample.target} is not a row field *: a prompt function gets the *"),
    ("{n}: {{question}}", QUESTIONS, "{{question}} is sent with braces around *; a field has one pair: {question}"),
    ('{"n": {"n": {n}}}, {{id}}: {question}', QUESTIONS, None),
    (r"f'{score:.2f}' of GET /{id}, \frac{id}{target}, {response.text}: {input}", TEXTS, None),
    ("{metadata.tone}: {input}", TEXTS, "{metadata.tone} is not a row field *: a prompt function gets the whole*"),
]
"""Of a template and rows, what is told; None for nothing."""


def test_a_prompt_that_takes_up_nothing_of_a_row_is_told_before_any_call(project: Project) -> None:
    """Unknown braces are sent as they are, so it is no error."""
    for number, (template, rows, _) in enumerate(TAKING_UP):
        passing(project, number, rows, f"prompt={template!r}")
    result = project.run("evals", "--co")
    for number, (_, _, told) in enumerate(TAKING_UP):
        begun = f"llmeval: suite n{number}: prompt template"
        if told is None:
            assert begun not in result.stdout.str()
        else:
            result.stdout.fnmatch_lines([f"{begun}*{told.replace('[', '[[]')}*"])
    assert project.server.ledger == []


def test_a_misspelt_placeholder_is_told_as_a_run_begins_and_in_its_notes(project: Project, spread: list[str]) -> None:
    """Once for a function, whatever its parameter sets. A prompt that a body may well not send may be constant."""
    body = "@pytest.mark.parametrize('n', [1, 2])\ndef test_echo(response, n):\n    pass\n"
    project.write(prompts__ask_txt="Say {inptu}!")
    project.eval(body, TEXTS, marker='prompt="prompts/ask.txt"')
    project.eval("def test_own(model):\n    pass\n", TEXTS, name="own", marker='prompt="Be brief."')
    project.eval("def test_odd(model):\n    pass\n", TEXTS, name="odd", marker='prompt="Be {brief}."')
    styled = "@pytest.mark.parametrize('n, style', [(1, 'short')])\ndef test_styled(model, n, style):\n    pass\n"
    project.eval(styled, TEXTS, name="styled", marker='prompt="Be {style}: {input} {id}"')
    result = project.run("evals", *spread)
    assert result.ret == 0
    told = "suite echo: prompt prompts/ask.txt: {inptu} is not a row field and is sent unchanged; did you mean"
    result.stdout.fnmatch_lines([f"llmeval: {told} {{input}}[?]", "=*= llmeval =*=", "note: suite echo: prompt*"])
    assert " ".join(result.stdout.str().split()).count(told) == 2
    odd = "suite odd: prompt template has no field of its rows ({input}) and is sent with {brief} as it stands"
    assert odd in " ".join(result.stdout.str().split())
    styled = "{style} is not a row field and is sent unchanged; it is an argument of the test, which"
    assert styled in " ".join(result.stdout.str().split())
    assert "suite own" not in result.stdout.str()


def test_what_a_field_holds_is_not_filled_again(project: Project) -> None:
    """A row is data: braces in it are no template."""
    project.eval(PASS, [{"id": "a", "input": {"a": "{b}", "b": "secret"}}], marker='prompt="{a} {b}"')
    project.run("evals")
    assert sent(project)[0][0]["content"] == "{b} secret"


def test_input_stands_for_a_text(project: Project) -> None:
    project.eval(PASS, [{"id": "a", "input": "hello"}], marker='prompt="Say {input}! {x}"')
    project.run("evals")
    assert sent(project)[0][0]["content"] == "Say hello! {x}"


@pytest.mark.parametrize("folder", ["prompts", "evals"])
@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_a_text_file_is_a_template_beside_the_project_or_the_test(project: Project, suffix: str, folder: str) -> None:
    project.write(**{f"{folder}__ask_{suffix}": "Q: {question}\n"})
    path = f"prompts/ask.{suffix}" if folder == "prompts" else f"ask.{suffix}"
    project.eval(PASS, [ROW], marker=f'prompt="{path}"')
    assert project.run("evals").ret == 0
    assert sent(project)[0][0]["content"] == "Q: why?\n"
    assert recorded(project)["prompt"] == f"{folder}/ask.{suffix}"


@pytest.mark.parametrize(
    ("suffix", "text"),
    [("txt", "Q: {question}"), ("md", "Q: {question}"), ("yaml", "- {role: user, content: 'Q: why?'}")],
)
def test_a_byte_order_mark_is_not_sent(project: Project, suffix: str, text: str) -> None:
    """Editors write one. The digest is that of the file without it."""
    project.write(**{f"prompts__ask_{suffix}": "\ufeff" + text})
    project.eval(PASS, [ROW], marker=f'prompt="prompts/ask.{suffix}"')
    assert project.run("evals").ret == 0
    assert sent(project)[0][0]["content"] == "Q: why?"
    assert recorded(project)["prompt_digest"] == digest(text)


def test_a_yaml_file_is_a_list_of_messages_each_a_template(project: Project) -> None:
    project.write(prompts__ask_yaml="- {role: system, content: Be short.}\n- role: user\n  content: 'Q: {question}'\n")
    project.eval(PASS, [ROW], marker='prompt="prompts/ask.yaml"')
    assert project.run("evals").ret == 0
    assert sent(project) == [[{"role": "system", "content": "Be short."}, {"role": "user", "content": "Q: why?"}]]


def test_one_word_that_ends_in_yml_is_such_a_file_and_a_sentence_is_none(project: Project) -> None:
    """So a name that was misspelt is not sent as a prompt, in each paid call."""
    project.write(ask_yml="- {role: user, content: 'Q: {question}'}")
    for prompt, said in (("ask.yml", "Q: why?"), ("Explain {question} of compose.yml", "Explain why? of compose.yml")):
        project.eval(PASS, [ROW], marker=f'prompt="{prompt}"')
        assert project.run("evals").ret == 0
        assert sent(project)[-1][0]["content"] == said
    project.eval(PASS, [ROW], marker='prompt="as.yml"')
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*as.yml: no such prompt file*"])


def test_a_path_object_is_a_file_whatever_its_suffix(project: Project) -> None:
    project.write(prompts__ask_prompt="Q: {question}")
    project.eval(PASS, [ROW], marker='prompt=__import__("pathlib").Path("prompts/ask.prompt")')
    assert project.run("evals").ret == 0
    assert sent(project)[0][0]["content"] == "Q: why?"


@pytest.mark.parametrize(
    ("returned", "messages"),
    [
        ("sample.id + '!'", [{"role": "user", "content": "a!"}]),
        ("[{'role': 'system', 'content': sample.input['question']}]", [{"role": "system", "content": "why?"}]),
    ],
)
def test_a_callable_returns_a_text_or_messages(project: Project, returned: str, messages: Any) -> None:
    project.eval(PASS, [ROW], marker=f"prompt=lambda sample: {returned}")
    assert project.run("evals").ret == 0
    assert sent(project) == [messages]


def test_a_callable_that_returns_no_messages_is_an_error_of_its_case(project: Project) -> None:
    wrong = ("None", "[]", "5", "[{'role': 'user'}]", "[{'role': 'boss', 'content': ''}]", "1/0")
    for number, returned in enumerate(wrong):
        passing(project, number, [ROW], f"prompt=lambda sample: {returned}")
    assert project.run("evals").ret == 1
    cases = {case["suite"]: case for case in project.rows("SELECT suite, outcome, error_kind, error FROM cases")}
    for number, returned in enumerate(wrong):
        case = cases.pop(f"n{number}")
        assert (case["outcome"], case["error_kind"]) == ("error", "code")
        told = (
            "division by zero" if returned == "1/0" else "a string or a list of messages with role and content, found"
        )
        assert told in case["error"]
    assert (cases, project.server.ledger) == ({}, [])


def test_wrong_prompt_files_are_told_with_their_lines(project: Project) -> None:
    wrong = [
        ("yaml", b"role: user", ": a YAML prompt is a list of messages*"),
        ("yaml", b"- {role: user}", ":1: a message has the keys role and content*"),
        ("yaml", b"- {role: user, content: a}\n- {role: boss, content: b}", ":2: role must be one of*"),
        ("yaml", b"- {role: user, content: [1]}", ":1: role must be one of*content a string*"),
        ("yaml", b"", ": is empty*"),
        ("yaml", b"- !!python/object:os.system {}", ":1: *tag*"),
        ("txt", b"\xff\xfe", ": cannot be read as UTF-8*"),
    ]
    (project.root / "prompts").mkdir()
    for number, (suffix, text, _) in enumerate(wrong):
        (project.root / "prompts" / f"p{number}.{suffix}").write_bytes(text)
        passing(project, number, [ROW], f'prompt="prompts/p{number}.{suffix}"')
    result = project.run("evals")
    assert result.ret == 4
    for number, (suffix, _, message) in enumerate(wrong):
        result.stderr.fnmatch_lines([f"*prompts/p{number}.{suffix}{message}"])
    assert project.server.ledger == []


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_run_records_the_digest_of_a_prompt_file(project: Project) -> None:
    project.write(prompts__ask_txt="Q: {question}\n")
    project.eval(PASS, [ROW], marker='prompt="prompts/ask.txt"')
    project.run("evals")
    assert recorded(project)["prompt_digest"] == digest("Q: {question}\n")


def test_the_digest_of_a_callable_changes_with_its_source(project: Project) -> None:
    digests = []
    for text in ("'one'", "'two'"):
        project.write(
            evals__test_echo_py=f"""
            import pytest

            def build(sample):
                return {text}

            @pytest.mark.llmeval([{{"input": "a"}}], prompt=build)
            def test_echo(response):
                pass
            """
        )
        project.run("evals", inside=False)
        digests.append(recorded(project)["prompt_digest"])
        assert recorded(project)["prompt"] == "build()"
    assert digests[0] != digests[1]


def test_what_a_test_passes_itself_is_sent_as_it_is(project: Project) -> None:
    project.eval(
        """
        def test_echo(model):
            model.generate_sync("{question} as it is")
            model.generate_sync([{"role": "system", "content": "{question}"}])
        """,
        [ROW],
        marker='prompt="Q: {question}"',
    )
    project.run("evals").assert_outcomes(passed=1)
    assert sent(project) == [
        [{"role": "user", "content": "{question} as it is"}],
        [{"role": "system", "content": "{question}"}],
    ]


def test_the_input_digest_does_not_cover_the_prompt(project: Project) -> None:
    """It is of the row's input and target, and of nothing else."""
    rows = [ROW, {**ROW, "id": "b", "target": "x"}, {**ROW, "id": "c", "target": "y"}]
    for prompt in ("one", "two"):
        project.eval(PASS, rows, marker=f'prompt="{prompt}"')
        assert project.run("evals").ret == 0
    found = {(row["sample_id"], row["input_digest"]) for row in project.rows("SELECT * FROM cases")}
    assert found == {(row["id"], input_digest(ROW["input"], row.get("target"))) for row in rows}
    assert len({digest for _, digest in found}) == 3


@pytest.mark.parametrize("kind", ["", "async "])
def test_what_a_prompt_function_does_to_its_test_it_does_to_its_own_case_alone(
    project: Project, kind: str, spread: list[str]
) -> None:
    raised = {"skip": "pytest.skip('not this')", "fail": "pytest.fail('not this')", "exit": "sys.exit(3)"}
    for name, what in raised.items():
        project.write(
            **{
                f"data__{name}_jsonl": jsonl(*({"id": f"{name}{n}", "input": f"q{n}"} for n in range(8))),
                f"evals__test_{name}_py": f"""
                import sys

                import pytest

                def build(sample):
                    if sample.id == "{name}3":
                        {what}
                    return sample.input

                @pytest.mark.llmeval("data/{name}.jsonl", prompt=build)
                {kind}def test_{name}(response, sample):
                    assert response.text == sample.input
                """,
            }
        )
    project.run("evals", "--max-connections=2", *spread)
    cases = project.cases()
    assert len(cases) == 24
    assert {name: outcome for name, outcome in cases.items() if outcome != "passed"} == {
        "skip3": "skipped",
        "fail3": "error",
        "exit3": "error",
    }
