"""Names that people wrote: suggestions for misspelt ones, and their form in messages."""

from collections.abc import Iterable

from pytest_llmeval.core.text import and_more

__all__ = ["closest", "did_you_mean", "quoted", "show_key"]

_SHOWN = 60


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the name in ``known`` that is most similar to ``word``; None if none is similar enough.

    ``cutoff`` is the least similarity, in [0, 1], by ``difflib.SequenceMatcher.ratio``.
    """
    import difflib  # not needed unless something is wrong

    folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    found = difflib.get_close_matches(word.casefold()[:200], sorted(folded), n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return advice on an unknown ``word``: the name that was probably meant, else ``otherwise``.

    If ``otherwise`` is None, up to ten known names are listed instead; without known names the text is empty.
    """
    names = sorted(known)
    near = closest(word, names)
    if near is not None:
        return f"did you mean {near!r}?{_look_alike(word, near)}"
    if otherwise is not None or not names:
        return otherwise or ""
    return f"there are {and_more([*map(repr, names)], 10)}"


def _look_alike(word: str, near: str) -> str:
    """Return how two names differ that look the same: an ü may be one character, or a u with combining dots."""
    import unicodedata  # not needed unless something is wrong

    if unicodedata.normalize("NFC", word) != unicodedata.normalize("NFC", near):
        return ""
    return f" It looks the same, but has other characters: {ascii(near)}, not {ascii(word)}"


def quoted(name: str) -> str:
    """Return a name in YAML's single quotes, in which backslashes are literal; its ``repr`` if it is not printable."""
    return "'" + name.replace("'", "''") + "'" if name.isprintable() else repr(name)


def show_key(name: object) -> str:
    """Return a key as part of a place in a message: unchanged if it is plain, else quoted and cut to 60 characters."""
    text = str(name)
    if text and len(text) <= _SHOWN and all(letter.isalnum() or letter in "_-" for letter in text):
        return text
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
