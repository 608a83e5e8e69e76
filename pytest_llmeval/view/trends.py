"""Trends of metrics over runs: one sparkline each, small enough for a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.rules import MEASURED_METRICS, kind_of
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.html.escape import Html, element
from pytest_llmeval.reports.numbers import short
from pytest_llmeval.reports.run_view import RunView, TableRow
from pytest_llmeval.store.records import Run

__all__ = ["Point", "Trend", "sparkline", "trends"]

_WIDTH, _HEIGHT, _EDGE = 160, 32, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The value of a metric in one run."""

    run: Run
    value: float
    low: float | None
    """This and ``high`` are the ends of its 95 % interval."""
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A metric of a suite and model over the runs that have it, the oldest first."""

    suite: str
    model: str
    metric: str
    what: str
    """Statistic of a measured metric, as a kind of rule such as ``max_p95``; empty for a score, which shows its
    mean."""
    marks: str
    """Expression of ``-m`` that selected the cases of all these runs; empty for none."""
    is_judged: bool
    """Whether judges made the metric; they are the same in all these runs."""
    points: Sequence[Point]

    @property
    def name(self) -> str:
        """Display name: the metric, its statistic, its judges, and the ``-m`` expression."""
        told = f"{self.metric} {self.what}" if self.what else self.metric
        judges = ", ".join(self.points[-1].run.judge_models)
        told += f" by {judges}" if self.is_judged and judges else ""
        return f"{told} (-m {self.marks})" if self.marks else told

    @property
    def change(self) -> float | None:
        """Return the change from the value before to the last one; None if there is only one."""
        return self.points[-1].value - self.points[-2].value if len(self.points) > 1 else None


def trends(views: Iterable[RunView]) -> list[Trend]:
    """Return the trends by suite, metric, model, judge and ``-m``; other cases or another judge begin another trend.

    Args:
        views: the views of the runs, the newest first.
    """
    found: dict[tuple[str, str, str, str, str, str], list[Point]] = {}
    for view in views:
        marks = view.run.markexpr
        for suite in view.suites:
            seen = set()
            for row in suite.numbers:
                judge = suite.judges.get((row.model, row.metric), "")
                key = (suite.name, row.metric, _what(row), marks, row.model, judge)
                if row.slice is None and row.value is not None and key not in seen:
                    seen.add(key)  # two rules may be on one figure
                    found.setdefault(key, []).append(Point(run=view.run, value=row.value, low=row.low, high=row.high))
    return [
        Trend(
            suite=key[0],
            metric=key[1],
            what=key[2],
            marks=key[3],
            model=key[4],
            is_judged=bool(key[5]),
            points=found[key][::-1],
        )
        for key in sorted(found, key=lambda key: (key[0], key[1] != "pass_rate", key[1:]))
    ]


def _what(row: TableRow) -> str:
    """Return the statistic of a measured metric that a row shows, which is that of its rule: a p50 is not a p95."""
    return kind_of(row.rule or "") if row.metric in MEASURED_METRICS else ""


def sparkline(trend: Trend) -> Html:
    """Return a sparkline from the oldest run to the newest, with the interval of each value if it is known.

    Shares are drawn on a scale from 0 to 1, other values between their smallest and largest.
    """
    points = trend.points
    low, high = _scale(trend)
    places = [_EDGE + (_WIDTH - 2 * _EDGE) * (at / max(len(points) - 1, 1)) for at in range(len(points))]

    def height(value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        return f"{_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * share:.1f}"

    bars = [
        element("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=height(each.low), y2=height(each.high), class_="lv-reach")
        for x, each in zip(places, points, strict=True)
        if each.low is not None and each.high is not None
    ]
    line = " ".join(f"{x:.1f},{height(each.value)}" for x, each in zip(places, points, strict=True))
    drawn = [element("polyline", points=line, class_="lv-line")] if len(points) > 1 else []
    dot = element("circle", cx=f"{places[-1]:.1f}", cy=height(points[-1].value), r=3, class_="lv-dot")
    message = ", ".join(f"{short(each.value)} ({one_line(each.run.id, 40)})" for each in points[-12:])
    name = " ".join((one_line(trend.name, 80), "of", one_line(trend.suite, 80), "on", one_line(trend.model, 80)))
    title = element("title", f"{name}, the newest last: {message}")
    view_box = f"0 0 {_WIDTH} {_HEIGHT}"
    return element("svg", title, *bars, *drawn, dot, role="img", width=_WIDTH, height=_HEIGHT, viewBox=view_box)


def _scale(trend: Trend) -> tuple[float, float]:
    ends = [end for each in trend.points for end in (each.value, each.low, each.high) if end is not None]
    if trend.metric not in MEASURED_METRICS and min(ends) >= 0 and max(ends) <= 1:
        return 0.0, 1.0
    return min(ends), max(ends)
