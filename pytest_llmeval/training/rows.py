"""The rows of a training, its looks and its proof, each checked before a model is loaded."""

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
    """One row as it is trained on: its prompt and the answer to learn."""

    where: str
    """File and line, and of a variant its number."""
    sample: Sample
    messages: tuple[Message, ...]
    """Messages that the eval sends for this row."""
    completion: str
    """Answer that is learned."""
    likeness: str
    """Digest of the input; equal for inputs that differ only in case, white space or Unicode form (NFC)."""

    @property
    def id(self) -> str:
        """The id of the row in its dataset."""
        return self.sample.id

    @property
    def target(self) -> Any:
        """The target that a right answer matches."""
        return self.sample.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows taken from one dataset, all of them valid."""

    shown: str
    rows: tuple[TrainingRow, ...]
    digest: str
    """The sha256 in hex over the rows taken, in their order."""
    variants: tuple[TrainingRow, ...] = ()
    notes: tuple[str, ...] = ()
    """Oddities of the input fields that the prompt uses, one line each."""

    @property
    def twins(self) -> int:
        """Number of rows whose input an earlier row has too."""
        return len(self.rows) - len({row.likeness for row in self.rows})

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 in hex of the rows and, if there are any, of their variants, which depend on the seed."""
        made = [[row.messages, row.completion] for row in self.variants]
        return {"train": self.digest, **({"variants": digest(canonical(made))} if made else {})}

    @property
    def warnings(self) -> list[str]:
        """Warnings about these rows, one line each; none of them stops the training."""
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
        completion: what a target is turned into.
        slice_: take only rows of this slice; None for all.
        limit: largest number of rows taken, the first ones of the slice; None for all.
        is_asked: whether an eval session will ask every row, so that ids must be unique.

    Raises:
        DatasetError: rows are wrong, with file and line of the first 20 and the number of all; or there is no row.
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
                continue  # the rest is still read, so that its mistakes are reported
            rows.append(_row(sample, where, prompt, completion))
            fields.add(sample.input, sample.id)
            sum_.update(b"%x;" % ref.checksum)
        except (DatasetError, PromptError) as error:
            message = str(error)
            wrong.append(message if message.startswith(where) else f"{where}: {message}")
    if wrong:
        raise DatasetError(first_lines(wrong, word="wrong rows"))
    if not rows:
        of_slice = f" in slice {slice_!r}" if slice_ else ""
        raise DatasetError(f"{dataset.shown}: 0 rows{of_slice}; training needs at least one")
    notes = tuple(fields.notes(dataset.shown, is_sent=True))
    return Rows(shown=dataset.shown, rows=tuple(rows), digest=sum_.hexdigest(), notes=notes)


class Splits(NamedTuple):
    """The rows that a configuration trains on, looks at and measures by."""

    train: Rows
    """Training rows, with their variants."""
    val: Rows
    """Rows that are looked at during training: those of ``data.slice``."""
    test: Rows
    proved: Mapping[str, Sequence[TrainingRow]]
    """Rows of ``val`` and of ``test`` that the proof asks, by the shown name of the dataset."""


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
        data: names the datasets and chooses the rows.
        proof: chooses the rows that are asked by the proof.
        rootdir: the project.
        prompt: of the eval.
        seed: of the training.
        place: turns a key of the configuration into the place, FILE:LINE: KEY, that begins a message.

    Raises:
        DatasetError: rows are wrong, reported for all three datasets; a row lacks a field that the prompt uses and
            other rows have; or a row of ``val`` or ``test`` is trained on, shares its id with another, or is in both.
        SettingsError: no row of ``val`` or of ``test`` is in the slice of the proof.
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
    """Return the rows that the proof asks; raise SettingsError if its slice has none."""
    found = [row for row in rows.rows if proof.slice is None or proof.slice in row.sample.slices]
    if not found:
        raise SettingsError(f"{place('proof.slice')}: {proof.slice!r}: no row of {rows.shown} has it")
    return found[: proof.limit]


def _all_read(*reads: Callable[[], Rows]) -> list[Rows]:
    """Return the rows of all datasets; raise one DatasetError for the mistakes in all of them."""
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
    """Add variants of each row, except for variants that equal a held-out row."""
    kept_out = {row.likeness for rows in held_out for row in rows.rows}
    made = Variants([row.sample for row in train.rows], seed=seed)
    variants = [
        _row(made.variant(row.sample, number), f"{row.where}, variant {number}", prompt, data.completion)
        for number in range(1, data.variants + 1)
        for row in train.rows
    ]
    return replace(train, variants=tuple(row for row in variants if row.likeness not in kept_out))


def _lacking(rows: Sequence[TrainingRow], prompt: Prompt) -> Iterator[str]:
    """Yield a line for each row that lacks a field which the prompt uses and other rows have."""
    taken = (prompt.names or frozenset()) & {name for row in rows for name in fields_of(row.sample.input)}
    for row in rows:
        if lacking := sorted(taken - set(fields_of(row.sample.input))):
            yield f"{row.where}: input has no {', '.join(map(repr, lacking))}"


def _require_none(pairs: Sequence[str], wrong: str) -> None:
    if pairs:
        raise DatasetError(f"{len(pairs)} {wrong}:\n{first_lines(pairs)}")


def leaks(seen: Rows, held_out: Rows) -> list[str]:
    """Return a line for each row of ``held_out`` whose input is also in ``seen``, ignoring case and white space."""
    learned = {row.likeness: row for row in reversed(seen.rows)}
    pairs = ((learned.get(row.likeness), row) for row in held_out.rows)
    return [f"{first.where} is {row.where} ({row.id})" for first, row in pairs if first is not None]


def within(
    rows: Rows, lengths: Sequence[int], *, most: int, on_long: Literal["error", "drop"], context: int = sys.maxsize
) -> tuple[list[int], list[str], list[str]]:
    """Return the indices of the rows and variants that are short enough, and the places of the long rows and variants.

    Args:
        rows: all rows.
        lengths: number of tokens, prompt and completion together, of each row and then of each variant.
        most: largest number of tokens by the configuration. A longer variant is left out whatever ``on_long`` says.
        on_long: what happens to longer rows.
        context: largest number of tokens that the base reads.

    Returns:
        The indices into ``lengths``; then one text, file and line with the number of tokens, for each row that is too
        long; then the same for variants.

    Raises:
        DatasetError: a row is too long and ``on_long`` is ``error``, or every row is too long.
    """
    sized = list(zip((*rows.rows, *rows.variants), lengths, strict=True))
    bound = min(most, context)
    named = [f"{row.where} ({size} tokens)" for row, size in sized if size > bound]
    long = [size for size in lengths[: len(rows.rows)] if size > bound]
    if long and (on_long == "error" or len(long) == len(rows.rows)):
        more, fix = f"more than {bound} tokens", "raise data.max_tokens"
        if min(long) > context:
            more, fix = f"more than the {read_at_most(context)}", "shorten them"
        elif max(long) > context:
            fix = f"shorten those of more than the {read_at_most(context)}, raise data.max_tokens for the others"
        shown = and_more(named[: len(long)], _SHOWN)
        raise DatasetError(f"{len(long)} of {len(rows.rows)} rows have {more}: {shown}; {fix}, or write on_long: drop")
    return [place for place, size in enumerate(lengths) if size <= bound], named[: len(long)], named[len(long) :]


def read_at_most(context: int) -> str:
    """Return in words how many tokens a base reads, and which key says so; one with scaled RoPE may read more."""
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
    """Return a text of an input normalised for comparison: NFC, casefolded, each run of white space one blank."""
    return " ".join(unicodedata.normalize("NFC", value).casefold().split()) if isinstance(value, str) else value


def _json(sample: Sample, where: str) -> str:
    if not isinstance(sample.target, dict | list) or not sample.target:
        message = f"target {sample.target!r:.60} is not a JSON object or list; data.completion is json"
        raise DatasetError(f"{where}: {message}")
    return json.dumps(sample.target, ensure_ascii=False)


def _text(sample: Sample, where: str) -> str:
    found = next(_texts(sample.target), None)
    if not isinstance(found, str) or not found.strip():
        raise DatasetError(f"{where}: target {sample.target!r:.60} has no text to learn, but data.completion is text")
    return found


def _texts(target: Any) -> Iterator[Any]:
    """Yield the texts that a target accepts, the best first, as the text scorers read it."""
    if isinstance(target, dict):
        yield target.get("answer")
    elif isinstance(target, list):
        yield from target
    else:
        yield target
