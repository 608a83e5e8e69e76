"""Names that people wrote: which one was meant, and how one is shown."""

from collections.abc import Iterable

from pytest_llmeval.core.text import and_more

__all__ = ["closest", "did_you_mean", "quoted", "show_key"]

_SHOWN = 60


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the name in ``known`` most like ``word``; None where none is like it.

    ``cutoff`` is the least similarity, in [0, 1], by ``difflib.SequenceMatcher.ratio``.
    """
    import difflib  # no session needs it where nothing is wrong

    folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    found = difflib.get_close_matches(word.casefold()[:200], sorted(folded), n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return what to do about an unknown ``word``: the name that was meant, else ``otherwise``.

    Where that is None, the names there are: at most ten are listed; without any the text is empty.
    """
    names = sorted(known)
    near = closest(word, names)
    if near is not None:
        return f"did you mean {near!r}?{_look_alike(word, near)}"
    if otherwise is not None or not names:
        return otherwise or ""
    return f"there are {and_more([*map(repr, names)], 10)}"


def _look_alike(word: str, near: str) -> str:
    """Return what tells two names apart that look the same: an ü may be one character, or a u and its dots."""
    import unicodedata  # no session needs it where nothing is wrong

    if unicodedata.normalize("NFC", word) != unicodedata.normalize("NFC", near):
        return ""
    return f" It looks the same, of other characters: {ascii(near)}, not {ascii(word)}"


def quoted(name: str) -> str:
    """Return a name as YAML reads it, in single quotes, where a backslash is one; as Python does if not printable."""
    return "'" + name.replace("'", "''") + "'" if name.isprintable() else repr(name)


def show_key(name: object) -> str:
    """Return a key as a part of a place in a message: as it is where it is plain, else quoted and cut."""
    text = str(name)
    if text and len(text) <= _SHOWN and all(letter.isalnum() or letter in "_-" for letter in text):
        return text
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
