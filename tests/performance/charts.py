"""Small charts as SVG: bars on a logarithmic scale, which HTML labels, and curves on two of them.

What cannot be drawn on such a scale, as a time that is not positive, is left out of a chart; the tables have it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.performance.markup import Markup, tag

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 320, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 26, 10, 30
"""Of a chart of curves: its size and the margins for the labels of its axes, in pixels."""

MOST_TICKS = 5


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale from 0 to 1, which begins and ends at powers of ten."""

    low: int
    high: int

    @classmethod
    def over(cls, values: Iterable[float]) -> "Scale":
        """The scale that has room for all of these that can be drawn."""
        logarithms = [math.log10(value) for value in values if drawable(value)] or [0.0]
        # Nearly a power of ten is taken for one: 0.1 ** 3 is not 0.001.
        low, high = math.floor(min(logarithms) + 1e-9), math.ceil(max(logarithms) - 1e-9)
        return cls(low, max(high, low + 1))

    def place(self, value: float) -> float:
        """Where a value stands; what lies outside stands at the end."""
        return min(1.0, max(0.0, (math.log10(value) - self.low) / (self.high - self.low)))

    def ticks(self) -> list[float]:
        """Powers of ten, evenly spread, at most MOST_TICKS."""
        step = math.ceil((self.high - self.low) / (MOST_TICKS - 1))
        return [10.0**power for power in range(self.low, self.high + 1, step)]


def drawable(value: float | None) -> bool:
    """Whether a logarithmic scale has a place for it."""
    return value is not None and math.isfinite(value) and value > 0


@dataclass(frozen=True)
class Bar:
    """One bar, from `origin` of its chart to `value`, with a tick at `mark`."""

    label: Markup
    value: float | None
    text: str
    kind: str
    """The class of the bar: how it looks."""
    mark: float | None = None


def bars(given: Sequence[Bar], origin: float, unit: Callable[[float], str]) -> Markup:
    """Return bars below each other under one axis. Labels and figures are HTML, so that they stay readable."""
    scale = Scale.over([origin, *(value for bar in given for value in (bar.value, bar.mark) if drawable(value))])
    axis = tag(
        "div",
        *(
            tag("span", unit(tick), style=f"left:{100 * scale.place(tick):.2f}%", class_=_end(scale.place(tick)))
            for tick in scale.ticks()
        ),
        class_="axis",
        aria_hidden="true",
    )
    items = (
        tag(
            "li",
            tag("span", bar.label, class_="label"),
            _bar(bar, scale, origin),
            tag("span", bar.text, class_="figure"),
            class_=bar.kind,
        )
        for bar in given
    )
    head = tag("div", tag("span", class_="label"), axis, tag("span", class_="figure"), class_="head")
    return tag("div", head, tag("ul", *items, role="list"), class_="bars")


def _end(place: float) -> str | None:
    """The class of a tick's label at either end, which has no room on one side."""
    return {0.0: "first", 1.0: "last"}.get(place)


def _bar(bar: Bar, scale: Scale, origin: float) -> Markup:
    lines = [_line(100 * scale.place(tick), "grid") for tick in scale.ticks()]
    drawn = []
    if bar.value is not None and drawable(bar.value):
        begin, end = sorted((100 * scale.place(origin), 100 * scale.place(bar.value)))
        drawn.append(tag("rect", x=f"{begin:.2f}", y=2, width=f"{max(end - begin, 0.6):.2f}", height=8, class_="bar"))
    if bar.mark is not None and drawable(bar.mark):
        drawn.append(_line(100 * scale.place(bar.mark), "mark"))
    return tag("svg", *lines, *drawn, viewBox="0 0 100 12", preserveAspectRatio="none", aria_hidden="true")


def _line(x: float, kind: str) -> Markup:
    return tag("line", x1=f"{x:.2f}", x2=f"{x:.2f}", y1=0, y2=12, class_=kind)


def curves(
    given: Mapping[str, Points], says: str, size: Callable[[float], str], value: Callable[[float], str]
) -> Markup:
    """Return named curves in one chart, by size and value; `says` is for those who don't see it."""
    points = {name: [each for each in points if all(map(drawable, each))] for name, points in given.items()}
    x = Scale.over(place for each in points.values() for place, _ in each)
    y = Scale.over(seconds for each in points.values() for _, seconds in each)
    return tag(
        "svg",
        tag("title", says),
        *(_grid_line(tick, x, size, upright=True) for tick in x.ticks()),
        *(_grid_line(tick, y, value, upright=False) for tick in y.ticks()),
        *(_guide(each, x, y) for each in list(points.values())[:1] if each),
        *(_curve(each, x, y, place) for place, each in enumerate(points.values()) if each),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        class_="curves",
    )


def _grid_line(tick: float, scale: Scale, text: Callable[[float], str], *, upright: bool) -> Markup:
    if upright:
        x = _across(scale.place(tick))
        line = tag("line", x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_="grid")
        return tag("g", line, tag("text", text(tick), x=x, y=HEIGHT - BOTTOM + 18, text_anchor="middle"))
    y = _up(scale.place(tick))
    line = tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
    return tag("g", line, tag("text", text(tick), x=LEFT - 6, y=float(y) + 4, text_anchor="end"))


def _guide(points: Points, x: Scale, y: Scale) -> Markup:
    """Where the curve would go from its first point if it grew in proportion to the size."""
    size, seconds = points[0]
    factor = min(10.0**x.high / size, 10.0**y.high / seconds)
    begin, end = (_across(x.place(size)), _up(y.place(seconds))), (size * factor, seconds * factor)
    return tag("line", x1=begin[0], y1=begin[1], x2=_across(x.place(end[0])), y2=_up(y.place(end[1])), class_="guide")


def _curve(points: Points, x: Scale, y: Scale, place: int) -> Markup:
    """A line and its points: circles on the first curve, squares on the second, so that colour is not needed."""
    at = [(_across(x.place(size)), _up(y.place(seconds))) for size, seconds in points]
    line = tag("polyline", points=" ".join(f"{left},{top}" for left, top in at), class_="line")
    dots = (_dot(left, top, round_=place % 2 == 0) for left, top in at)
    return tag("g", line, *dots, class_=f"curve-{place % 2}")


def _dot(left: str, top: str, *, round_: bool) -> Markup:
    if round_:
        return tag("circle", cx=left, cy=top, r=4, class_="dot")
    return tag("rect", x=float(left) - 4, y=float(top) - 4, width=8, height=8, class_="dot")


def _across(place: float) -> str:
    return f"{LEFT + place * (WIDTH - LEFT - RIGHT):.1f}"


def _up(place: float) -> str:
    return f"{HEIGHT - BOTTOM - place * (HEIGHT - BOTTOM - TOP):.1f}"
