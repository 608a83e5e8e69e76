"""Reading an answer to a multiple-choice question: which options it names, by label or by text."""

import re
import string
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.scorers.answers import normal_text
from pytest_llmeval.scorers.choice_marks import (
    BEFORE_LABEL,
    BREAKS,
    CLOSE,
    NOUN,
    OPEN,
    WORD_END,
    WORD_START,
    WRAP,
    plain,
    unmarked,
)
from pytest_llmeval.scorers.choice_prose import (
    BECAUSE_CLAUSE,
    CALLED_RIGHT,
    CALLED_WRONG,
    STATEMENT,
    SURELY,
    Prose,
    prose,
)
from pytest_llmeval.scorers.denials import denied
from pytest_llmeval.scorers.display import shown
from pytest_llmeval.scorers.lookalikes import ARTICLE, PART, PRONOUN

__all__ = ["Options", "options_of"]

_BREAK = re.compile(f"[{BREAKS}]")
_SAID = re.compile(f"[^{re.escape(WRAP)}{BREAKS}]")
_LONGEST_START = 1_000
"""Characters after "the answer is" that are searched for a label at the start, on top of the longest choice's."""
# A small letter as a label: "the answer is b. paris is in france"
_SMALL = re.compile(rf"{OPEN}([a-z]){CLOSE}[.,;:!](?=\s|$)")
# "Option: B", "**Choice** = (B)"
_NOUN_ALONE = re.compile(rf"^(?i:{NOUN}){CLOSE}\s*[:=：]{CLOSE}\s*{OPEN}")
_BULLET = re.compile(r"^\s*[-–—•]\s+")
# "not London", "definitely not (B)"; the rest of the clause names no answer
_DENIED = re.compile(r"(?:[a-z]+ly\s+)?(?P<denial>not\b)", re.IGNORECASE)
_CLAUSE_END = re.compile(rf"[.!?;,:](?=\s|$)|[。！？；，：{BREAKS}]|\bbut\b", re.IGNORECASE)
_JOINED = re.compile(rf"{CLOSE}\s*(?:\bor\b|/|(?P<and>\band\b|&))\s*{OPEN}", re.IGNORECASE)
# After the B of "A and B"; anything else means that "and" begins a new clause: "A and B is wrong"
_AND_ENDS = re.compile(rf"{CLOSE}\s*(?:$|[.;,!/&]|(?:or|and|both|together)\b)", re.IGNORECASE)
# Between the labels of a list that makes up a whole sentence; "1,5" and "3/4" are numbers
_LISTED = re.compile(
    rf"{CLOSE}\s*(?:[,;+/，；、](?!(?<=\d[,/])\d)\s*(?:(?:or|and)\b)?|\b(?:or|and)\b|&)\s*{OPEN}",
    re.IGNORECASE,
)
_SENTENCE_ENDS = re.compile(rf"{CLOSE}\s*(?:$|\.(?!\s*\w)|[。！；])")  # not "E. coli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The choices of one question, and the patterns that find them in an answer."""

    by_label: Mapping[str, str]
    """Texts by label, as given; empty texts for labels alone."""
    by_text: Mapping[str, str]
    """Labels by text, as ``plain`` returns it."""
    ambiguous: frozenset[str]
    """Texts equal to another choice's label, which they name, unless the answer has labels too: in ``1) 2`` only 1
    counts."""
    combined: frozenset[str]
    """Labels whose text contains two labels: ``Both A and B``."""
    inline_tex: re.Pattern[str] | None
    """Finds labels in ``\\(...\\)``; None where the text of a choice contains TeX itself."""
    tags: bool
    """Whether tags are markup around choices, and not part of a choice's text."""
    statement: re.Pattern[str]
    before_label: re.Pattern[str]
    at_start: re.Pattern[str]
    at_line: re.Pattern[str]
    called_right: re.Pattern[str]
    in_brackets: re.Pattern[str]
    texts: re.Pattern[str] | None
    prose: Prose
    longest_line: int
    """Characters of the longest line that can be a choice and nothing else."""

    def named_by(self, target: Any) -> str:
        """Return the label of the target, which is a label or a text of the choices.

        Raises:
            ScorerError: if it is neither.
        """
        if isinstance(target, str):
            wanted = target.strip()
            label = wanted if wanted in self.by_label else self.by_text.get(plain(target))
            if label is not None:
                return label
        raise ScorerError(
            f"the target {shown(target)} is neither a label nor the text of one of the choices {self.all_shown()}"
        )

    def shown(self, label: str) -> str:
        """Return a label for display, with its text if it has one."""
        text = self.by_label[label]
        return f"{label} ({shown(text, 80)})" if text else label

    def all_shown(self) -> str:
        """Return all choices in one line for display."""
        return ", ".join(self.shown(label) for label in self.by_label)

    def read(self, text: str) -> set[str]:
        """Return the labels of the choices that an answer names."""
        text = unmarked(text, self.inline_tex, tags=self.tags)
        stated, rest = self._stated(text)
        if stated:
            return stated | self._closing(text)
        text = rest
        lines = {whole for line in text.splitlines() if (whole := self._whole(line))}
        return lines | self._called_right(text) or self._mentioned(text)

    def _stated(self, text: str) -> tuple[set[str], str]:
        """Return the choices that statements ("the answer is ...") name, and the text without statements that deny one.

        After the first statement without a label, the rest of its line is searched for texts only once: otherwise a
        model that repeats itself without end would make the time quadratic.
        """
        found: set[str] = set()
        kept: list[str] = []
        at = end = read_to = clause_end = 0
        for statement in self.statement.finditer(text):
            said = _SAID.search(text, statement.end())
            if said is None:
                break
            start = said.start()
            if start >= end:
                end = broken.start() if (broken := _BREAK.search(text, start)) else len(text)
            cut = min(end, start + self.longest_line + _LONGEST_START)
            line = text[start:cut].rstrip(WRAP) if cut == end else text[start:cut]
            whole = self._whole(line) if len(line) <= self.longest_line else None
            if whole is None and self._denies(line):
                kept.append(text[at : max(at, statement.start())])
                if start >= clause_end:
                    clause_end = stop.start() if (stop := _CLAUSE_END.search(text, start)) else len(text)
                at = clause_end
                continue
            labels = {whole} if whole else self._labels_at_start(line) or self._labels_at_start(_surely(line))
            if not labels and (small := _SMALL.match(line)) and small[1].upper() in self.by_label:
                labels = {small[1].upper()}
            if not labels and end > read_to:
                labels, read_to = self._texts_stated(text[statement.start() : start], text[start:end]), end
            if before := self._label_at(statement.group(), 0):  # "Answer B: A is wrong"
                labels = labels and labels | {before[0]}
            found |= labels
        return found, "".join([*kept, text[at:]])

    def _closing(self, text: str) -> set[str]:
        """Return the choice that makes up the whole last line, unless the line before is a choice too (a list)."""
        lines = [line for line in text.splitlines() if line.strip()][-2:]
        *before, last = [self._whole(line) if len(line) <= self.longest_line else None for line in lines]
        return {last} if last is not None and before == [None] else set()

    def _texts_stated(self, head: str, line: str) -> set[str]:
        """Return the choices whose texts a statement names, and with them the labels that it concludes with."""
        begin = len(line) - len(_surely(line))
        if (named := self._text_at(line, begin)) and (reason := BECAUSE_CLAUSE.match(line, named[1])):
            line = line[: named[1]] + line[reason.end() :]
        marks = head[len(head.rstrip(WRAP)) :].lstrip(":=：")
        texts = self._texts_in(marks + line)
        return texts and texts | self.prose.labels(head + line)

    def _denies(self, line: str) -> bool:
        """Whether a statement rejects an answer ("not B"). "Not applicable" may itself be a choice."""
        found = _DENIED.match(line)
        if found is None:
            return False
        begins = (plain(line[at : at + self.longest_line]) for at in {0, found.start("denial")})
        return self.texts is None or not any(map(self.texts.match, begins))

    def _labels_at_start(self, line: str) -> set[str]:
        """Return the label that a line starts with, and the labels and texts joined to it by "or", "and" or "/"."""
        if listed := self._listed(line):
            return listed
        found: set[str] = set()
        joined: re.Match[str] | None = None
        named = self._label_at(line, 0)
        while named is not None:
            option, end = named
            if joined is None and CALLED_WRONG.match(line, end):  # "Answer: A is wrong, B is right"
                break
            if joined is not None and joined["and"] and not _AND_ENDS.match(line, end):
                break
            found.add(option)
            joined = _JOINED.match(line, end)
            if joined is None:
                break
            named = self._label_at(line, joined.end()) or self._text_at(line, joined.end())
        return found

    def _listed(self, line: str) -> set[str]:
        """Return the labels of a line whose first sentence is nothing but labels, else an empty set.

        A label whose text contains labels ("Both A and B") cannot be part of such a list.
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
        """Return the choice whose label is at a position, and its end; None if it is part of a word or number."""
        label = self.at_start.match(line, at)
        if label is None:
            return None
        named = self._named_at(line, label)
        other = self._is_part(line, label) or PRONOUN.match(line, label.start())
        is_other = other or self._is_article(line, label)
        return None if is_other and named[1] == label.end() else named

    def _is_part(self, line: str, label: re.Match[str]) -> bool:
        """Whether a label is part of a number or word, and not the mark before its own text: ``2.3 km``."""
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
        """Return the choice named where a label was found, and its end; a longer text that starts there wins."""
        said = self._text_at(text, found.start("label"))
        return said if said is not None and said[1] > found.end("label") else (found["label"], found.end())

    def _text_at(self, text: str, at: int) -> tuple[str, int] | None:
        """Return the choice whose text begins at a position, and its end."""
        said = self.texts.match(plain(text[at : at + self.longest_line])) if self.texts else None
        if said is None:
            return None
        lengths = range(min(self.longest_line, len(text) - at))
        length = bisect_left(lengths, len(said.group()), key=lambda length: len(plain(text[at : at + length])))
        return self.by_text[said.group()], at + length

    def _called_right(self, text: str) -> set[str]:
        """Return the labels that the answer calls right; none unless a line begins with such a sentence."""
        lines = (line.lstrip(WRAP) for line in text.splitlines())
        if not any(self.called_right.match(line) for line in lines):
            return set()
        return {self._named_at(text, found)[0] for found in self.called_right.finditer(text)}

    def _whole(self, line: str) -> str | None:
        """Return the choice that makes up a whole line; None if the line holds anything else."""
        bare = _BULLET.sub("", line).strip(WRAP)
        for said in (line.strip(), bare):
            if said in self.by_label:
                return said
            if (named := self.by_text.get(plain(said))) is not None:
                return named
        alone = _NOUN_ALONE.sub("", self.before_label.sub("", bare, count=1), count=1).casefold()
        for label in self.by_label:
            if alone == label.casefold():
                return label
        if label_found := self.at_start.match(bare):
            label = label_found["label"]
            rest = plain(bare[label_found.end() :].strip(WRAP))
            return label if rest and rest == plain(self.by_label[label].strip(WRAP)) else None
        return None

    def _mentioned(self, text: str) -> set[str]:
        begun = (each for each in self.at_line.finditer(text) if not self._is_part(text, each))
        found = {each.start("label"): each for each in (*begun, *self.in_brackets.finditer(text))}
        labels = Counter(self._named_at(text, each)[0] for each in found.values())
        no_labels, no_texts = self._denied(text)
        labels -= no_labels
        texts = set(self._texts_said(text) - no_texts) - (self.ambiguous if labels else frozenset())
        named = set(labels) | {self.by_text[each] for each in texts}
        return named and named | self.prose.labels(text, besides=found)

    def _texts_in(self, text: str) -> set[str]:
        return {self.by_text[each] for each in self._texts_said(text) - self._denied(text)[1]}

    def _texts_said(self, text: str) -> Counter[str]:
        return Counter(found.group() for found in self.texts.finditer(plain(text))) if self.texts else Counter()

    def _denied(self, text: str) -> tuple[Counter[str], Counter[str]]:
        """Return how often a line denies each label in brackets and each text."""
        labels: Counter[str] = Counter()
        texts: Counter[str] = Counter()
        for line in text.splitlines():
            line = normal_text(line, collapse=True)
            lows = [unicodedata.normalize("NFC", char.casefold()) for char in line]
            plain, place = "".join(lows).replace("’", "'"), [0, *accumulate(map(len, lows))]  # ß has two characters
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
        """Return where a text begins, including its own label if that precedes it: ``B: London``."""
        label = option.casefold()
        head = plain[max(0, text.start() - len(label) - 9) : text.start()]
        bare = head.rstrip(WRAP)
        alone = bare.endswith(label) and not bare[: -len(label)][-1:].isalnum()
        return text.start() - len(head) + len(bare) - len(label) if alone and len(bare) < len(head) else text.start()


def _surely(line: str) -> str:
    """Return a line without an adverb such as "clearly" at its start."""
    said = SURELY.match(line)
    return line[said.end() :] if said else line


@lru_cache(maxsize=1024)
def options_of(choices: tuple[Any, ...]) -> Options:
    """Return the options for these texts, or for these pairs of a label and a text.

    Raises:
        ScorerError: if the choices are fewer than two, not distinct, or unordered.
    """
    by_label = _labelled(choices)
    # a text that equals a label names the choice of that label, in a target as in an answer
    by_text = {plain(text): text if text in by_label else label for label, text in by_label.items() if text}
    if len(by_label) < 2:
        raise ScorerError("choice needs at least two choices")
    if len(by_text) not in (0, len(by_label)):
        raise ScorerError(f"two of the choices have the same text, or one has none: {shown(list(by_label.values()))}")
    label = f"(?P<label>{_either(by_label)})"
    # "option b" may be a text, and not the label B
    before = "" if any(re.search(rf"\b{NOUN}\b", text) for text in by_text) else BEFORE_LABEL
    marked = rf"{before}[({{*]*{_either(by_label)}[)}}*.]*"
    called_right = rf"{before}(?<!\w){label}{CLOSE}{CALLED_RIGHT}"
    return Options(
        by_label=by_label,
        by_text=by_text,
        inline_tex=None
        if any("\\" in text for text in by_text)
        else re.compile(rf"\\[(\[]\s*({marked}(?:\s*(?:[,;/&]|\b(?:or|and)\b)\s*{marked})*)\s*\\[)\]]"),
        tags=not any("<" in text for text in by_text),
        statement=re.compile(STATEMENT, re.IGNORECASE),
        ambiguous=frozenset(plain(text) for label, text in by_label.items() if text in by_label and text != label),
        combined=frozenset(
            name for name, text in by_label.items() if len(set(re.findall(rf"(?<!\w){label}(?!\w)", text))) > 1
        ),
        before_label=re.compile(rf"^{before}"),
        at_start=re.compile(rf"{before}{label}(?!\w)"),
        at_line=re.compile(
            rf"^[ \t*_`\"'(\[>（【「«»‹›“”„‘-]*{before}{label}[*_`\"'“”’«»‹›]*[).:\]）】」。：．]", re.MULTILINE
        ),
        called_right=re.compile(called_right, re.MULTILINE),
        in_brackets=re.compile(rf"(?:[(\[{{（【「]|\*\*){label}(?:[)\]}}）】」]|\*\*)"),
        texts=re.compile(WORD_START + f"(?:{_either(by_text)})" + WORD_END) if by_text else None,
        prose=prose(by_label, by_text, nouns=bool(before)),
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
        raise ScorerError(
            f"there are {len(choices)} choices; there are only 26 letters, so pass a mapping of labels to strings"
        )
    if len(dict(pairs)) < len(pairs) or not all(label and isinstance(text, str) for label, text in pairs):
        raise ScorerError(f"choices must be strings with distinct labels, found {shown(list(choices))}")
    return dict(pairs)


def _either(texts: Mapping[str, str]) -> str:
    return "(?:" + "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)) + ")"
