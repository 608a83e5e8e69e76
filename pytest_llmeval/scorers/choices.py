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

    Choices have labels (A, B, C, ... in their order, or the keys of a mapping) and texts. Texts are compared
    in Unicode NFC, without case, each run of white space as one space, ``’`` as ``'``. The answer is read
    in this order, and the first step that names a choice decides:

    1. What follows ``answer is``, ``answer:`` or ``answer =`` (or ``correct option is``, ``<answer>`` and the like; not
       ``the answer choices:``, nor ``to answer this, ...:``) on the same line (on the next one where nothing follows),
       wherever that stands: a label at its start or behind ``clearly``, ``most likely`` and the like, with those that
       ``or`` and ``and`` join to it (what else follows a label is not read: ``B, A is wrong``; but ``A is wrong`` names
       none), else the texts in it, but for the reason of the first (``London, because Paris is in France``). Where its
       first sentence is nothing but labels, joined by commas, semicolons or plus signs too, they are all named:
       ``A, B``; a label whose text is of labels (``Both A and B``) goes into no such list. Several such statements must
       agree; of one that begins with ``not`` (or ``clearly not``, which no choice does) nothing is read, to the end of
       its clause. The last line counts beside it where it is a choice and nothing else, and not one of a list.
    2. Lines that are nothing but a label (``B``, ``b``, ``(B)``, ``B.``, ``**B**``), a text, or a label with
       its text (``B) London``), wherever they stand; and where a line begins with ``B is correct`` or ``B is right``,
       all labels of which the answer says that.
    3. The whole answer: labels at the start of a line with ``.``, ``)`` or ``:`` behind them, labels in
       brackets (full-width marks are such marks too), and texts as whole words, the longest first (``New York`` is
       not ``York``); in scripts without spaces between words wherever they stand.

    Where texts of a statement, or step 3, decide, labels in running prose that the answer comes to name their choices
    too (``So B. Paris is in France`` names two); not behind ``not`` or before ``is wrong``, nor the article.

    In texts of a statement and in the whole answer, options right behind a denial are not read, nor those that
    ``or`` joins to them: behind ``not``, ``n't``, ``never`` and ``neither``, and the like in German, French, Spanish,
    Chinese and Japanese (``**not** London``, ``isn't the (B)``, ``nicht wahr``, ``不是北京``). They are where the
    clause has an ``if`` or another denial before it, or a question mark behind it. A text behind ``non-``, ``not-``,
    ``nicht-`` or ``un-`` never is.

    Marks around a label are brackets, quotes of all kinds, Markdown emphasis, TeX (``\(B\)``) and pairs of tags
    (``<b>B</b>``), TeX and tags only where the choices have none of their own.

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
