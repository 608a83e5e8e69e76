"""Labels that stand as words in running prose, and what follows a text in an answer: a reason, or another choice.

A label in prose mostly decides nothing ("vitamin C", "A city"). Beside a choice that the answer names otherwise it
makes two of them, unless it is plainly no answer: "not B", "B is wrong".
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from pytest_llmeval.scorers.choice_marks import CLOSE, NOUN, OPEN, SPACED, WORD_END, WORD_START, plain
from pytest_llmeval.scorers.lookalikes import ARTICLE

__all__ = [
    "CALLED_RIGHT",
    "CALLED_WRONG",
    "CHOSEN",
    "HENCE",
    "REASON",
    "STATEMENT",
    "SURELY",
    "Prose",
    "prose",
    "turns",
]

_BECAUSE = r"(?:because|since|as|due)\b"
# "B is correct", and no more in its sentence than the reason: not "B is correct if ..." and not "... right-handed"
CALLED_RIGHT = (
    rf"\s+is\s+(?:also\s+)?(?:the\s+)?(?:correct|right)(?:\s+(?:{NOUN}|one))?"
    rf"[*_`\"')\]]*(?=[ \t\r]*(?:$|[.;!])|,?\s+{_BECAUSE})"
)
# "The answer is", "correct option:"; not "To answer this:" and "the answer choices:"; "must be" only where a choice
# follows it without a condition
STATEMENT = (
    rf"\b(?<!</)(?:(?<!\bto )(?<!\bwill )(?<!\bcan )answer(?!\s+(?:choices?|options?)\b)|(?:correct|right)\s+{NOUN})\b"
    r"[^.\n:=：]{0,80}?"
    r"(?:\bis\b|[:=：]|\b(?:must|would|should|has\s+to|can\s+only)\s+be\b(?=\s+%s)"
    r"(?![^.\n]{0,80}\b(?:if|unless|but|however|though|although|had|were|when)\b))"
)
HENCE = r"(?i:so|therefore|thus|hence|consequently),?[^\S\n]+"
# "I would choose", before a label that ends its sentence or goes on with the reason
CHOSEN = (
    rf"(?:^|(?<=[.!;])[^\S\n]+)[*_]{{0,3}}(?:{HENCE})?I(?:[^\S\n]+(?:would|will)|['’](?:d|ll))?"
    r"[^\S\n]+(?:choose|pick|select|answer|go[^\S\n]+(?:with|for))[^\S\n]+"
)
REASON = rf"{CLOSE}(?=[^\S\n]*(?:$|[.;!])|,?\s+{_BECAUSE})"
# Between "the answer is" and what it is
SURELY = re.compile(
    r",?\s*(?:(?:(?:most|very|almost|quite)\s+)?(?:clearly|certainly|definitely|obviously|evidently|probably|likely"
    r"|undoubtedly|surely|actually|really|simply|apparently|presumably|unquestionably|exactly|indeed|therefore|thus"
    rf"|hence|then|of\s+course|without\s+(?:a\s+)?doubt)\b[,\s]*)+{OPEN}",
    re.IGNORECASE,
)
# What ends the clause of a text, so that a reason or another sentence follows
_STOPS = re.compile(
    rf"{CLOSE}\s*(?:(?P<because>,?\s*\b{_BECAUSE})|[.!;](?=\s)|\(|[–—]|-\s"
    r"|,\s*(?=(?:there|it|this|that|these|those|which|who|where|while|whereas|for|given)\b))",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!;](?=\s)|\n")
# What may turn to another choice. Words of other languages stand here too: then nothing is left out.
_TURNS = re.compile(
    r"[?？]|\b(?:or|but|wait|actually|instead|sorry|correct(?:ion)?|right|i\s+mean|rather|however|though|although|yet"
    r"|answer|choose|choice|pick|final|finally|both|also|too|well|equally|alternatively|maybe|perhaps|possibly"
    r"|could|might|may|should|better|best|again|hmm|no,|unless|if"
    r"|oder|aber|sondern|doch|nein|auch|besser|richtig|ou|mais|aussi|plut[oô]t|non|o|pero|sino|tambi[eé]n|mejor)(?!\w)",
    re.IGNORECASE,
)
# What another text goes on with where it is spoken of, and not named: "Paris lies in France", "no evidence"
_SPOKEN_OF = re.compile(
    rf"{CLOSE}\s+(?!(?:fits|wins|as|is\s+(?:it|what|the\s+one))\b)(?:are|were|had|have|do|make|need|would|[a-z]+s)\b"
)
_DETERMINER = re.compile(r"\s+(?!(?:i|it|he|she|they|you|we|that|there|this|not|is|was)\b)[a-z]")
_LOOK_BACK = 24  # characters
# Before a label: what makes it no answer, and words that one letter belongs to
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
# "Franklin D. Roosevelt", and not "Therefore B. Paris"
_INITIAL = re.compile(
    r"\b(?!(?:So|Therefore|Thus|Hence|Then|Option|Answer|Choice|Letter|Is|Antwort|Buchstabe|L[öo]sung|Also|R[ée]ponse"
    r"|Donc|Respuesta|Opci[óo]n|Entonces|\w+ly) )[A-Z]\w+ $"
)
_NAME_GOES_ON = re.compile(r"\. [A-Z]\w")
# Around a label that an answer comes to: "so B.", "It is B,", "B (as it rains)"
_COME_TO = re.compile(
    r"(?:^|[.,;:!?()\n–—，。；：是选選]|\b(?:is|be|so|thus|hence|therefore|then|choose|pick|select|with|take|but|think|believe"
    r"|guess|conclude|option|choice|letter|answer|(?:I|would|['’]d) say|\w+ly"
    r"|ist|es|est|also|daher|folglich|donc|entonces)\b|['’]s)\s*[,:]?\s*"
    rf"(?:(?:an?|the)\s+)?{OPEN}$",
    re.IGNORECASE,
)
_ENDS = re.compile(
    rf"{CLOSE}\s*(?:$|[.,;:!(–—。！；，：]|{_BECAUSE}|(?:is|fits|seems|looks)\s+(?:correct|right|best|better))",
    re.MULTILINE,
)


_LIST = rf"(?:{CLOSE}\s*(?:[,;/、]|\b(?:and|or|und|oder|et|y)\b|&)\s*(?:(?:and|or)\b)?\s*{OPEN}(?:%s)(?!\w)){{0,25}}"
_WRONG = (
    rf"{CLOSE}\s*(?:都|均)?(?:(?:is|are|was|were|seems?|looks?|(?:would|must|can)\s+be|ist|sind|est|sont|es|son)\s+"
    r"(?:\w+ly\s+)?(?:not(?!\s+only)|wrong|incorrect|false|out|impossible|excluded|eliminated|ruled|falsch|fau(?:x|sse))\b"
    r"|(?:is|are|was|do|does|ca)n['’]t\b|cannot\b|(?:do|does)\s+not\b|[是为]?[错不])"
)
CALLED_WRONG = re.compile(_WRONG, re.IGNORECASE)


def turns(text: str, at: int) -> bool:
    """Whether what stands behind a place has a word that may turn to another choice."""
    return _TURNS.search(text, at) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """How the labels of choices are found in running prose, and the texts of which they may be a part."""

    mentions: str
    """A pattern, compiled only for answers that need it. It finds a text of the choices, or a label: a capital or
    number (``label``), small (``small``), or any behind a noun (``option``)."""
    wrong: re.Pattern[str]
    """What follows a label that is called wrong, perhaps as one of several."""

    def labels(self, text: str, *, besides: Collection[int] = (), ending: bool = False) -> set[str]:
        """Return the labels that stand as words in a text, but for those that are plainly no answer.

        Args:
            text: an answer or a part of one.
            besides: places of labels that are read otherwise.
            ending: only those that an answer comes to: "so B.", "It is B,"; digits and small letters never otherwise.
        """
        found: set[str] = set()
        for each in re.finditer(self.mentions, text):
            label = each["option"] or each["label"] or each["small"]
            start = each.end() - len(label) if label else 0
            if not label or start in besides or self._is_other(text, start, each):
                continue
            anywhere = not (ending or each["small"] or (label.isdigit() and not each["option"]))
            if anywhere or self._is_come_to(text, start, each):
                found.add(label.upper() if each["small"] else label)
        return found

    def labels_beside(self, text: str) -> set[str]:
        """Return the labels to the end of the sentence with the first text of a choice, and what is come to behind."""
        said = next((each.end() for each in re.finditer(self.mentions, text) if each.lastgroup is None), 0)
        end = stop.start() + 1 if (stop := _SENTENCE_END.search(text, said)) else len(text)
        return self.labels(text[:end]) | self.labels(text[end:], ending=True)

    def _is_come_to(self, text: str, start: int, label: re.Match[str]) -> bool:
        """Whether a label ends a clause and stands behind a noun, a verb or a mark as an answer does."""
        before = text[max(0, start - _LOOK_BACK) : start]
        return _ENDS.match(text, label.end()) is not None and bool(label["option"] or _COME_TO.search(before))

    def _is_other(self, text: str, start: int, label: re.Match[str]) -> bool:
        """Whether a letter is denied, an article, a pronoun, or a part of a name."""
        before = text[max(0, start - _LOOK_BACK) : start]
        if _RULED_OUT.search(before) or self.wrong.match(text, label.end()):
            return True
        if label["option"]:
            return False
        if label["label"] == "I" or (label["label"] == "A" and ARTICLE.match(text, label.end())):
            return True
        return bool(_COMPOUND.search(before) or (_INITIAL.search(before) and _NAME_GOES_ON.match(text, label.end())))

    def gives_reason(self, text: str, said: str) -> bool:
        """Whether what follows a text of the choices ends its clause and turns to no other: not "Paris. No, London.".

        Args:
            text: what follows.
            said: the text of the choices, plain.
        """
        stop = _STOPS.match(text)
        if stop is None or _TURNS.search(text, stop.start()):
            return False
        over = 0
        if stop["because"]:  # its clause may speak of the others
            over = ended.start() if (ended := _SENTENCE_END.search(text, stop.end())) else len(text)
        others = (each for each in re.finditer(self.mentions, text[over:]) if each.lastgroup is None)
        return all(
            (_DETERMINER if other == "no" else _SPOKEN_OF).match(text, over + each.end())
            for each in others
            if (other := plain(each.group())) != said
        )


def prose(labels: Collection[str], texts: Collection[str], *, nouns: bool) -> Prose:
    """Return how the labels of choices are found in prose.

    Args:
        labels: of the choices.
        texts: of the choices, plain.
        nouns: whether a noun may stand before a label; False where a text has such a word.
    """
    short = "|".join(label for label in labels if re.fullmatch("[A-Z]|[0-9]{1,2}", label)) or "(?!)"
    said = "|".join(map(re.escape, sorted(texts, key=len, reverse=True))).replace("\\ ", r"\s+").replace("'", "['’]")
    small = "|".join(label.lower() for label in labels if re.fullmatch("[A-HJ-Z]", label)) or "(?!)"
    any_label = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    return Prose(
        mentions=(
            (rf"{WORD_START}(?i:{said}){WORD_END}|" if texts else "")
            + rf"\b(?i:{NOUN})\s+{OPEN}(?P<option>{any_label if nouns else '(?!)'})(?!\w)|"
            + rf"(?<!{SPACED})(?<!\w[-&.])(?<!\w['’])(?<!\d,)(?:(?P<label>{short})|(?P<small>{small}))(?!{SPACED})"
            + r"(?![-\u2010\u2011]\w|[+#&]|[.,]\d|\.\w|['’](?!s\b)\w)"
        ),
        wrong=re.compile(_LIST % short + _WRONG, re.IGNORECASE),
    )
