"""Small helpers that put a document together out of parts, some of which may be empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .draw import Draw


def lines(*parts: str) -> str:
    """Return the non-empty parts, one a line. A part of one line break gives an empty line."""
    return "\n".join("" if part == "\n" else part for part in parts if part)


def numbered(mark: str, *parts: str) -> str:
    """Return the non-empty parts, one a line, after the mark: {n} in it counts, {a} is a letter."""
    kept = [part for part in parts if part]
    return "\n".join(f"{mark.format(n=i, a=chr(96 + i))} {part}" for i, part in enumerate(kept, 1))


def say(*parts: str) -> str:
    """Return the non-empty parts as one running text."""
    return " ".join(part for part in parts if part)


def listing(words: Sequence[str]) -> str:
    """Return 'a', 'a and b' or 'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def labelled(pairs: Iterable[tuple[str, str]], mark: str = ": ") -> str:
    """Return 'label: value' lines, without those whose value is empty."""
    return "\n".join(f"{label}{mark}{value}" for label, value in pairs if value)


def greeting(d: Draw, name: str = "") -> str:
    """Return the opening of a letter or mail."""
    if name and d.chance(0.8):
        if name.startswith(("Ms ", "Mr ")):
            return d.pick((f"Dear {name},", f"Good morning {name},", f"Dear {name},", f"Hello {name},"))
        return d.pick((f"Dear {name},", f"Hello {name},", f"Hi {name},", f"Good morning {name},"))
    return d.pick(("Hello,", "Good morning,", "Dear all,", "Hi there,", "Good afternoon,"))


def closing(d: Draw) -> str:
    """Return the words before the name at the end of a mail."""
    return d.pick(
        (
            "Best regards,",
            "Kind regards,",
            "Thanks,",
            "Many thanks,",
            "All the best,",
            "Sincerely,",
            "With best wishes,",
            "Cheers,",
            "Yours,",
            "Thank you,",
        )
    )


def an(words: str) -> str:
    """Return the words with a or an in front."""
    return f"{'an' if words[0] in 'aeiouAEIO' or words.startswith('HR') else 'a'} {words}"
