"""YAML that could surprise is refused, with the line and what to do."""

import os
from pathlib import Path

import pytest

from pytest_llmeval.core.document import StrictDocument
from pytest_llmeval.core.errors import ModelError, ThresholdsError
from pytest_llmeval.loaders.strict_yaml import Limits, load_strict
from tests.support.growth import assert_grows_with_size


def load(tmp_path: Path, content: str | bytes, limits: Limits | None = None) -> StrictDocument:
    """Return ``content`` read from the file ``f.yaml``."""
    path = tmp_path / "f.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_strict(path, error=ThresholdsError, shown_as="f.yaml", limits=limits)


def refused(tmp_path: Path, content: str | bytes, limits: Limits | None = None) -> str:
    """Return the message with which ``content`` is refused."""
    with pytest.raises(ThresholdsError) as caught:
        load(tmp_path, content, limits)
    return str(caught.value)


def test_plain_values_come_back_with_their_lines(tmp_path: Path) -> None:
    """Keys and list elements have a line, and nothing else does."""
    document = load(tmp_path, "# top\na: 1\nb:\n  - x\n  - {c: 2.5, d: -3}\ne: [true, null, 'no', 2024-01-02, =]\n")
    assert document.data == {
        "a": 1,
        "b": ["x", {"c": 2.5, "d": -3}],
        "e": [True, None, "no", "2024-01-02", "="],
    }
    assert document.lines == {
        (): 2,
        ("a",): 2,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, "c"): 5,
        ("b", 1, "d"): 5,
        ("e",): 6,
        ("e", 0): 6,
        ("e", 1): 6,
        ("e", 2): 6,
        ("e", 3): 6,
        ("e", 4): 6,
    }
    assert document.line_of(("b", 1, "d")) == 5
    assert document.line_of(("z",)) is None
    assert [document.line_near(path) for path in (("b", 1, "d"), ("b", 1, "d", "e"), ("z", 0))] == [5, 5, 2]


def test_a_byte_order_mark_and_windows_lines_are_welcome(tmp_path: Path) -> None:
    """Editors write them."""
    document = load(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.data == {"a": 1, "b": 2}
    assert document.line_of(("b",)) == 2


@pytest.mark.parametrize("content", ["", "\n", "# only a comment\n", "---\n", "null\n", "--- \n...\n"])
def test_nothing_is_an_error(tmp_path: Path, content: str) -> None:
    """It would read as None, and a gate would be gone."""
    assert refused(tmp_path, content) == "f.yaml: is empty; write at least one key, or delete the file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: the key 'a' stands here again (first on line 1); keep one of them"),
        (
            "a:\n  - b: 1\n    'b': 2\n",
            "f.yaml:3: a.0: the key 'b' stands here again (first on line 2); keep one of them",
        ),
        ("a: &x 1\n", "f.yaml:1: an anchor or alias (& or *); write the value out in full"),
        ("a: 1\nb: *x\n", "f.yaml:2: an anchor or alias (& or *); write the value out in full"),
        ("a:\n  <<: {b: 1}\n", "f.yaml:2: a: a merge key (<<); write the keys out in full"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: a second document starts here; keep one document in a file"),
        ("a: !!str 1\n", "f.yaml:1: the tag 'tag:yaml.org,2002:str'; take it out: plain values need none"),
        ("a: 1\nb: !x {}\n", "f.yaml:2: the tag '!x'; take it out: plain values need none"),
        ("1: a\n", "f.yaml:1: the key '1' is not text; put it in quotes"),
        ("on: a\n", "f.yaml:1: the key 'on' is not text; put it in quotes"),
        ("a: {b: {min: 0,75, max: 1}}\n", "f.yaml:1: a.b: 0,75 is two entries; write 0.75"),
        ("a: {max_total: 1,000}\n", "f.yaml:1: a: 1,000 is two entries; write 1000 or 1.000"),
        ("a: {min: 0, 7: b}\n", "f.yaml:1: a: the key '7' is not text; put it in quotes"),
        ("min: 0\n7:\n", "f.yaml:2: the key '7' is not text; put it in quotes"),
        ("? [a]\n: 1\n", "f.yaml:1: a key that is a list or a mapping; use a string as the key"),
        ("a:\n  - x\n  - b: {c: 1}\n    d: .nan\n", "f.yaml:4: a.1.d: .nan is not a finite number; write a finite one"),
        ("a: {b: 1}\n7: x\n", "f.yaml:2: the key '7' is not text; put it in quotes"),
        ("a: .nan\n", "f.yaml:1: a: .nan is not a finite number; write a finite one"),
        ("a: -.INF\n", "f.yaml:1: a: -.INF is not a finite number; write a finite one"),
        ("a: 1.0e+999\n", "f.yaml:1: a: 1.0e+999 is too large for a number; write a finite one"),
        ("a: 012\n", "f.yaml:1: a: 012 means 10 in YAML 1.1; write 10, or '012' in quotes"),
        ("a: +491\n", "f.yaml:1: a: +491 means 491 in YAML 1.1; write 491, or '+491' in quotes"),
        ("a: 0x1F\n", "f.yaml:1: a: 0x1F means 31 in YAML 1.1; write 31, or '0x1F' in quotes"),
        ("a: 1_000\n", "f.yaml:1: a: 1_000 means 1000 in YAML 1.1; write 1000, or '1_000' in quotes"),
        ("a: 12:30\n", "f.yaml:1: a: 12:30 means 750 in YAML 1.1; write 750, or '12:30' in quotes"),
        ("a: 1:30.5\n", "f.yaml:1: a: 1:30.5 means 90.5 in YAML 1.1; write 90.5, or '1:30.5' in quotes"),
        ("a: 1e-3\n", "f.yaml:1: a: 1e-3 is a string in YAML 1.1, not a number; write 0.001, or '1e-3' in quotes"),
        (
            "a: [1.5e6]",
            "f.yaml:1: a.0: 1.5e6 is a string in YAML 1.1, not a number; write 1500000.0, or '1.5e6' in quotes",
        ),
        ("a: -.5E0\n", "f.yaml:1: a: -.5E0 is a string in YAML 1.1, not a number; write -0.5, or '-.5E0' in quotes"),
        (
            "a:\n- 1_0e-8",
            "f.yaml:2: a.0: 1_0e-8 is a string in YAML 1.1, not a number; write 1.0e-07, or '1_0e-8' in quotes",
        ),
        (
            "a: 1e999\n",
            "f.yaml:1: a: 1e999 is a string in YAML 1.1, not a number; write a finite one, or '1e999' in quotes",
        ),
        ("a: no\n", "f.yaml:1: a: no means false in YAML 1.1; write false, or 'no' in quotes"),
        ("a: Yes\n", "f.yaml:1: a: Yes means true in YAML 1.1; write true, or 'Yes' in quotes"),
        ("a: " + "9" * 5000, "f.yaml:1: a: a number of 5000 digits; write a shorter one, or put it in quotes"),
        (
            "a: 0x" + "f" * 5000 + "g: 1\n",
            "f.yaml:1: is not valid YAML: mapping values are not allowed here; "
            "check indentation, colons and quotes near this line",
        ),
        ('a: "\\ud800"\n', "f.yaml:1: a: half of a surrogate pair; write the character itself"),
        ('"\\ud800": 1\n', "f.yaml:1: half of a surrogate pair; write the character itself"),
        ('a: "\\UFFFFFFFF"\n', "f.yaml:1: an escape that names no character; correct it"),
        ("a: 1\nb: x\x00y\n", "f.yaml:2: the character '\\x00' is not allowed in YAML; remove it"),
        ("a: 1\nb: 'x\x85y'\n", "f.yaml:2: found \\x85, an end of a line in YAML; write it as \\x85 in double quotes"),
        (b"a: 1\nb: \xff\n", "f.yaml:2: byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)
def test_what_is_ambiguous_is_refused_with_line_and_key(tmp_path: Path, content: str | bytes, message: str) -> None:
    """Each message says what was found and what to do."""
    assert refused(tmp_path, content) == message


def test_what_only_looks_like_an_exponent_stays_text(tmp_path: Path) -> None:
    """And what is quoted; with a point and a sign it is a number."""
    document = load(tmp_path, "- '1e-3'\n- 1e\n- e3\n- 1e3m\n- 1.0e-3\n- |\n  1e3\n- 1e3: x\n- .e3\n")
    assert document.data == ["1e-3", "1e", "e3", "1e3m", 0.001, "1e3\n", {"1e3": "x"}, ".e3"]


@pytest.mark.parametrize("number", ["0x" + "f" * 5000, "1_0" + "0" * 5000])
def test_a_number_that_python_will_not_print_is_refused_too(tmp_path: Path, number: str) -> None:
    """The message stays short."""
    message = refused(tmp_path, f"a: {number}")
    assert message.startswith(f"f.yaml:1: a: {number[:99]}")
    assert "write another number" in message
    assert len(message) < 400


@pytest.mark.parametrize("content", ["a: [1\n", "a: 'x\n", "a:\n\t- b\n", "a: b: c\n", "}", "a: 1\n b: 2\n"])
def test_broken_yaml_is_one_line_with_the_place(tmp_path: Path, content: str) -> None:
    """Not a traceback."""
    message = refused(tmp_path, content)
    assert message.startswith("f.yaml:")
    assert "is not valid YAML: " in message
    assert "\n" not in message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_refusing_deep_nesting_grows_with_the_file(tmp_path: Path, opening: str) -> None:
    """PyYAML would end in a RecursionError."""

    def refuse(levels: int) -> None:
        assert "more than 100 levels of nesting" in refused(tmp_path, opening * levels)

    assert_grows_with_size(refuse, 200_000)


def test_an_alias_is_refused(tmp_path: Path) -> None:
    """Nine levels of nine aliases would be 387 million values, and an alias of itself has no end."""
    levels = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    for content in ("\n".join(levels), "a: &a [*a]\n", "a: &a 1\n"):
        assert "an anchor or alias" in refused(tmp_path, content)


def test_too_many_values_are_refused(tmp_path: Path) -> None:
    """Of a small file, too."""
    message = refused(tmp_path, "a: [1, 2, 3]\n", Limits(max_values=4))
    assert message.endswith("more than 4 values; split the file")


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    """The limit is an argument."""
    message = refused(tmp_path, "a: 1\n" * 3, Limits(max_bytes=10))
    assert message == "f.yaml: is larger than 10 bytes; split it or make it smaller"


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    """A folder, a pipe, a device, a name that is not there, a name that cannot be."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(ModelError, match="is not a regular file; name a YAML file"):
            load_strict(path, error=ModelError)
    with pytest.raises(ModelError, match=r"none\.yaml: cannot be read \(No such file or directory\)"):
        load_strict(tmp_path / "none.yaml", error=ModelError)
    with pytest.raises(ModelError, match="cannot be read"):
        load_strict(Path("a\0b"), error=ModelError)
