"""Choice labels that are words of running prose, and the phrases that introduce an answer.

A label in prose alone never decides ("vitamin C", "A city"). Where the answer already names a choice in another way, a
label that the prose concludes with ("so B.") adds a second one, unless it is plainly rejected: "not B", "B is wrong".
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from pytest_llmeval.scorers.choice_marks import CLOSE, NOUN, OPEN, SPACED, WORD_END, WORD_START
from pytest_llmeval.scorers.lookalikes import ARTICLE

__all__ = ["BECAUSE_CLAUSE", "CALLED_RIGHT", "CALLED_WRONG", "STATEMENT", "SURELY", "Prose", "prose"]

_BECAUSE = r"(?:because|since|as|due)\b"
# "B is correct" where its sentence adds at most the reason: not "B is correct if ..." and not "... right-handed"
CALLED_RIGHT = (
    rf"\s+is\s+(?:also\s+)?(?:the\s+)?(?:correct|right)(?:\s+(?:{NOUN}|one))?"
    rf"[*_`\"')\]]*(?=[ \t\r]*(?:$|[.;!])|,?\s+{_BECAUSE})"
)
# "The answer is", "correct option:"; not "the answer choices:", nor "To answer this, ...:" (a comma is in between)
STATEMENT = (
    rf"\b(?<!</)(?:answer(?!\s+(?:choices|options)\b)(?:(?<!\bto answer)(?<!\bwill answer)(?<!\bcan answer)"
    rf"|(?=[^.,\n:=：]{{0,60}}[:=：]))|(?:correct|right)\s+{NOUN})\b[^.\n:=：]{{0,80}}?(?:\bis\b|[:=：])"
)
# Adverbs between "the answer is" and the answer: "clearly", "most likely"
SURELY = re.compile(
    r",?\s*(?:(?:(?:most|very|almost|quite)\s+)?(?:clearly|certainly|definitely|obviously|evidently|probably|likely"
    r"|undoubtedly|surely|actually|really|simply|apparently|presumably|unquestionably|exactly|indeed|therefore|thus"
    rf"|hence|then|of\s+course|without\s+(?:a\s+)?doubt)\b[,\s]*)+{OPEN}",
    re.IGNORECASE,
)
# The reason given after a choice's text, to the end of its sentence: "London, because Paris is in France."
BECAUSE_CLAUSE = re.compile(rf"{CLOSE},?\s*{_BECAUSE}[^\n]*?(?=[.!;](?:\s|$)|$)", re.IGNORECASE | re.MULTILINE)
_LOOK_BACK = 24  # characters
# Before a label: words that reject it, and nouns that a single letter belongs to ("vitamin C")
_RULED_OUT = re.compile(
    r"(?:\b(?:not|nor|never|neither|cannot|than|unlike|nicht|pas|no es)|n['’]t)"
    rf"(?:\s+be)?(?:\s+(?:the|an?|either))?(?:\s+{NOUN})?\s*{OPEN}$",
    re.IGNORECASE,
)
_COMPOUND = re.compile(
    r"\b(?:vitamins?|hepatitis|influenza|types?|plan|groups?|grade|class|phase|stage|figure|table|appendix|part|section"
    r"|level|column|row|points?|line|questions?|problem|item|team|model|version|variable|case|exhibit)\s+$",
    re.IGNORECASE,
)
# The initial in "Franklin D. Roosevelt", but not "Therefore B. Paris"
_INITIAL = re.compile(
    r"\b(?!(?:So|Therefore|Thus|Hence|Then|Option|Answer|Choice|Letter|Is|Antwort|Buchstabe|L[öo]sung|Also|R[ée]ponse"
    r"|Donc|Respuesta|Opci[óo]n|Entonces|\w+ly) )[A-Z]\w+ $"
)
_NAME_GOES_ON = re.compile(r"\. [A-Z]\w")
# Before and after a label that the answer concludes with: "so B.", "It is B,", "B (as it rains)"
_COME_TO = re.compile(
    r"(?:^|[.,;:!?()\n–—，。；：是选選]|\b(?:is|be|so|thus|hence|therefore|then|choose|pick|select|with|take|but|think|believe"
    r"|guess|conclude|option|choice|letter|answer|(?:I|would|['’]d) say|\w+ly"
    r"|ist|es|est|also|daher|folglich|donc|entonces|lautet|w[äa]hle|antwort|l[öo]sung|r[ée]ponse|choisis|respuesta"
    r"|opci[óo]n|elijo|la)\b|['’]s|は)\s*[,:]?\s*"
    rf"(?:(?:an?|the)\s+)?{OPEN}$",
    re.IGNORECASE,
)
_ENDS = re.compile(
    rf"{CLOSE}\s*(?:$|[.,;:!(–—。！；，：で]|{_BECAUSE}|ist\b|est\b|es\b|(?:is|fits|seems|looks)\s+(?:correct|right|best|better))",
    re.MULTILINE,
)


_LIST = rf"(?:{CLOSE}\s*(?:[,;/、]|\b(?:and|or|und|oder|et|y)\b|&)\s*(?:(?:and|or)\b)?\s*{OPEN}(?:%s)(?!\w)){{0,25}}"
_WRONG = (
    rf"{CLOSE}\s*(?:都|均)?(?:(?:is|are|was|were|seems?|looks?|(?:would|must|can)\s+be|ist|sind|est|sont|es|son)\s+"
    r"(?:\w+ly\s+)?(?:not(?!\s+only)|wrong|incorrect|false|out|impossible|excluded|eliminated|ruled|falsch|fau(?:x|sse))\b"
    r"|(?:is|are|was|do|does|ca)n['’]t\b|cannot\b|(?:do|does)\s+not\b|[是为]?[错不])"
)
CALLED_WRONG = re.compile(_WRONG, re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """Patterns that find the labels of choices in running prose, and the texts that may contain such a label."""

    mentions: str
    """Source of a pattern, compiled only for the answers that need it. It matches the text of a choice, or a label: a
    capital or number (group ``label``), or any label after a noun (group ``option``)."""
    wrong: re.Pattern[str]
    """Matches what follows a label that is called wrong, alone or as the first of several."""

    def labels(self, text: str, *, besides: Collection[int] = ()) -> set[str]:
        """Return the labels that an answer concludes with ("so B.", "It is B,"), except those it plainly rejects.

        Args:
            text: an answer or a part of one.
            besides: positions of labels that are already accounted for.
        """
        found: set[str] = set()
        for each in re.finditer(self.mentions, text):
            label = each["option"] or each["label"]
            start = each.end() - len(label) if label else 0
            if label and start not in besides and not self._is_other(text, start, each):
                found |= {label} if self._is_come_to(text, start, each) else set()
        return found

    def _is_come_to(self, text: str, start: int, label: re.Match[str]) -> bool:
        """Whether a label ends a clause and follows a noun, verb or mark that introduces an answer."""
        before = text[max(0, start - _LOOK_BACK) : start]
        return _ENDS.match(text, label.end()) is not None and bool(label["option"] or _COME_TO.search(before))

    def _is_other(self, text: str, start: int, label: re.Match[str]) -> bool:
        """Whether a letter is rejected, an article, a pronoun, or part of a name."""
        before = text[max(0, start - _LOOK_BACK) : start]
        if _RULED_OUT.search(before) or self.wrong.match(text, label.end()):
            return True
        if label["option"]:
            return False
        if label["label"] == "I" or (label["label"] == "A" and ARTICLE.match(text, label.end())):
            return True
        return bool(_COMPOUND.search(before) or (_INITIAL.search(before) and _NAME_GOES_ON.match(text, label.end())))


def prose(labels: Collection[str], texts: Collection[str], *, nouns: bool) -> Prose:
    """Return the patterns that find the labels of choices in prose.

    Args:
        labels: the labels of the choices.
        texts: the texts of the choices, as ``plain`` returns them.
        nouns: whether a noun may precede a label; False where a choice's text contains such a noun.
    """
    short = "|".join(label for label in labels if re.fullmatch("[A-Z]|[0-9]{1,2}", label)) or "(?!)"
    said = "|".join(map(re.escape, sorted(texts, key=len, reverse=True))).replace("\\ ", r"\s+").replace("'", "['’]")
    any_label = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    return Prose(
        mentions=(
            (rf"{WORD_START}(?i:{said}){WORD_END}|" if texts else "")
            + rf"\b(?i:{NOUN})\s+{OPEN}(?P<option>{any_label if nouns else '(?!)'})(?!\w)|"
            + rf"(?<!{SPACED})(?<!\w[-&.])(?<!\w['’])(?<!\d,)(?P<label>{short})(?!{SPACED})"
            + r"(?![-\u2010\u2011]\w|[+#&]|[.,]\d|\.\w|['’](?!s\b)\w)"
        ),
        wrong=re.compile(_LIST % short + _WRONG, re.IGNORECASE),
    )
