"""Charts as inline SVG, drawn without scripts.

Positions are percentages of the width and letters have a fixed size, so that a chart fills its container and is
readable at 390 pixels as well as at 1280. Colours come from the style's variables. The ``desc`` of a chart says in
words what it shows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_llmeval.core.text import shorten
from pytest_llmeval.reports.html.escape import Html, element
from pytest_llmeval.reports.numbers import short

__all__ = ["Bar", "histogram", "slice_bars", "steps"]

_ROW = 40
_LABEL = 14
_AXIS = 22
_HEIGHT = 120
_MOST_BARS = 30
_LONGEST_LABEL = 26
_TOLD = 12
"""Number of bars described in ``desc``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a chart."""

    label: str
    value: float | None
    """Value of the bar; None if there is none."""
    low: float | None = None
    """This and ``high`` are the ends of its 95 % interval."""
    high: float | None = None
    n: int = 0
    """Number of samples behind the value."""
    baseline: float | None = None
    """Value in the baseline."""
    bar: float | None = None
    """Goal that the value has to reach."""
    verdict: str | None = None
    """Verdict of the rule that sets ``bar``."""
    worse: tuple[str, str] | None = None
    """Another rule on the value with a worse verdict, and that verdict."""


def slice_bars(title: str, bars: Sequence[Bar]) -> Html:
    """Return a figure of horizontal bars, one below the other, on a common scale from 0."""
    kept = bars[:_MOST_BARS]
    top = _top(kept)
    rows = [part for place, bar in enumerate(kept) for part in _bar(bar, place * _ROW, top)]
    height = len(kept) * _ROW + _AXIS
    ticks = [_tick(share, share * top, len(kept) * _ROW + 14) for share in (0, 0.25, 0.5, 0.75, 1)]
    summary = "; ".join(_words(bar) for bar in kept[:_TOLD])
    summary += f"; and {len(bars) - _TOLD} more" if len(bars) > _TOLD else ""
    keys = [("value", "value"), ("interval", "95 % interval")]
    keys += [("baseline", "baseline")] if any(bar.baseline is not None for bar in kept) else []
    keys += [("bar", "bar")] if any(bar.bar is not None for bar in kept) else []
    more = f"The first {len(kept)} of {len(bars)} slices." if len(bars) > len(kept) else ""
    return _figure(title, summary, height, [*ticks, *rows], keys=keys, note=more)


def histogram(title: str, values: Sequence[float], edges: Sequence[float], *, unit: str = "", note: str = "") -> Html:
    """Return a histogram of values between the given edges.

    Args:
        title: any text.
        values: finite numbers.
        edges: at least two, ascending. The last one belongs to the column below it, and values outside are counted in
            the first or the last column.
        unit: the unit of the values, appended to the numbers.
        note: a line below the chart.
    """
    counts = _counts(values, edges)
    ends = (f"{short(low)} to {short(high)}{unit}" for low, high in pairwise(edges))
    names = [f"{each}: {count:,}" for each, count in zip(ends, counts, strict=True)]
    width, most = 100 / len(counts), max([*counts, 1])
    parts: list[Html] = []
    for place, count in enumerate(counts):
        height = math.ceil(count / most * (_HEIGHT - 20))
        left = place * width
        x, across = f"{left + 0.4:.2f}%", f"{width - 0.8:.2f}%"
        drawn = element("title", names[place])
        parts.append(
            element("rect", drawn, x=x, width=across, y=_HEIGHT - height, height=height, class_="le-fill", rx=1)
        )
        if count:
            middle = f"{left + width / 2:.2f}%"
            parts.append(_text(f"{count:,}", middle, _HEIGHT - height - 4, "middle", "le-count"))
    parts.append(element("line", x1="0", x2="100%", y1=_HEIGHT, y2=_HEIGHT, class_="le-axis"))
    for place, edge in enumerate(edges):
        is_end = place in (0, len(edges) - 1)
        if is_end or (place % 2 == 0 and place < len(edges) - 2):
            anchor = "middle" if not is_end else "start" if place == 0 else "end"
            parts.append(_text(f"{short(edge)}{unit}", f"{place * width:.2f}%", _HEIGHT + 15, anchor, "le-tick"))
    summary = "; ".join(name for name, count in zip(names, counts, strict=True) if count)
    return _figure(title, summary or "no value", _HEIGHT + _AXIS, parts, note=note)


def steps(low: float, high: float) -> list[float]:
    """Return edges at 1, 2 and 5 times powers of ten that enclose ``low`` to ``high``, both above 0."""
    low, high = max(low, 1e-3), max(high, 2e-3)
    found = [
        factor * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factor in (1, 2, 5)
    ]
    begin = max(place for place, edge in enumerate(found) if edge <= low or place == 0)
    end = next(place for place, edge in enumerate(found) if edge >= high)
    return found[begin : max(end, begin + 1) + 1]


def _top(bars: Sequence[Bar]) -> float:
    """Return the right end of the scale: 1 for shares, otherwise the largest number shown."""
    found = [part for bar in bars for part in (bar.value, bar.high, bar.baseline, bar.bar) if part is not None]
    most = max([*found, 0.0])
    return 1.0 if most <= 1 else most


def _share(value: float, top: float) -> float:
    return min(max(value / top, 0.0), 1.0) * 100


def _bar(bar: Bar, top_px: int, top: float) -> list[Html]:
    """Return the parts of one bar: its name and numbers, and below them value, interval, baseline and goal."""
    y, height = top_px + _LABEL + 5, 12
    middle = y + height // 2
    label = element("title", bar.label)
    parts = [
        element("text", shorten(bar.label, _LONGEST_LABEL), label, x="0", y=top_px + _LABEL - 1, class_="le-label"),
        _text(_numbers(bar), "100%", top_px + _LABEL - 1, "end", "le-number"),
        element("rect", x="0", y=y, width="100%", height=height, class_="le-track", rx=2),
    ]
    if bar.value is not None:
        word = bar.verdict if bar.worse is None else bar.worse[1]
        tone = {"fail": "le-bad", "inconclusive": "le-doubt", "unmeasurable": "le-doubt"}.get(word or "", "")
        width = f"{_share(bar.value, top):.2f}%"
        parts.append(element("rect", x="0", y=y, width=width, height=height, class_=f"le-fill {tone}", rx=2))
    if bar.low is not None and bar.high is not None:
        ends = [f"{_share(end, top):.2f}%" for end in (bar.low, bar.high)]
        parts.append(element("line", x1=ends[0], x2=ends[1], y1=middle, y2=middle, class_="le-interval"))
        parts += [element("line", x1=end, x2=end, y1=middle - 4, y2=middle + 4, class_="le-interval") for end in ends]
    if bar.bar is not None:
        at = f"{_share(bar.bar, top):.2f}%"
        parts.append(element("line", x1=at, x2=at, y1=y - 3, y2=y + height + 3, class_="le-goal"))
    if bar.baseline is not None:
        at = f"{_share(bar.baseline, top):.2f}%"
        parts.append(element("circle", cx=at, cy=middle, r=4, class_="le-before"))
    return parts


def _tick(share: float, value: float, y: int) -> Html:
    anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
    return _text(short(value), f"{share * 100:g}%", y, anchor, "le-tick")


def _numbers(bar: Bar) -> str:
    if bar.value is None:
        return f"no value · n {bar.n:,}"
    interval = "" if bar.low is None or bar.high is None else f" [{_in_words(bar.low)}, {_in_words(bar.high)}]"
    return f"{_in_words(bar.value)}{interval} · n {bar.n:,}"


def _words(bar: Bar) -> str:
    told = [f"{shorten(bar.label, 80)}: {_numbers(bar)}"]
    told += [] if bar.baseline is None else [f"baseline {short(bar.baseline)}"]
    told += [] if bar.bar is None else [f"bar {short(bar.bar)}"]
    told += [bar.verdict] if bar.verdict else []
    return ", ".join([*told, *([] if bar.worse is None else [" ".join(bar.worse)])])


def _counts(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    counts = [0] * (len(edges) - 1)
    for value in values:
        place = sum(value >= edge for edge in edges[1:-1])
        counts[place] += 1
    return counts


def _in_words(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else short(value)


def _text(text: str, x: str, y: int, anchor: str, kind: str) -> Html:
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=kind)


def _figure(
    title: str, told: str, height: int, parts: Sequence[Html], *, keys: Sequence[tuple[str, str]] = (), note: str
) -> Html:
    legend = [element("span", element("i", class_=f"le-key le-key-{kind}"), name) for kind, name in keys]
    caption = element("figcaption", element("b", title), *([element("span", *legend)] if legend else []))
    drawing = element(
        "svg",
        element("title", title),
        element("desc", told),
        *parts,
        role="img",
        width="100%",
        height=height,
        class_="le-svg",
    )
    return element("figure", caption, drawing, element("p", note, class_="le-note") if note else "", class_="le-chart")
