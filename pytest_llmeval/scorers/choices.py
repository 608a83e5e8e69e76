"""The choice scorer: which one of several options an answer names."""

import re
import string
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import normal_text, text_of
from pytest_llmeval.scorers.denials import denied
from pytest_llmeval.scorers.display import shown
from pytest_llmeval.scorers.lookalikes import ARTICLE, PART, PRONOUN
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.scored import Scored
from pytest_llmeval.scorers.scripts import UNSPACED

__all__ = ["choice"]

# Marks around a label or an answer: quotes, brackets, Markdown emphasis, list marks, TeX's \boxed{...}
_WRAP = " \t\r\n*_`\"'()[]{}<>$#.,:;!（）【】「」『』。，：；！、．"
_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_BREAK = re.compile(f"[{_BREAKS}]")
_SAID = re.compile(f"[^{re.escape(_WRAP)}{_BREAKS}]")
_TEX = re.compile(r"\\(?:boxed|text|textbf|mathrm)\{")
_BULLET = re.compile(r"^\s*[-–—•]\s+")
# A text stands as whole words: 1 is not found in 10, in 1.5 or in -1.
# A letter of a script without spaces between words (UNSPACED) may stand beside it.
_SPACED = rf"[^\W{UNSPACED}]"
_NON = r"(?<!\bno[nt][-\u2010\u2011])(?<!\bnicht[-\u2010\u2011])(?<!\bun[-\u2010\u2011])"  # "non-toxic", "un-safe"
_WORD_START = rf"{_NON}(?<!{_SPACED})(?!(?<=[-\u2212])\d)(?!(?<=\d[.,])\d)"
_WORD_END = rf"(?!{_SPACED})(?![.,]\d)"
# What may stand before a label: "option B", "Choice (B)"
_NOUN = r"(?:option|choice|letter|answer)"
_BEFORE_LABEL = rf"(?:\b(?i:{_NOUN})\s+[*_`\"'(\[{{<$]*)?"
_STATEMENT = re.compile(
    rf"\b(?:answer|(?:correct|right)\s+{_NOUN})\b(?:[^.\n:=]{{0,80}}?\bis\b|[^.\n:=]{{0,80}}?[:=])", re.IGNORECASE
)
# "B is correct", and no more in its sentence than the reason: not "B is correct if ..." and not "... right-handed"
_CALLED_RIGHT = (
    rf"\s+is\s+(?:also\s+)?(?:the\s+)?(?:correct|right)(?:\s+(?:{_NOUN}|one))?"
    r"""[*_`"')\]]*(?=[ \t\r]*(?:$|[.;!])|,?\s+(?:because|since|as)\b)"""
)
# "not London", "definitely not (B)"; what follows it in its clause is no answer
_DENIED = re.compile(r"(?:[a-z]+ly\s+)?(?P<denial>not\b)", re.IGNORECASE)
_CLAUSE_END = re.compile(rf"[.!?;,:](?=\s|$)|[。！？；，：{_BREAKS}]|\bbut\b", re.IGNORECASE)
_JOINED = re.compile(r"""[*_`"')\]}>]*\s*(?:\bor\b|/|(?P<and>\band\b|&))\s*[*_`"'(\[{<]*""", re.IGNORECASE)
# What follows the second of "A and B"; otherwise the "and" begins another clause: "A and B is wrong"
_AND_ENDS = re.compile(r"""[*_`"')\]}>]*\s*(?:$|[.;,!/&]|(?:or|and|both|together)\b)""", re.IGNORECASE)
# Between the labels of a list that a sentence is to its end; "1,5" and "3/4" are numbers
_LISTED = re.compile(
    r"""[*_`"')\]}>]*\s*(?:[,;+/，；、](?!(?<=\d[,/])\d)\s*(?:(?:or|and)\b)?|\b(?:or|and)\b|&)\s*[*_`"'(\[{<]*""",
    re.IGNORECASE,
)
_SENTENCE_ENDS = re.compile(r"""[*_`"')\]}>]*\s*(?:$|\.(?!\s*\w)|[。！；])""")  # not "E. coli"


@shipped(version=7)
def choice(response: Response | str, target: str, *, choices: Sequence[str] | Mapping[str, str]) -> Scored:
    r"""Return 1 where the answer names exactly one of the choices, and it is the target; else 0.

    Choices have labels (A, B, C, ... in their order, or the keys of a mapping) and texts. Texts are compared
    in Unicode NFC, without case, each run of white space as one space, ``’`` as ``'``. The answer is read
    in this order, and the first step that names a choice decides:

    1. What follows ``answer is``, ``answer:`` or ``answer =`` (or ``correct option is`` and the like) on the
       same line (on the next one where nothing follows), wherever that stands: a label at its start with those
       that ``or`` and ``and`` join to it (what else follows a label is not read: ``B, A is wrong``), else the texts
       in it. Where its first sentence is nothing but labels, joined by commas, semicolons or plus signs too, they
       are all named: ``A, B``; a label whose text is of labels (``Both A and B``) goes into no such list.
       Several such statements must agree; of one that begins with ``not`` (or ``clearly not``, which no choice
       does) nothing is read, to the end of its clause.
    2. Lines that are nothing but a label (``B``, ``b``, ``(B)``, ``B.``, ``**B**``), a text, or a label with
       its text (``B) London``), wherever they stand; and where a line begins with ``B is correct`` or ``B is
       right``, all labels of which the answer says that.
    3. The whole answer: labels at the start of a line with ``.``, ``)`` or ``:`` behind them, labels in
       brackets (full-width marks are such marks too), and texts as whole words, the longest first (``New York`` is
       not ``York``); in scripts without spaces between words wherever they stand.

    In texts of a statement and in the whole answer, options right behind a denial are not read, nor those that
    ``or`` joins to them: behind ``not``, ``n't``, ``never`` and ``neither``, and the like in German, French, Spanish,
    Chinese and Japanese (``**not** London``, ``isn't the (B)``, ``nicht wahr``, ``不是北京``). They are where the
    clause has an ``if`` or another denial before it, or a question mark behind it. A text behind ``non-``, ``not-``,
    ``nicht-`` or ``un-`` never is.

    Before a label ``option``, ``choice``, ``letter`` or ``answer`` may stand (``option B``), unless a text of the
    choices has such a word. A text that begins with a label is read as the text where it stands whole (``B cells``);
    a text that is itself a label is that label, in the answer as in the target. In running prose a label counts in
    capitals only as given, so that the article "a" is no choice; nor is the "A" of ``Answer: A cat``, where a text
    follows it, and of ``A few``, the "I" of ``Answer: I think``, the "D" of ``D'accord``, or a part of a number
    (``4.5``, ``4:30``; not ``4.0``). Naming none, or more than one, scores 0 with the reason.

    Args:
        response: a Response or a str.
        target: the label or the text of the right choice; a label wins where it is both.
        choices: two to 26 texts, or a mapping of labels to texts; single letters (``"ABCD"``, ``["A", "B"]``)
            are labels without texts.

    Raises:
        ScorerError: where the target is none of the choices, or the choices are fewer than two, not distinct or
            without order.
    """
    if not isinstance(choices, Mapping | Sequence):
        raise ScorerError(f"choices are {type(choices).__name__}, not a list of texts or a mapping of labels to texts")
    options = _options(tuple(choices.items()) if isinstance(choices, Mapping) else tuple(choices))
    right = options.named_by(target)
    text = text_of(response)
    found = options.read(text)
    if found == {right}:
        return Scored(1.0)
    expected = f"expected {options.shown(right)}"
    if not found:
        return Scored(0.0, f"{expected}, no choice is named in {shown(text)}")
    if len(found) > 1:
        return Scored(0.0, f"{expected}, {len(found)} choices are named ({', '.join(sorted(found))}) in {shown(text)}")
    return Scored(0.0, f"{expected}, got {options.shown(*found)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    by_label: Mapping[str, str]
    by_text: Mapping[str, str]
    ambiguous: frozenset[str]
    """Texts that are the label of another choice, which they name; beside labels they may be texts: ``1) 2``."""
    combined: frozenset[str]
    """The labels of texts that hold two labels: ``Both A and B``."""
    before_label: re.Pattern[str]
    at_start: re.Pattern[str]
    at_line: re.Pattern[str]
    called_right: re.Pattern[str]
    in_brackets: re.Pattern[str]
    texts: re.Pattern[str] | None
    longest_line: int
    """Characters; no longer one is a choice and nothing else."""

    def named_by(self, target: Any) -> str:
        """Return the label of the target."""
        if isinstance(target, str):
            wanted = target.strip()
            label = wanted if wanted in self.by_label else self.by_text.get(_plain(target))
            if label is not None:
                return label
        raise ScorerError(f"the target {shown(target)} is neither a label nor a text of the choices {self.all_shown()}")

    def shown(self, label: str) -> str:
        text = self.by_label[label]
        return f"{label} ({shown(text, 80)})" if text else label

    def all_shown(self) -> str:
        return ", ".join(self.shown(label) for label in self.by_label)

    def read(self, text: str) -> set[str]:
        """Return the labels of the choices that an answer names."""
        text = _TEX.sub("", text)
        stated, text = self._stated(text)
        if stated:
            return stated
        lines = {whole for line in text.splitlines() if (whole := self._whole(line))}
        return lines | self._called_right(text) or self._mentioned(text)

    def _stated(self, text: str) -> tuple[set[str], str]:
        """Return the choices that statements name, and the text without those that deny one.

        The rest of a line is read for texts once, from the first statement that has no label: a model that repeats
        itself without end would be read in quadratic time.
        """
        found: set[str] = set()
        kept: list[str] = []
        at = end = read_to = clause_end = 0
        for statement in _STATEMENT.finditer(text):
            said = _SAID.search(text, statement.end())
            if said is None:
                break
            start = said.start()
            if start >= end:
                end = broken.start() if (broken := _BREAK.search(text, start)) else len(text)
            line = text[start:end].rstrip(_WRAP)
            whole = self._whole(line) if len(line) <= self.longest_line else None
            if whole is None and self._denies(line):
                kept.append(text[at : max(at, statement.start())])
                if start >= clause_end:
                    clause_end = stop.start() if (stop := _CLAUSE_END.search(text, start)) else len(text)
                at = clause_end
                continue
            labels = {whole} if whole else self._labels_at_start(line)
            if not labels and end > read_to:
                labels, read_to = self._texts_in(line), end
            found |= labels
        return found, "".join([*kept, text[at:]])

    def _denies(self, line: str) -> bool:
        """Whether a statement says what is no answer; "Not applicable" may be a choice."""
        found = _DENIED.match(line)
        if found is None:
            return False
        begins = (_plain(line[at : at + self.longest_line]) for at in {0, found.start("denial")})
        return self.texts is None or not any(map(self.texts.match, begins))

    def _labels_at_start(self, line: str) -> set[str]:
        """Return the label that a line starts with, and those that are joined to it, by label or text."""
        if listed := self._listed(line):
            return listed
        found: set[str] = set()
        joined: re.Match[str] | None = None
        named = self._label_at(line, 0)
        while named is not None:
            option, end = named
            if joined is not None and joined["and"] and not _AND_ENDS.match(line, end):
                break
            found.add(option)
            joined = _JOINED.match(line, end)
            if joined is None:
                break
            named = self._label_at(line, joined.end()) or self._text_at(line, joined.end())
        return found

    def _listed(self, line: str) -> set[str]:
        """Return the labels that the first sentence of a line is, and nothing else.

        One whose text is of labels ("Both A and B") is in no list.
        """
        found: set[str] = set()
        named = self._label_at(line, 0)
        while named is not None and named[0] not in self.combined:
            found.add(named[0])
            if _SENTENCE_ENDS.match(line, named[1]):
                return found
            joined = _LISTED.match(line, named[1])
            named = self._label_at(line, joined.end()) if joined else None
        return set()

    def _label_at(self, line: str, at: int) -> tuple[str, int] | None:
        """Return the choice whose label stands at a place, and where that ends; a word or number is none."""
        label = self.at_start.match(line, at)
        if label is None:
            return None
        named = self._named_at(line, label)
        other = self._is_part(line, label) or PRONOUN.match(line, label.start())
        is_other = other or self._is_article(line, label)
        return None if is_other and named[1] == label.end() else named

    def _is_part(self, line: str, label: re.Match[str]) -> bool:
        """Whether a label is a part of a number or word, and not the mark before its own text: ``2.3 km``."""
        at = label.end("label")
        if PART.match(line, at) is None:
            return False
        own = self._text_at(line, at + 1)
        return own is None or own[0] != label["label"]

    def _is_article(self, line: str, label: re.Match[str]) -> bool:
        """Whether a label is the "A" of "A cat", where "cat" is a text."""
        blank = ARTICLE.match(line, label.end()) if label.group() in "Aa" else None
        return blank is not None and line[blank.end()].islower() and self._text_at(line, blank.end()) is not None

    def _named_at(self, text: str, found: re.Match[str]) -> tuple[str, int]:
        """Return the choice that is named where a label was found, and where that ends: a longer text there wins."""
        said = self._text_at(text, found.start("label"))
        return said if said is not None and said[1] > found.end("label") else (found["label"], found.end())

    def _text_at(self, text: str, at: int) -> tuple[str, int] | None:
        """Return the choice whose text begins at a place, and where that ends."""
        said = self.texts.match(_plain(text[at : at + self.longest_line])) if self.texts else None
        if said is None:
            return None
        lengths = range(min(self.longest_line, len(text) - at))
        length = bisect_left(lengths, len(said.group()), key=lambda length: len(_plain(text[at : at + length])))
        return self.by_text[said.group()], at + length

    def _called_right(self, text: str) -> set[str]:
        """Return the labels that are called right, where a line begins with that."""
        lines = (line.lstrip(_WRAP) for line in text.splitlines())
        if not any(self.called_right.match(line) for line in lines):
            return set()
        return {self._named_at(text, found)[0] for found in self.called_right.finditer(text)}

    def _whole(self, line: str) -> str | None:
        """Return the one choice that a line is, and nothing else."""
        bare = _BULLET.sub("", line).strip(_WRAP)
        for said in (line.strip(), bare):
            if said in self.by_label:
                return said
            if (named := self.by_text.get(_plain(said))) is not None:
                return named
        alone = self.before_label.sub("", bare, count=1).casefold()
        for label in self.by_label:
            if alone == label.casefold():
                return label
        if label_found := self.at_start.match(bare):
            label = label_found["label"]
            rest = _plain(bare[label_found.end() :].strip(_WRAP))
            return label if rest and rest == _plain(self.by_label[label].strip(_WRAP)) else None
        return None

    def _mentioned(self, text: str) -> set[str]:
        begun = (each for each in self.at_line.finditer(text) if not self._is_part(text, each))
        found = {each.start("label"): each for each in (*begun, *self.in_brackets.finditer(text))}
        labels = Counter(self._named_at(text, each)[0] for each in found.values())
        no_labels, no_texts = self._denied(text)
        labels -= no_labels
        texts = set(self._texts_said(text) - no_texts) - (self.ambiguous if labels else frozenset())
        return set(labels) | {self.by_text[each] for each in texts}

    def _texts_in(self, text: str) -> set[str]:
        return {self.by_text[each] for each in self._texts_said(text) - self._denied(text)[1]}

    def _texts_said(self, text: str) -> Counter[str]:
        return Counter(found.group() for found in self.texts.finditer(_plain(text))) if self.texts else Counter()

    def _denied(self, text: str) -> tuple[Counter[str], Counter[str]]:
        """Return how often labels in brackets and texts stand behind a denial on their line."""
        labels: Counter[str] = Counter()
        texts: Counter[str] = Counter()
        for line in text.splitlines():
            line = normal_text(line, collapse=True)
            lows = [unicodedata.normalize("NFC", char.casefold()) for char in line]
            plain, place = "".join(lows).replace("’", "'"), [0, *accumulate(map(len, lows))]  # ß is two
            mentions: list[tuple[tuple[int, int, str], str | None]] = [
                ((place[each.start()], place[each.end()], self._named_at(line, each)[0]), None)
                for each in self.in_brackets.finditer(line)
            ]
            for each in self.texts.finditer(plain) if self.texts else ():
                option = self.by_text[each.group()]
                mentions.append(((self._with_label(plain, each, option), each.end(), option), each.group()))
            mentions.sort(key=lambda each: each[0])
            for at in denied(plain, [each for each, _ in mentions]):
                (_, _, option), said = mentions[at]
                if said is None:
                    labels[option] += 1
                else:
                    texts[said] += 1
        return labels, texts

    def _with_label(self, plain: str, text: re.Match[str], option: str) -> int:
        """Return where a text begins, with its own label if that stands before it: ``B: London``."""
        label = option.casefold()
        head = plain[max(0, text.start() - len(label) - 9) : text.start()]
        bare = head.rstrip(_WRAP)
        alone = bare.endswith(label) and not bare[: -len(label)][-1:].isalnum()
        return text.start() - len(head) + len(bare) - len(label) if alone and len(bare) < len(head) else text.start()


@lru_cache(maxsize=1024)
def _options(choices: tuple[Any, ...]) -> _Options:
    by_label = _labelled(choices)
    # a text that is itself a label names that one: so a target is read, and so is an answer
    by_text = {_plain(text): text if text in by_label else label for label, text in by_label.items() if text}
    if len(by_label) < 2:
        raise ScorerError("choice needs at least two choices")
    if len(by_text) not in (0, len(by_label)):
        raise ScorerError(f"two of the choices have the same text, or one has none: {shown(list(by_label.values()))}")
    label = f"(?P<label>{_either(by_label)})"
    # "option b" may be a text, and not the label B
    before = "" if any(re.search(rf"\b{_NOUN}\b", text) for text in by_text) else _BEFORE_LABEL
    return _Options(
        by_label=by_label,
        by_text=by_text,
        ambiguous=frozenset(_plain(text) for label, text in by_label.items() if text in by_label and text != label),
        combined=frozenset(
            name for name, text in by_label.items() if len(set(re.findall(rf"(?<!\w){label}(?!\w)", text))) > 1
        ),
        before_label=re.compile(rf"^{before}"),
        at_start=re.compile(rf"{before}{label}(?!\w)"),
        at_line=re.compile(rf"^[ \t*_`\"'(\[>（【「-]*{before}{label}[*_`\"']*[).:\]）】」。：．]", re.MULTILINE),
        called_right=re.compile(rf"{before}(?<!\w){label}[*_`\"')\]]*{_CALLED_RIGHT}", re.MULTILINE),
        in_brackets=re.compile(rf"(?:[(\[{{（【「]|\*\*){label}(?:[)\]}}）】」]|\*\*)"),
        texts=re.compile(_WORD_START + f"(?:{_either(by_text)})" + _WORD_END) if by_text else None,
        longest_line=4 * max(len(label) + len(text) for label, text in by_label.items()) + 256,  # marks and blanks
    )


def _labelled(choices: tuple[Any, ...]) -> dict[str, str]:
    if choices and all(isinstance(each, tuple) for each in choices):
        pairs = [(str(label).strip(), text) for label, text in choices]
    elif all(isinstance(each, str) and len(each) == 1 and each.isalpha() for each in choices):
        pairs = [(each, "") for each in choices]
    elif len(choices) <= len(string.ascii_uppercase):
        pairs = list(zip(string.ascii_uppercase, choices, strict=False))
    else:
        raise ScorerError(f"there are {len(choices)} choices; letters reach 26, so give a mapping of labels to texts")
    if len(dict(pairs)) < len(pairs) or not all(label and isinstance(text, str) for label, text in pairs):
        raise ScorerError(f"choices are texts with distinct labels, not {shown(list(choices))}")
    return dict(pairs)


def _either(texts: Mapping[str, str]) -> str:
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


def _plain(text: str) -> str:
    return normal_text(text, casefold=True, collapse=True).replace("’", "'")
