"""Text that looks like a choice's label but is not: "A few of these", "I think", the 4 of 4.5."""

import re

__all__ = ["ARTICLE", "PART", "PRONOUN"]

# Words that may follow a label but not the article "A"
_GOES_ON = (
    r"(?:because|since|as|and|or|is|if|for|but|by|due|with|which|in|from|given|based|so|only|alone|not|at|on|to|of)"
)
# After part of a number (not 4.0), of a time or a range, after an article ("A few"), or in "D'accord"
PART = re.compile(
    r"(?<=\d)(?!(?:\.0+|,00?)(?!\d))(?:[.,:：．'’\u2010-\u2013\u2212-]\d|[^\S\r\n]\d+/\d)"
    rf"|(?<=\bA)[^\S\r\n]+(?:few|(?:lot|mixture|combination) of)\b|['’](?!(?:ll|{_GOES_ON})\b)[a-zà-ÿ]{{2}}"
)
ARTICLE = re.compile(rf"[^\S\r\n]+(?!{_GOES_ON}\b)(?=[^\W\d_]{{2}})", re.IGNORECASE)
PRONOUN = re.compile(
    r"I(?:['’](?:m|d|ll|ve)|[^\S\r\n]+(?:think|believe|guess|would|can(?:not|['’]t)|do(?:n['’]t)?|am|have|know|will"
    r"|choose|pick|say))\b"
)
