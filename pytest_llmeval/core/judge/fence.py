"""Text that is judged, and that may try to talk to the judge: fenced off, so that it stays data.

Each line of it is quoted, marks that chat templates give a meaning are broken, invisible characters are spelt out, and
the fence carries a nonce. The nonce is 128 bits of a hash over all that is shown, the judged text too: it is the same
for the same call, so that an answer that was paid for is found again, and no text can contain its own, as that would
change the hash.
"""

import re
import unicodedata

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical

__all__ = ["as_shown", "fenced", "is_perhaps_altered", "neutralised", "nonce_of", "unfenced"]

_NONCE_LENGTH = 32
_QUOTE = "> "
_FENCED = re.compile(r"^BEGIN ([A-Z ]+) ([0-9a-f]+)\n(.*?)\nEND \1 \2$", re.DOTALL | re.MULTILINE)
"""One text between its fences; its lines are quoted, so that none of them can look like one."""
_BRACKETED = "INST SYSTEM_PROMPT AVAILABLE_TOOLS TOOL_CALLS TOOL_RESULTS TOOL_CONTENT CALL_ID THINK".replace(" ", "|")
_TEMPLATE_MARKS = re.compile(rf"<[|\uff5c]?(?=[\w/|\uff5c\u2581])|\[(?=/?(?:{_BRACKETED})\])|<(?=<)", re.IGNORECASE)
"""What opens the marks of chat templates: ``<|im_end|>``, ``</s>``, ``<start_of_turn>``, ``[INST]``, ``<<SYS>>``, and
``<\uff5cUser\uff5c>`` with the full-width bars of DeepSeek."""
_PUT_IN = re.compile(
    rf"<[|\uff5c]? (?=[\w/|\uff5c\u2581<])|\[ /?(?:{_BRACKETED})\]|\[U\+[0-9A-F]{{4,6}}\]", re.IGNORECASE
)
"""What ``neutralised`` makes of them, and of characters that nobody sees."""
_BREAKS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""All that is shown as the end of a line somewhere."""
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]")
"""What Python calls printable and nobody sees: fillers, and variation selectors but for the one that emoji have."""


def nonce_of(*parts: object) -> str:
    """Return the nonce of a call that shows ``parts``: 32 hex digits that none of them can contain.

    Args:
        parts: all that the judge is shown, and whatever else makes the call another one (the epoch, say); anything
            that JSON can say.
    """
    return digest(canonical(list(parts)))[:_NONCE_LENGTH]


def fenced(text: str, label: str, nonce: str) -> str:
    """Return ``text`` between two lines that name ``label`` and ``nonce``, each of its lines quoted by ``> ``."""
    quoted = "\n".join(f"{_QUOTE}{line}" for line in as_shown(text).split("\n"))
    return f"BEGIN {label} {nonce}\n{quoted}\nEND {label} {nonce}"


def as_shown(text: str) -> str:
    """Return ``text`` as it is read between the fences, without the quotes."""
    return "\n".join(map(neutralised, _BREAKS.split(text)))


def is_perhaps_altered(shown: str) -> bool:
    """Return whether a text that is shown as ``as_shown`` returned it may have been another one, but for its line ends.

    A text that had such a blank or such a mark of its own looks the same.
    """
    return _PUT_IN.search(shown) is not None


def unfenced(text: str) -> dict[str, str]:
    """Return the texts that stand between fences in ``text``, by their labels, each as it is shown there."""
    return {
        found[1]: "\n".join(line.removeprefix(_QUOTE) for line in found[3].split("\n"))
        for found in _FENCED.finditer(text)
    }


def neutralised(line: str) -> str:
    """Return a line without marks of chat templates and without characters that nobody sees.

    A mark gets a space behind what opens it; an invisible or control character becomes its code point, ``[U+200B]``.
    """
    broken = _TEMPLATE_MARKS.sub(lambda found: f"{found[0]} ", line)
    is_plain = broken.isprintable() and not _UNSEEN.search(broken)
    return broken if is_plain else "".join(map(_shown, broken))


def _shown(char: str) -> str:
    is_seen = char.isprintable() or char == "\t" or unicodedata.category(char) == "Zs"
    is_seen = is_seen and not _UNSEEN.match(char)
    return char if is_seen else f"[U+{ord(char):04X}]"
