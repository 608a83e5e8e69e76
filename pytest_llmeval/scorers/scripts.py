"""Letters of scripts that set no space between words: a number or a text may follow them, or they it."""

import re

__all__ = ["UNSPACED", "is_word_letter"]

UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029"  # CJK radicals and marks
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # kana
    "\u3100-\u312f"  # Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
"""As in a character class of ``re``; the blocks of https://www.unicode.org/charts/ whose words stand without spaces
(UAX 14, classes SA and ID)."""
_UNSPACED = re.compile(f"[{UNSPACED}]")


def is_word_letter(char: str) -> bool:
    """Whether a digit right after ``char`` is part of a word; False for an empty text."""
    return char.isalpha() and not _UNSPACED.match(char)
