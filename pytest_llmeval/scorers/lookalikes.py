"""What looks like a label in an answer and is none: "A few of these", "I think", the 4 of 4.5."""

import re

__all__ = ["ARTICLE", "PART", "PRONOUN"]

# What follows a label, and not the article "A"
_GOES_ON = (
    r"(?:because|since|as|and|or|is|if|for|but|by|due|with|which|in|from|given|based|so|only|alone|not|at|on|to|of)"
)
# Behind what is no label, but a part of a number (not 4.0), a time or a range, an article ("A few") or "D'accord"
PART = re.compile(
    r"(?<=\d)(?!(?:\.0+|,00?)(?!\d))(?:[.,:：．'’\u2010-\u2013\u2212-]\d|[^\S\r\n]\d+/\d)"
    rf"|(?<=\bA)[^\S\r\n]+(?:few|(?:lot|mixture|combination) of)\b|['’](?!(?:ll|{_GOES_ON})\b)[a-zà-ÿ]{{2}}"
)
ARTICLE = re.compile(rf"[^\S\r\n]+(?!{_GOES_ON}\b)(?=[^\W\d_]{{2}})", re.IGNORECASE)
PRONOUN = re.compile(
    r"I(?:['’](?:m|d|ll|ve)|[^\S\r\n]+(?:think|believe|guess|would|can(?:not|['’]t)|do(?:n['’]t)?|am|have|know|will"
    r"|choose|pick|say))\b"
)
