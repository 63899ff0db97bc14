"""Where the parts of a chart go. Pure: numbers in, positions out; the template draws them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

WIDTH, HEIGHT = 720.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 84.0, 8.0, 12.0, 26.0
BAR, GAP = 18.0, 12.0
"""How thick a lying bar is, and the room between two."""
NAMES, VALUES = 130.0, 190.0
"""The room before lying bars for names, and behind them for values in words."""
MOST_LABELS = 8


@dataclass(frozen=True)
class Series:
    """One sort of number, for each category; `look` is how it is painted."""

    name: str
    look: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """Categories with one or several series, stacked; `told` puts a number into words. A `limit` is
    a mark of its own for each category; `more` stands in the table only. What is `upright` has
    columns side by side, else bars lie below each other."""

    id: str
    title: str
    sentence: str
    empty: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    told: Callable[[float], str]
    limit: Series | None = None
    more: tuple[Series, ...] = ()
    upright: bool = True

    @property
    def tabled(self) -> tuple[Series, ...]:
        """What stands in the table: all there is."""
        return (*self.series, *self.limits, *self.more)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(any(series.values) for series in (*self.series, *self.limits))

    @property
    def limits(self) -> tuple[Series, ...]:
        return (self.limit,) if self.limit else ()

    @property
    def totals(self) -> tuple[float, ...]:
        """The sum of each category."""
        columns = zip(*(series.values for series in self.series), strict=True)
        return tuple(sum(column) for column in columns)

    @property
    def top(self) -> float:
        """The end of the scale."""
        return nice(max((*self.totals, *(v for s in self.limits for v in s.values)), default=0))


@dataclass(frozen=True)
class Box:
    """A rectangle that stands for a number, and what is said of it."""

    x: float
    y: float
    width: float
    height: float
    look: str
    said: str


@dataclass(frozen=True)
class Mark:
    """A word, or a line's end, at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """A chart with everything in its place."""

    height: float
    boxes: tuple[Box, ...]
    scale: tuple[Mark, ...]
    names: tuple[Mark, ...]
    values: tuple[Mark, ...]
    limits: tuple[Box, ...]


def drawn(chart: Chart) -> Drawing:
    """A chart with everything in its place."""
    return _upright(chart) if chart.upright else _lying(chart)


def nice(most: float) -> float:
    """The next round number: 1, 2 or 5 with zeros."""
    if most <= 0:
        return 1
    power = float(10 ** math.floor(math.log10(most)))
    # Of what is all but nothing the power may be nothing at all.
    return next((step * power for step in (1, 2, 5, 10) if step * power >= most), most)


def _upright(chart: Chart) -> Drawing:
    """Columns side by side, for what happens in the course of time."""
    inner, room = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    step, floor = inner / max(len(chart.categories), 1), HEIGHT - BOTTOM
    wide = step * 0.72

    def column(place: int, base: float, value: float, series: Series) -> Box:
        tall = value / chart.top * room
        x, y = LEFT + step * place + (step - wide) / 2, floor - base / chart.top * room - tall
        return Box(_at(x), _at(y), _at(wide), _at(tall), series.look, _said(chart, place, series))

    return Drawing(
        HEIGHT,
        boxes=_stacked(chart, column),
        scale=tuple(
            Mark(LEFT, _at(floor - part * room), chart.told(chart.top * part))
            for part in (0, 0.5, 1)
        ),
        names=tuple(
            Mark(_at(LEFT + step * (place + 0.5)), HEIGHT - 8, name)
            for place, name in enumerate(chart.categories)
            if place % math.ceil(len(chart.categories) / MOST_LABELS) == 0
        ),
        values=(),
        limits=tuple(
            Box(_at(LEFT + step * place), _at(floor - v / chart.top * room), _at(step), 0, "", "")
            for series in chart.limits
            for place, v in enumerate(series.values)
            if v
        ),
    )


def _lying(chart: Chart) -> Drawing:
    """Bars below each other, for things that have names; each with its value in words."""
    inner = WIDTH - NAMES - VALUES

    def bar(place: int, base: float, value: float, series: Series) -> Box:
        x, y = NAMES + base / chart.top * inner, TOP + place * (BAR + GAP)
        long = value / chart.top * inner
        return Box(_at(x), _at(y), _at(long), BAR, series.look, _said(chart, place, series))

    def line(place: int) -> float:
        return TOP + place * (BAR + GAP) + BAR / 2 + 4

    return Drawing(
        TOP * 2 + len(chart.categories) * (BAR + GAP),
        boxes=_stacked(chart, bar),
        scale=(),
        names=tuple(Mark(NAMES - 8, line(p), name) for p, name in enumerate(chart.categories)),
        values=tuple(
            Mark(_at(NAMES + _reach(chart, p) / chart.top * inner + 8), line(p), _value(chart, p))
            for p in range(len(chart.categories))
        ),
        limits=tuple(
            Box(_at(NAMES + v / chart.top * inner), TOP + p * (BAR + GAP) - 4, 0, BAR + 8, "", "")
            for series in chart.limits
            for p, v in enumerate(series.values)
        ),
    )


def _stacked(chart: Chart, box: Callable[[int, float, float, Series], Box]) -> tuple[Box, ...]:
    """A box for every number that is not zero, each on those before it."""
    found = []
    for place in range(len(chart.categories)):
        values = [series.values[place] for series in chart.series]
        bases = accumulate(values, initial=0)
        for base, value, series in zip(bases, values, chart.series, strict=False):
            if value:
                found.append(box(place, base, value, series))
    return tuple(found)


def _reach(chart: Chart, place: int) -> float:
    return max(chart.totals[place], *(series.values[place] for series in chart.limits), 0)


def _value(chart: Chart, place: int) -> str:
    said = chart.told(chart.totals[place])
    return f"{said} of {chart.told(chart.limit.values[place])}" if chart.limit else said


def _said(chart: Chart, place: int, series: Series) -> str:
    return f"{chart.categories[place]}: {series.name} {chart.told(series.values[place])}"


def _at(place: float) -> float:
    return round(place, 1)
