"""The rows that a training learns from and is held to, checked one by one before anything is loaded."""

import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytest_llmeval.core.errors import DatasetError, PromptError, SettingsError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical, rebuilt
from pytest_llmeval.core.text import and_more, first_lines
from pytest_llmeval.core.types import Message, Sample
from pytest_llmeval.loaders.datasets import open_dataset
from pytest_llmeval.loaders.prompt_fields import PromptFields
from pytest_llmeval.loaders.prompts import Prompt, fields_of
from pytest_llmeval.loaders.rows import doubled_id
from pytest_llmeval.training.config import DataModel, ProofModel
from pytest_llmeval.training.variants import Variants

__all__ = ["Rows", "TrainingRow", "leaks", "read_at_most", "read_rows", "read_splits", "within"]

_SHOWN = 20
_MANY_TWINS = 0.01
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """One row as it is trained on."""

    where: str
    """File and line, with the number of a variant."""
    sample: Sample
    messages: tuple[Message, ...]
    """What the eval sends for it."""
    completion: str
    """The answer that is learned."""
    likeness: str
    """Equal for inputs that differ in case and white space only."""

    @property
    def id(self) -> str:
        """Of the row in its dataset."""
        return self.sample.id

    @property
    def target(self) -> Any:
        """What a right answer says."""
        return self.sample.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The good rows of one dataset."""

    shown: str
    rows: tuple[TrainingRow, ...]
    digest: str
    """sha256 in hex over the rows taken, in their order."""
    variants: tuple[TrainingRow, ...] = ()
    notes: tuple[str, ...] = ()
    """What is odd about the fields that the prompt takes of them."""

    @property
    def twins(self) -> int:
        """How many rows have an input that an earlier one had."""
        return len(self.rows) - len({row.likeness for row in self.rows})

    @property
    def digests(self) -> dict[str, str]:
        """sha256 in hex of the rows and, where there are any, of their variants, which are others by each seed."""
        made = [[row.messages, row.completion] for row in self.variants]
        return {"train": self.digest, **({"variants": digest(canonical(made))} if made else {})}

    @property
    def warnings(self) -> list[str]:
        """What looks wrong and hinders nothing."""
        if self.twins > _MANY_TWINS * len(self.rows):
            return [*self.notes, f"{self.shown}: {self.twins} of {len(self.rows)} rows repeat an earlier input"]
        return list(self.notes)


def read_rows(
    name: str,
    *,
    rootdir: Path,
    prompt: Prompt,
    completion: Literal["json", "text"],
    slice_: str | None = None,
    limit: int | None = None,
    is_asked: bool = False,
) -> Rows:
    """Return the rows of a dataset.

    Args:
        name: its path below ``rootdir``.
        rootdir: the project.
        prompt: of the eval.
        completion: what a target becomes.
        slice_: rows in it only.
        limit: so many of those; None for all.
        is_asked: whether a session will ask each, so that no two may have one id.

    Raises:
        DatasetError: with file and line of the first 20 wrong rows and the number of all, or that there is no row.
    """
    dataset = open_dataset(name, rootdir=rootdir, test_file=rootdir / "conftest.py")
    wrong: list[str] = []
    rows: list[TrainingRow] = []
    lines: dict[str, int] = {}
    fields, sum_ = PromptFields(prompt), hashlib.sha256()
    for ref, sample in dataset.rows():
        where = f"{dataset.shown}:{ref.line}"
        try:
            if isinstance(sample, DatasetError):
                raise sample
            if is_asked and lines.setdefault(sample.id, ref.line) != ref.line:
                raise DatasetError(f"{where}: {doubled_id(sample, unit=dataset.unit, line=lines[sample.id])}")
            if slice_ is not None and slice_ not in sample.slices:
                continue
            if limit is not None and len(rows) >= limit:
                continue  # the rest is read all the same, and its mistakes are told
            rows.append(_row(sample, where, prompt, completion))
            fields.add(sample.input, sample.id)
            sum_.update(b"%x;" % ref.checksum)
        except (DatasetError, PromptError) as error:
            told = str(error)
            wrong.append(told if told.startswith(where) else f"{where}: {told}")
    if wrong:
        raise DatasetError(first_lines(wrong, word="wrong rows"))
    if not rows:
        of_slice = f" in slice {slice_!r}" if slice_ else ""
        raise DatasetError(f"{dataset.shown}: 0 rows{of_slice}; training needs at least one")
    notes = tuple(fields.notes(dataset.shown, is_sent=True))
    return Rows(shown=dataset.shown, rows=tuple(rows), digest=sum_.hexdigest(), notes=notes)


class Splits(NamedTuple):
    """What a configuration trains with and measures by."""

    train: Rows
    """With their variants."""
    val: Rows
    """As they are looked at while training."""
    test: Rows
    proved: Mapping[str, Sequence[TrainingRow]]
    """Of all of val and of test those that the proof asks, by the name that the dataset is shown by."""


def read_splits(
    data: DataModel,
    proof: ProofModel,
    *,
    rootdir: Path,
    prompt: Prompt,
    seed: int,
    place: Callable[[str], str] = str,
) -> Splits:
    """Return the rows of a configuration.

    Args:
        data: which rows they are.
        proof: which of them it asks.
        rootdir: the project.
        prompt: of the eval.
        seed: of the training.
        place: says where a key of the configuration stands, as messages begin.

    Raises:
        DatasetError: rows are wrong, those of all three are told; one lacks a field of the prompt that others have; one
            of ``val`` or ``test`` is trained on, has the id of another, or stands in both.
        SettingsError: none of ``val`` or of ``test`` is in the slice of the proof.
    """
    read = partial(read_rows, rootdir=rootdir, prompt=prompt, completion=data.completion)
    train, *whole = _all_read(
        partial(read, data.train, slice_=data.slice, limit=data.limit),
        partial(read, data.val, is_asked=True),
        partial(read, data.test, is_asked=True),
    )
    _require_none(
        list(_lacking([row for rows in (train, *whole) for row in rows.rows], prompt)),
        "rows lack a field that the prompt takes and other rows have, so its name would be sent as it stands",
    )
    _require_none(
        [pair for held_out in whole for pair in leaks(train, held_out)],
        f"held-out rows are trained on; take them out of {data.train}",
    )
    _require_none(
        leaks(*whole),
        f"rows of {data.test} choose the checkpoint, as they stand in {data.val} too; take them out of one of both",
    )
    if data.variants:
        train = _with_variants(train, data, held_out=whole, prompt=prompt, seed=seed)
    proved = {rows.shown: _proved(rows, proof, place) for rows in whole}
    return Splits(train=train, val=read(data.val, slice_=data.slice), test=whole[1], proved=proved)


def _proved(rows: Rows, proof: ProofModel, place: Callable[[str], str]) -> Sequence[TrainingRow]:
    """Return the rows that the proof asks."""
    found = [row for row in rows.rows if proof.slice is None or proof.slice in row.sample.slices]
    if not found:
        raise SettingsError(f"{place('proof.slice')}: {proof.slice!r}: no row of {rows.shown} has it")
    return found[: proof.limit]


def _all_read(*reads: Callable[[], Rows]) -> list[Rows]:
    """Return the rows of all datasets; raise DatasetError with what is wrong in each."""
    found: list[Rows] = []
    wrong: list[str] = []
    for read in reads:
        try:
            found.append(read())
        except DatasetError as error:
            wrong.append(str(error))
    if wrong:
        raise DatasetError("\n".join(dict.fromkeys(wrong)))
    return found


def _with_variants(train: Rows, data: DataModel, *, held_out: Sequence[Rows], prompt: Prompt, seed: int) -> Rows:
    """Return the rows with variants of each, but for those that have come to be held-out ones."""
    kept_out = {row.likeness for rows in held_out for row in rows.rows}
    made = Variants([row.sample for row in train.rows], seed=seed)
    variants = [
        _row(made.variant(row.sample, number), f"{row.where}, variant {number}", prompt, data.completion)
        for number in range(1, data.variants + 1)
        for row in train.rows
    ]
    return replace(train, variants=tuple(row for row in variants if row.likeness not in kept_out))


def _lacking(rows: Sequence[TrainingRow], prompt: Prompt) -> Iterator[str]:
    """Yield a line for each row that lacks a field which the prompt takes of others."""
    taken = (prompt.names or frozenset()) & {name for row in rows for name in fields_of(row.sample.input)}
    for row in rows:
        if lacking := sorted(taken - set(fields_of(row.sample.input))):
            yield f"{row.where}: input has no {', '.join(map(repr, lacking))}"


def _require_none(pairs: Sequence[str], wrong: str) -> None:
    if pairs:
        raise DatasetError(f"{len(pairs)} {wrong}:\n{first_lines(pairs)}")


def leaks(seen: Rows, held_out: Rows) -> list[str]:
    """Return a line for each row of ``held_out`` whose input ``seen`` has, case and white space apart."""
    learned = {row.likeness: row for row in reversed(seen.rows)}
    pairs = ((learned.get(row.likeness), row) for row in held_out.rows)
    return [f"{first.where} is {row.where} ({row.id})" for first, row in pairs if first is not None]


def within(
    rows: Rows, lengths: Sequence[int], *, most: int, on_long: Literal["error", "drop"], context: int = sys.maxsize
) -> tuple[list[int], list[str], list[str]]:
    """Return the places of the rows and variants that are short enough, and where the other rows and variants stand.

    Args:
        rows: all of them.
        lengths: tokens of each and then of each variant, prompt and completion together.
        most: tokens that a row may have, by the configuration; a variant that has more is left out whatever ``on_long``
            says.
        on_long: what is done about longer ones.
        context: tokens that the base reads at most.

    Raises:
        DatasetError: one is too long and ``on_long`` is ``error``, or none is short enough.
    """
    sized = list(zip((*rows.rows, *rows.variants), lengths, strict=True))
    bound = min(most, context)
    told = [f"{row.where} ({size} tokens)" for row, size in sized if size > bound]
    long = [size for size in lengths[: len(rows.rows)] if size > bound]
    if long and (on_long == "error" or len(long) == len(rows.rows)):
        more, mend = f"more than {bound} tokens", "raise data.max_tokens"
        if min(long) > context:
            more, mend = f"more than the {read_at_most(context)}", "shorten them"
        elif max(long) > context:
            mend = f"shorten those of more than the {read_at_most(context)}, raise data.max_tokens for the others"
        shown = and_more(told[: len(long)], _SHOWN)
        raise DatasetError(f"{len(long)} of {len(rows.rows)} rows have {more}: {shown}; {mend}, or write on_long: drop")
    return [place for place, size in enumerate(lengths) if size <= bound], told[: len(long)], told[len(long) :]


def read_at_most(context: int) -> str:
    """Return in words how many tokens a base reads, and what says so: with scaled RoPE it may be made for more."""
    return f"{context} tokens that the base reads at most (max_position_embeddings in its config.json)"


def _row(sample: Sample, where: str, prompt: Prompt, completion: Literal["json", "text"]) -> TrainingRow:
    messages = prompt.render(sample)
    learned = _json(sample, where) if completion == "json" else _text(sample, where)
    if not all(isinstance(message["content"], str) for message in messages):
        raise DatasetError(f"{where}: its prompt has parts that are no text; a model is trained on text only")
    if any(_HALF.search(text) for text in (*(str(message["content"]) for message in messages), learned)):
        raise DatasetError(f"{where}: half a character (\\ud800 to \\udfff), which no tokenizer reads; write it whole")
    return TrainingRow(
        where=where,
        sample=sample,
        messages=messages,
        completion=learned,
        likeness=digest(canonical(rebuilt(sample.input, _alike))),
    )


def _alike(value: Any) -> Any:
    """Return a text of an input in one case, one form of letters, and with one blank for all white space."""
    return " ".join(unicodedata.normalize("NFC", value).casefold().split()) if isinstance(value, str) else value


def _json(sample: Sample, where: str) -> str:
    if not isinstance(sample.target, dict | list) or not sample.target:
        raise DatasetError(f"{where}: target {sample.target!r:.60} is no JSON object or list; data.completion is json")
    return json.dumps(sample.target, ensure_ascii=False)


def _text(sample: Sample, where: str) -> str:
    found = next(_texts(sample.target), None)
    if not isinstance(found, str) or not found.strip():
        raise DatasetError(f"{where}: target {sample.target!r:.60} has no text to learn; data.completion is text")
    return found


def _texts(target: Any) -> Iterator[Any]:
    """Yield the texts that a target accepts, the best first, as the scorers of texts read it."""
    if isinstance(target, dict):
        yield target.get("answer")
    elif isinstance(target, list):
        yield from target
    else:
        yield target
