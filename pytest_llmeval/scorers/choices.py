"""The choice scorer: which one of several options an answer names."""

from collections.abc import Mapping, Sequence

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.display import shown
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.scored import Scored

__all__ = ["choice"]


@shipped(version=10)
def choice(response: Response | str, target: str, *, choices: Sequence[str] | Mapping[str, str]) -> Scored:
    r"""Return 1 where the answer names exactly one of the choices, and it is the target; else 0.

    Choices have labels (A, B, C, ... in their order, or the keys of a mapping) and texts. Texts are compared in Unicode
    NFC, ignoring case, with each run of white space read as one space and ``’`` as ``'``. The answer is read in three
    steps, and the first step that names a choice decides:

    1. Statements. What follows ``answer is``, ``answer:`` or ``answer =`` (also ``correct option is``, ``<answer>`` and
       the like; not ``the answer choices:`` or ``to answer this, ...:``) anywhere in the answer, on the same line, or
       on the next one if nothing follows. A label at the start or after ``clearly``, ``most likely`` and the like
       counts, along with those joined to it by ``or`` and ``and``. The rest of the line is then not read
       (``B, A is wrong``), and a label called wrong names nothing (``A is wrong``). Without such a label, the texts in
       the line count, except in the reason given for the first (``London, because Paris is in France``). Where the
       first sentence is nothing but labels, joined also by commas, semicolons or plus signs, all of them are named
       (``A, B``), except that a label whose text contains labels (``Both A and B``) cannot be part of such a list.
       Several statements must agree. A statement that begins with ``not`` (or ``clearly not``) names nothing up to the
       end of its clause, unless the text of a choice begins that way. The last line counts beside the statements where
       it is nothing but a choice and not one of a list.
    2. Whole lines. Lines that are nothing but a label (``B``, ``b``, ``(B)``, ``B.``, ``**B**``), a text, or a label
       with its text (``B) London``), anywhere in the answer. Where a line begins with ``B is correct`` or
       ``B is right``, all labels that the answer calls right in this way count as well.
    3. The whole answer. Labels at the start of a line followed by ``.``, ``)`` or ``:``; labels in brackets (full-width
       marks included); and texts as whole words, the longest first (``New York`` is not ``York``), or at any position
       in scripts without spaces between words.

    Where the texts of a statement or step 3 decide, a label that the running prose concludes with names its choice as
    well (``So B. Paris is in France`` names two), but not after ``not``, before ``is wrong``, or as the article "a".

    In the texts of a statement and in step 3, an option right after a denial does not count, nor do those joined to it
    by ``or``. Denials are ``not``, ``n't``, ``never`` and ``neither``, and the like in German, French, Spanish, Chinese
    and Japanese (``**not** London``, ``isn't the (B)``, ``nicht wahr``, ``不是北京``). The option does count where the
    clause has an ``if`` or another denial before it, or a question mark after it. A text after ``non-``, ``not-``,
    ``nicht-`` or ``un-`` never counts.

    Marks around a label may be brackets, quotes of all kinds, Markdown emphasis, TeX (``\(B\)``) and pairs of tags
    (``<b>B</b>``); TeX and tags only where the choices contain none themselves.

    ``option``, ``choice``, ``letter`` or ``answer`` may precede a label (``option B``), unless the text of a choice
    contains such a word. A text that begins with a label is read as the text where it occurs in full (``B cells``). A
    text that equals a label means the choice of that label, in the answer as in the target. In running prose a letter
    counts as a label only as the capital given, so that the article "a" is not a choice. Neither is the "A" of
    ``Answer: A cat`` where ``cat`` is a text, or of ``A few``, the "I" of ``Answer: I think``, the "D" of ``D'accord``,
    or a part of a number (``4.5``, ``4:30``; but ``4.0`` is read as 4). An answer that names no choice, or more than
    one, scores 0 and the reason says so.

    Args:
        response: a Response or a str.
        target: the label or the text of the right choice; if it is both, the label wins.
        choices: two to 26 texts, or a mapping of labels to texts; single letters (``"ABCD"``, ``["A", "B"]``) are
            labels without texts.

    Raises:
        ScorerError: if the target is not one of the choices, or the choices are fewer than two, not distinct, or
            unordered.
    """
    if not isinstance(choices, Mapping | Sequence):
        raise ScorerError(
            f"choices must be a list of strings or a mapping of labels to strings, found {type(choices).__name__}"
        )
    from pytest_llmeval.scorers.choice_reader import options_of  # its patterns take 15 ms to compile

    options = options_of(tuple(choices.items()) if isinstance(choices, Mapping) else tuple(choices))
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
