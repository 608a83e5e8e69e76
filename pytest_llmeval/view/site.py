"""The pages as files that open without a server: a folder of them, or a single page of one run."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.errors import SettingsError, ThresholdsError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.types import Outcome
from pytest_llmeval.reports.comparison import Comparison
from pytest_llmeval.reports.html.escape import Html, csp_hash
from pytest_llmeval.store.browsing import Against, BrowsingReader, CasePage, CasePair, Wanted
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sides import find_sides
from pytest_llmeval.view.links import FileLinks
from pytest_llmeval.view.pages import (
    Frame,
    against_of,
    base_ref,
    case_body,
    case_page,
    compare_page,
    run_page,
    runs_page,
)
from pytest_llmeval.view.rendering import asset
from pytest_llmeval.view.side_by_side import flips_between
from pytest_llmeval.view.source import Source
from pytest_llmeval.view.summaries import Overview, comparison_in, overview_in
from pytest_llmeval.view.trends import trends

__all__ = ["self_contained", "write_site"]

_FLIPS = 100
"""Largest number of flipped cases on a comparison page."""
_MOST_COMPARED = 1_000
"""Largest number of cases of a run for which files include the comparison; it takes seconds per pair of runs."""
_MARK = "written-by-llmeval.txt"
"""Name of the file that marks a folder as written by llmeval, so that it may be overwritten."""
_SCRATCH = ".being-written"
"""Name of the folder in which pages are kept until all of them are written."""
_NOTHING_ELSE = "default-src 'none'; base-uri 'none'; form-action 'none'; "
_WORST: tuple[Outcome, ...] = ("missed", "error")
"""Outcomes that come first on a page."""
_LINKED = Html(
    f"<meta http-equiv=\"Content-Security-Policy\" content=\"{_NOTHING_ELSE}style-src 'self' file:; script-src 'self'"
    ' file:">\n<link rel="stylesheet" href="view.css">\n<script src="view.js" defer></script>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sampled:
    """A sample of a run's cases."""

    pairs: list[CasePair]
    """Misses, errors, flips, then the others, each kind in the order of recording."""
    total: int
    """Number of cases of the run."""

    @property
    def words(self) -> str | None:
        """Note on which cases are shown; None if all of them are."""
        if len(self.pairs) == self.total:
            return None
        return (
            f"{len(self.pairs):,} of {self.total:,} cases stand here: misses first, then errors, flips and others, as"
            " many as find room. llmeval view shows all of them."
        )


def self_contained(source: Source, run: Run) -> str:
    """Return one page of a run with its cases in full, which needs no other file."""
    links = FileLinks((), (), lambda case_id: False)
    frame = Frame(links=links, database=source.shown_as, head=_inlined())
    with source.stored() as stored:
        reader = stored.shown(source.redact)
        (run,) = _as_of(reader, [run])
        against = against_of(reader, run)
        found = _sampled(reader, run, against, most=source.most_cases)
        cases = (reader.case(pair.case.id) for pair in found.pairs)
        details = {case.id: case_body(frame, reader, run, case, against) for case in cases if case is not None}
        return _run_page(frame, reader, run, overview_in(stored, source.root, run), found, against, details)


def write_site(folder: Path, source: Source, runs: Sequence[Run]) -> int:
    """Write the pages of ``runs``, the newest first, into a folder; return the number of files.

    Pages from an earlier call stay in place until all new ones are written.

    Raises:
        SettingsError: if the folder contains anything that was not written here, or it cannot be written.
    """
    count = 0
    try:
        _prepare(folder)
        with _scratch(folder) as new:
            for name, text in _files(source, runs):
                (new / name).write_text(text, encoding="utf-8", newline="\n")
                count += 1
            _swap(folder, new)
    except OSError as error:
        raise SettingsError(f"--export {one_line(str(folder))}: cannot be written: {error.strerror or error}") from None
    return count


def _prepare(folder: Path) -> None:
    """Create the folder, or check that its contents were written here."""
    folder.mkdir(parents=True, exist_ok=True)
    names = os.listdir(folder)
    if names and _MARK not in names:
        raise SettingsError(
            f"--export {one_line(str(folder))}: the folder holds what llmeval did not write; name a new one"
        )
    (folder / _MARK).write_text("llmeval view --export wrote these pages.\n", encoding="ascii")


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Yield an empty folder on the same disk, and remove it afterwards."""
    new = folder / _SCRATCH
    shutil.rmtree(new, ignore_errors=True)  # a killed process left it
    new.mkdir()
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(folder: Path, new: Path) -> None:
    """Replace the earlier pages with the new ones."""
    for name in os.listdir(folder):
        if name.endswith(".html"):
            (folder / name).unlink()
    for name in os.listdir(new):
        os.replace(new / name, folder / name)


def _files(source: Source, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file."""
    yield "view.css", asset("view.css")
    yield "view.js", asset("view.js")
    with source.stored() as stored:
        reader = stored.shown(source.redact)
        runs = _as_of(reader, runs)
        known = {run.id: run for run in runs}
        against = {run.id: against_of(reader, run) for run in runs}
        found = {run.id: _sampled(reader, run, against[run.id], most=source.most_cases) for run in runs}
        bases = [(run, against[run.id]) for run in runs]
        pairs = [(base_ref(run, base), run.id) for run, base in bases if base and base.run_id in known]
        cases = {pair.case.id for each in found.values() for pair in each.pairs}
        frame = Frame(links=FileLinks(known, pairs, cases.__contains__), database=source.shown_as, head=_LINKED)
        views = {run.id: overview_in(stored, source.root, run) for run in runs}
        whole = [views[run.id].view for run in runs if run.is_full]
        yield "index.html", runs_page(frame, runs, trends(whole), every=runs, waiting=0, older=None, newer=None)
        for run in runs:
            own = against[run.id]
            yield (
                frame.links.run(run.id) or "",
                _run_page(frame, reader, run, views[run.id], found[run.id], own, {}),
            )
            for pair in found[run.id].pairs:
                case = reader.case(pair.case.id)
                if case is not None:
                    yield frame.links.case(case.id) or "", case_page(frame, reader, run, case, own)
        for base, run_id in pairs:
            name = frame.links.compare(base, run_id) or ""
            yield name, _compare_page(frame, source, stored, base, run_id)


def _as_of(reader: BrowsingReader, runs: Sequence[Run]) -> list[Run]:
    """Return the runs as ``reader`` sees them; they may have continued since they were found."""
    return [reader.run(run.id) or run for run in runs]


def _sampled(reader: BrowsingReader, run: Run, against: Against | None, *, most: int) -> _Sampled:
    """Return at most ``most`` cases of a run; a case that flipped since ``against`` comes with its counterpart."""
    flips = [] if against is None else reader.page(run.id, Wanted(flipped=against), size=most).pairs
    flipped = {pair.case.id: pair for pair in flips}
    worst = [pair for outcome in _WORST for pair in reader.page(run.id, Wanted(outcome=outcome), size=most).pairs]
    others = reader.page(run.id, Wanted(), size=most).pairs
    found = {pair.case.id: flipped.get(pair.case.id, pair) for pair in (*worst, *flips, *others)}
    return _Sampled(pairs=list(found.values())[:most], total=reader.count(run.id, Wanted()))


def _run_page(
    frame: Frame,
    reader: BrowsingReader,
    run: Run,
    summary: Overview,
    found: _Sampled,
    against: Against | None,
    details: dict[str, Html],
) -> str:
    return run_page(
        frame,
        reader,
        run,
        summary,
        wanted=Wanted(),
        page=CasePage(pairs=found.pairs, before=None, after=None),
        total=found.total,
        against=against,
        sample=found.words,
        details=details,
    )


def _compare_page(frame: Frame, source: Source, stored: BrowsingReader, ref: str, run_id: str) -> str:
    reader = stored.shown(source.redact)
    base, current = find_sides(ref, run_id, reader=reader, root=None)
    wanted = flips_between(base, current)
    page = reader.page(run_id, wanted, size=_FLIPS)
    is_small = max(reader.size(base.run.id), reader.size(run_id)) <= _MOST_COMPARED
    found: Comparison | str | None = None
    if is_small:
        try:
            found = comparison_in(stored, ref, run_id, source.rules_of(current.run))
        except ThresholdsError as error:
            found = str(error)
    only = CasePage(pairs=page.pairs, before=None, after=None)
    return compare_page(frame, reader, base, current, found, page=only, total=reader.count(run_id, wanted))


def _inlined() -> Html:
    """Return the style and the script as HTML, with a policy that forbids any other."""
    style, script = asset("view.css"), asset("view.js")
    policy = f"{_NOTHING_ELSE}style-src '{csp_hash(style.encode())}'; script-src '{csp_hash(script.encode())}'"
    return Html(
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>\n'
        f'<script type="module">{script}</script>'
    )
