"""The web application of ``llmeval view``: pages over a database, which each request opens, and a form for labels."""

import contextlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from pytest_llmeval.core.errors import StoreError, ThresholdsError, UserError
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import one_line, storable
from pytest_llmeval.core.types import OUTCOMES
from pytest_llmeval.reports.comparison import Comparison
from pytest_llmeval.reports.html.escape import Html
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.browsing import Against, BrowsingReader, Wanted
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sides import find_sides
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view.guard import Guard
from pytest_llmeval.view.labelling import Draft, chosen_in, label_page, labels_in
from pytest_llmeval.view.links import ServedLinks
from pytest_llmeval.view.pages import (
    Frame,
    against_of,
    case_page,
    compare_page,
    run_page,
    runs_page,
)
from pytest_llmeval.view.rendering import asset
from pytest_llmeval.view.side_by_side import flips_between
from pytest_llmeval.view.source import Source
from pytest_llmeval.view.summaries import Overview, Summaries
from pytest_llmeval.view.trends import trends

__all__ = ["make_app"]

_RUNS, _CASES, _FLIPS, _IN_TREND = 50, 50, 20, 30
"""Number of runs, cases and flipped cases on a page, and of runs in a trend."""
_LONGEST_FORM = 100_000
"""Largest size of a submitted form, in bytes."""
_HEAD = Html('<link rel="stylesheet" href="/assets/view.css">\n<script src="/assets/view.js" defer></script>')
_TYPES = {"view.css": "text/css", "view.js": "text/javascript"}
_RATER = "llmeval_rater"
_LINE_END = re.compile("\r\n|\r|\n")


class _NotFoundError(Exception):
    """The requested run or case does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pages:
    """The request handlers over one database."""

    source: Source
    frame: Frame
    summaries: Summaries
    token: str
    """Secret in every form of this server, which no other site can know."""

    def runs(self, request: Request) -> Response:
        """Respond with the list of runs."""
        skipped = _whole(request, "skip") or 0
        with self.source.reader() as reader:
            found = reader.runs()
        shown = found[skipped : skipped + _RUNS]
        whole = [run for run in found if run.is_full][:_IN_TREND] if not skipped else []
        known = [each.view for each in self.summaries.overviews(whole) if each is not None]
        address = self.frame.links.runs
        return HTMLResponse(
            runs_page(
                self.frame,
                shown,
                trends(known),
                every=found,
                waiting=len(whole) - len(known),
                older=address(skip=skipped + _RUNS) if skipped + _RUNS < len(found) else None,
                newer=address(skip=max(0, skipped - _RUNS) or None) if skipped else None,
            )
        )

    def run(self, request: Request) -> Response:
        """Respond with one run and some of its cases."""
        with self.source.reader() as reader:
            run = _run(reader, request, "id")
            overview = self.summaries.overview(run)
            against = against_of(reader, run)
            wanted = _wanted(request, reader, run, overview, against)
            page = reader.page(
                run.id, wanted, size=_CASES, after=_whole(request, "after"), before=_whole(request, "before")
            )
            total = self.summaries.total(reader, run, wanted, page)
            return HTMLResponse(
                run_page(self.frame, reader, run, overview, wanted=wanted, page=page, total=total, against=against)
            )

    def case(self, request: Request) -> Response:
        """Respond with one case in full."""
        with self.source.reader() as reader:
            run, case = _case(reader, request.query_params.get("id", ""))
            return HTMLResponse(case_page(self.frame, reader, run, case, against_of(reader, run)))

    def compare(self, request: Request) -> Response:
        """Respond with two runs, models or suites side by side."""
        with self.source.reader() as reader:
            base, current = _sides(reader, request)
            comparison = self._compared(base, current)
            wanted = flips_between(base, current)
            page = reader.page(
                current.run.id, wanted, size=_FLIPS, after=_whole(request, "after"), before=_whole(request, "before")
            )
            total = self.summaries.total(reader, current.run, wanted, page) or 0
            return HTMLResponse(compare_page(self.frame, reader, base, current, comparison, page=page, total=total))

    def _compared(self, base: FoundBaseline, current: FoundBaseline) -> Comparison | str | None:
        """Return the comparison, or None while it is not ready; the error's text if the run's rules are unusable."""
        try:
            return self.summaries.comparison(base, current)
        except ThresholdsError as error:
            return str(error)

    def label(self, request: Request) -> Response:
        """Respond with a case to label: the requested one, else the next that this rater has not labelled."""
        rater = unquote(request.cookies.get(_RATER, ""))
        with self.source.reader() as reader:
            run, case = _run(reader, request, "run"), None
            queue = self.summaries.to_label(reader, run)
            named = request.query_params.get("case")
            if named is not None:
                run, case = _case(reader, named)
                if case.id not in queue:
                    raise _NotFoundError("no judge judged this answer, or an earlier epoch is to be labelled")
            else:
                found = _next(queue, reader.labelled_by(run.id, rater), request.query_params.get("after"))
                case = None if found is None else reader.case(found)
            return HTMLResponse(self._label_page(reader, run, case, queue, Draft(rater=rater), named is None))

    async def save(self, request: Request) -> Response:
        """Store submitted labels, and redirect to the next case."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_FORM:
                return self._refused("The form is too long.", 413)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if not hmac.compare_digest(form.get("token", "").encode(), self.token.encode()):
            return self._refused("The form is from another server, or from one that has stopped; open it again.", 403)
        return await run_in_threadpool(self._saved, form)

    def _saved(self, form: Mapping[str, str]) -> Response:
        rater = form.get("rater", "").strip()
        with self.source.reader() as reader:
            run, case = _case(reader, form.get("case", ""))
            queue = self.summaries.to_label(reader, run)
            try:
                labels = labels_in(form, reader, run, case)
            except UserError as error:
                draft = Draft(rater=rater, note=form.get("note", ""), problem=str(error), chosen=chosen_in(form))
                page = self._label_page(reader, run, case, queue, draft, form.get("drawn") == "1")
                return HTMLResponse(page, status_code=400)
        with contextlib.closing(SqliteStore(self.source.database)) as store:
            store.add_labels(labels)
        answer = RedirectResponse(self.frame.links.label(run.id, after=case.id) or "/", status_code=303)
        answer.set_cookie(_RATER, quote(rater), max_age=31_536_000, httponly=True, samesite="strict")
        return answer

    def _label_page(
        self,
        reader: BrowsingReader,
        run: Run,
        case: StoredCase | None,
        queue: Sequence[str],
        draft: Draft,
        is_drawn: bool,
    ) -> str:
        return label_page(self.frame, reader, run, case, draft=draft, queue=queue, is_drawn=is_drawn, token=self.token)

    def asset(self, request: Request) -> Response:
        """Respond with the stylesheet or the script."""
        name = request.path_params["name"]
        if name not in _TYPES:
            return self._refused("There is no such file.", 404)
        return Response(asset(name), media_type=_TYPES[name])

    def failed(self, request: Request, error: Exception) -> Response:
        """Respond to an unknown run or case, or to an error such as an unreadable database."""
        status = 404 if isinstance(error, _NotFoundError) else 500
        return self._refused(str(error), status)

    def unknown(self, request: Request, error: Exception) -> Response:
        """Respond to an unknown path, or to a method that it does not allow."""
        return self._refused("There is no such page.", getattr(error, "status_code", 404))

    def _refused(self, message: str, status: int) -> Response:
        title = "Not found" if status == 404 else "This did not work"
        return HTMLResponse(self.frame.render("message.html", title, message=message), status_code=status)


def make_app(source: Source, host: str = "127.0.0.1") -> Guard:
    """Return the application over a database, ready to be served.

    Args:
        source: the database.
        host: the name or address that the server listens on.
    """
    frame = Frame(links=ServedLinks(), database=source.shown_as, head=_HEAD)
    summaries = Summaries(source)
    pages = _Pages(source=source, frame=frame, summaries=summaries, token=secrets.token_urlsafe(24))
    routes = [
        Route("/", pages.runs),
        Route("/run", pages.run),
        Route("/case", pages.case),
        Route("/compare", pages.compare),
        Route("/label", pages.label, methods=["GET"]),
        Route("/label", pages.save, methods=["POST"]),
        Route("/assets/{name}", pages.asset),
        Route("/favicon.ico", lambda request: Response(status_code=204)),
    ]
    handlers = {_NotFoundError: pages.failed, UserError: pages.failed, 404: pages.unknown, 405: pages.unknown}

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        pages.summaries.close()

    return Guard(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan), host)


def _run(reader: BrowsingReader, request: Request, name: str) -> Run:
    try:
        return reader.find_run(request.query_params.get(name, ""))
    except StoreError as error:
        raise _NotFoundError(str(error)) from None


def _sides(reader: BrowsingReader, request: Request) -> tuple[FoundBaseline, FoundBaseline]:
    """Return the two sides to compare. A name in a URL never refers to a file on this machine."""
    base, current = (request.query_params.get(name, "") for name in ("base", "current"))
    try:
        return find_sides(base, current, reader=reader, root=None)
    except StoreError as error:
        raise _NotFoundError(str(error)) from None


def _case(reader: BrowsingReader, case_id: str) -> tuple[Run, StoredCase]:
    case, run_id = reader.case(case_id), reader.run_of(case_id)
    if case is None or run_id is None:
        raise _NotFoundError(f"no case {one_line(case_id, 80)!r}")
    return reader.find_run(run_id), case


def _next(queue: Sequence[str], labelled: set[str], after: str | None) -> str | None:
    """Return the next id after ``after`` that has no label, wrapping round at the end of the queue."""
    start = queue.index(after) + 1 if after in queue else 0
    return next((each for each in (*queue[start:], *queue[:start]) if each not in labelled), None)


def _wanted(
    request: Request, reader: BrowsingReader, run: Run, overview: Overview | None, against: Against | None
) -> Wanted:
    """Return the filter of cases that a URL asks for."""
    asked = {key: value for key, value in request.query_params.items() if value}
    if overview is not None:
        groups, slices = overview.groups, overview.slices
    else:
        groups = reader.groups(run.id) if "suite" in asked or "model" in asked else ()
        slices = reader.slice_names(run.id) if "slice" in asked else ()
    return Wanted(
        suite=_named(asked.get("suite"), (group.suite for group in groups)),
        model=_named(asked.get("model"), (group.model for group in groups)),
        slice=_named(asked.get("slice"), slices),
        outcome=next((each for each in OUTCOMES if each == asked.get("outcome")), None),
        search=asked.get("search", ""),
        flipped=against if "flipped" in asked else None,
    )


def _named(told: str | None, names: Iterable[str]) -> str | None:
    """Return the name that a form refers to, though browsers change line ends and pages escape some characters."""
    if told is None:
        return None
    return next((name for name in names if _sent_back(name) == _sent_back(told)), told)


def _sent_back(name: str) -> str:
    return _LINE_END.sub("\n", storable(name))


def _whole(request: Request, name: str) -> int | None:
    told = request.query_params.get(name, "")
    return int(told) if re.fullmatch(r"[0-9]{1,15}", told) else None
