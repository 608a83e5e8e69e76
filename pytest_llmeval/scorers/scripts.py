"""Letters of scripts without spaces between words, in which a number or a text may touch other letters."""

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
"""Ranges for a character class of ``re``: the blocks of https://www.unicode.org/charts/ of scripts without spaces
between words (UAX 14, classes SA and ID)."""
_UNSPACED = re.compile(f"[{UNSPACED}]")


def is_word_letter(char: str) -> bool:
    """Whether a digit right after ``char`` is part of a word, as in ``B2``; False for an empty text."""
    return char.isalpha() and not _UNSPACED.match(char)
