"""Fencing of judged text, which may contain instructions to the judge, so that it stays data.

Each line is quoted, marks with a meaning in chat templates are broken up, invisible characters are spelt out, and the
fence carries a nonce. The nonce is 128 bits of a hash of everything that is shown, including the judged text. It is the
same for the same call, so that a paid answer is found again in the cache; and no text can contain its own nonce, since
that would change the hash.
"""

import re
import unicodedata

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical

__all__ = ["as_shown", "fenced", "is_perhaps_altered", "neutralised", "nonce_of", "unfenced"]

_NONCE_LENGTH = 32
_QUOTE = "> "
_FENCED = re.compile(r"^BEGIN ([A-Z ]+) ([0-9a-f]+)\n(.*?)\nEND \1 \2$", re.DOTALL | re.MULTILINE)
"""Matches one text between its fences; its lines are quoted, so none of them can look like a fence."""
_BRACKETED = "INST SYSTEM_PROMPT AVAILABLE_TOOLS TOOL_CALLS TOOL_RESULTS TOOL_CONTENT CALL_ID THINK".replace(" ", "|")
_TEMPLATE_MARKS = re.compile(rf"<[|\uff5c]?(?=[\w/|\uff5c\u2581])|\[(?=/?(?:{_BRACKETED})\])|<(?=<)", re.IGNORECASE)
"""Start of the marks of chat templates: ``<|im_end|>``, ``</s>``, ``<start_of_turn>``, ``[INST]``, ``<<SYS>>``, and
``<\uff5cUser\uff5c>`` with the full-width bars of DeepSeek."""
_PUT_IN = re.compile(
    rf"<[|\uff5c]? (?=[\w/|\uff5c\u2581<])|\[ /?(?:{_BRACKETED})\]|\[U\+[0-9A-F]{{4,6}}\]", re.IGNORECASE
)
"""Replacements that ``neutralised`` makes for such marks and for invisible characters."""
_BREAKS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Everything that some program shows as the end of a line."""
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]")
"""Invisible characters that Python calls printable: fillers, and variation selectors except the one used with emoji."""


def nonce_of(*parts: object) -> str:
    """Return the nonce of a call that shows ``parts``: 32 hex digits that none of them can contain.

    Args:
        parts: everything that the judge is shown, and whatever else distinguishes the call, such as the epoch; any
            JSON values.
    """
    return digest(canonical(list(parts)))[:_NONCE_LENGTH]


def fenced(text: str, label: str, nonce: str) -> str:
    """Return ``text`` with each line quoted by ``> ``, between two lines that name ``label`` and ``nonce``."""
    quoted = "\n".join(f"{_QUOTE}{line}" for line in as_shown(text).split("\n"))
    return f"BEGIN {label} {nonce}\n{quoted}\nEND {label} {nonce}"


def as_shown(text: str) -> str:
    """Return ``text`` as it appears between the fences, without the quotes."""
    return "\n".join(map(neutralised, _BREAKS.split(text)))


def is_perhaps_altered(shown: str) -> bool:
    """Return whether a result of ``as_shown`` may differ from the original text in more than line ends.

    It may also be unaltered: the original may itself have contained such a blank or such a mark.
    """
    return _PUT_IN.search(shown) is not None


def unfenced(text: str) -> dict[str, str]:
    """Return the texts between the fences in ``text``, by their labels, as they are shown there but without quotes."""
    return {
        found[1]: "\n".join(line.removeprefix(_QUOTE) for line in found[3].split("\n"))
        for found in _FENCED.finditer(text)
    }


def neutralised(line: str) -> str:
    """Return a line in which chat template marks are broken up and invisible characters are spelt out.

    A space is inserted after the start of a mark. An invisible or control character becomes its code point,
    ``[U+200B]``.
    """
    broken = _TEMPLATE_MARKS.sub(lambda found: f"{found[0]} ", line)
    is_plain = broken.isprintable() and not _UNSEEN.search(broken)
    return broken if is_plain else "".join(map(_shown, broken))


def _shown(char: str) -> str:
    is_seen = char.isprintable() or char == "\t" or unicodedata.category(char) == "Zs"
    is_seen = is_seen and not _UNSEEN.match(char)
    return char if is_seen else f"[U+{ord(char):04X}]"
