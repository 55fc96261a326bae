"""The report as one page that needs nothing beside itself: totals, ratios, growth, ladders, and every row in a table.

python -m tests.performance.page REPORT.json makes the page of a report anew.
"""

import json
import math
import os
import platform
import re
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from tests.performance.charts import Bar, bars, curves, drawable
from tests.performance.compare import QUICK_ROUNDS, Row
from tests.performance.markup import Markup, join, tag
from tests.performance.targets import NoTarget
from tests.performance.targets import duration as duration_with_space

NO_TARGET = str(NoTarget())
STYLE = Path(__file__).with_suffix(".css")
NARROW = "\u202f"
"""A narrow space at which no line ends."""
OF_BASELINE = " by the baseline"
"""The end of the names of what the baseline cost."""
ENGINES = ("sqlite", "postgres")


def duration(seconds: float) -> str:
    """A time that no line break divides."""
    return duration_with_space(seconds).replace(" ", NARROW)


def write_page(rows: Iterable[Row], path: Path) -> None:
    """Write the rows as a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(list(rows)), encoding="utf-8")


def page(rows: Sequence[Row]) -> str:
    """Return the page, which shows every row."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", "Bench"),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    parts = (_totals(rows), _missed(rows), _ratios(rows), _growth(rows), _ladders(rows), _table(rows))
    body = tag("body", tag("main", tag("h1", "Ours beside the baseline"), *parts))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _totals(rows: Sequence[Row]) -> Markup:
    held = [row for row in rows if row.target != NO_TARGET]
    missed = [row for row in held if not row.holds]
    spreads = [row.spread for row in rows if row.n > 1]
    figures = [
        ("met", len(held) - len(missed), f"of {len(held)} targets met"),
        ("missed" if missed else "met", len(missed), "missed"),
        ("", len(rows) - len(held), "rows without a target"),
        ("", f"{median(spreads) if spreads else 0:.0%}", "spread of ours, in the middle row"),
    ]
    machine = (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()}, "
        f"{os.cpu_count()} cores. Medians of rounds in which both sides took turns, in one process."
    )
    items = (tag("li", tag("b", str(number)), text, class_=kind) for kind, number, text in figures)
    quick = bool(rows) and median(row.n for row in rows) <= QUICK_ROUNDS
    warning = "A quick run: tiny data and two rounds show that the bench runs, and nothing of how fast anything is."
    return join(
        tag("p", tag("strong", warning)) if quick else "",
        tag("p", machine, class_="soft"),
        tag("ul", *items, class_="totals", role="list"),
    )


def _missed(rows: Sequence[Row]) -> Markup:
    missed = [row for row in rows if not row.holds]
    if not missed:
        return Markup()
    items = (tag("li", _link(row), f": {_reached(row)}, {row.target}") for row in missed)
    return tag("section", tag("h2", "Targets that are missed"), tag("ul", *items))


def _reached(row: Row) -> str:
    """What the row has of what its target asks: a ratio, or a time."""
    about_time = row.least_speedup is None and not row.points and not _is_share(row)
    return duration(row.ours_seconds) if about_time else _ratio(row)


def _ratios(rows: Sequence[Row]) -> Markup:
    """The rows with two sides, as times faster; the marks are at what the targets ask."""
    compared = [row for row in rows if _has_two_sides(row)]
    asked = [row for row in compared if row.target != NO_TARGET]
    free = [row for row in compared if row.target == NO_TARGET]
    if not compared:
        return Markup()
    return tag(
        "section",
        tag("h2", "How many times faster"),
        tag(
            "p",
            "The baseline's time divided by ours, on a logarithmic scale: to the right of 1 × ours is faster. The line "
            "across a bar is the least that its target asks, where that is not a time; a hollow bar misses its target.",
        ),
        *(
            part
            for title, group in (("With a target", asked), ("Without a target", free))
            if group
            for part in (tag("h3", title), bars([_ratio_bar(row) for row in group], 1.0, _times))
        ),
    )


def _ratio_bar(row: Row) -> Bar:
    speedup = _speedup(row)
    kind = "free" if row.target == NO_TARGET else "met" if row.holds else "missed"
    return Bar(_link(row), speedup, f"{_sign(row)} {_times(speedup)}".strip(), kind, row.least_speedup)


def _has_two_sides(row: Row) -> bool:
    return row.baseline_seconds is not None and not row.points and not _is_share(row) and row.rung is None


def _is_share(row: Row) -> bool:
    return row.target.endswith("%")


def _speedup(row: Row) -> float:
    beside = row.baseline_seconds
    return beside / row.ours_seconds if beside is not None and row.ours_seconds else math.nan


def _growth(rows: Sequence[Row]) -> Markup:
    groups: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.points:
            name, _, engine = row.id.rpartition("-")
            of_engine = engine in ENGINES
            groups.setdefault(name if of_engine else row.id, {})[engine if of_engine else "ours"] = row
    if not groups:
        return Markup()
    return tag(
        "section",
        tag("h2", "Growth"),
        tag(
            "p",
            "The time of one call by the size, both on logarithmic scales. A level curve does not grow; the dotted "
            "line is what grows in proportion. The exponent is the slope.",
        ),
        tag("div", *map(_growth_chart, groups.values()), class_="charts"),
    )


def _growth_chart(group: dict[str, Row]) -> Markup:
    first_engine, first = next(iter(group.items()))
    title = first.what.removesuffix(f", {first_engine}")
    points = {engine: row.points for engine, row in group.items()}
    says = f"{title}: " + "; ".join(f"{engine} {_ratio(row)}" for engine, row in group.items())
    keys = (
        tag(
            "span",
            f"{engine}: {_ratio(row)}, ",
            tag("span", _verdict(row), class_="verdict"),
            class_=f"key key-{place % 2} {_kind(row)}",
        )
        for place, (engine, row) in enumerate(group.items())
    )
    sizes = sorted({size for row in group.values() for size, _ in row.points})
    table = tag(
        "table",
        tag("thead", tag("tr", tag("th", "size", scope="col"), *(tag("th", name, scope="col") for name in group))),
        tag(
            "tbody",
            *(
                tag(
                    "tr",
                    tag("th", f"{size:,}", scope="row"),
                    *(tag("td", duration(at[size]) if size in at else "") for at in map(dict, points.values())),
                )
                for size in sizes
            ),
        ),
    )
    return tag(
        "figure",
        tag("figcaption", tag("b", title), *keys),
        curves(points, says, _short, duration),
        tag("details", tag("summary", "Figures"), table),
    )


def _ladders(rows: Sequence[Row]) -> Markup:
    ladders: dict[str, list[tuple[str, Row]]] = {}
    for row in rows:
        if row.rung is not None:
            ladders.setdefault(row.rung[0], []).append((row.rung[1], row))
    if not ladders:
        return Markup()
    return tag(
        "section",
        tag("h2", "What each layer adds"),
        tag(
            "p",
            "The time of one read on each rung, on a logarithmic scale, and how many times the bare driver's that is.",
        ),
        *(part for name, rungs in ladders.items() for part in (tag("h3", name), bars(_rungs(rungs), 1e-6, duration))),
    )


def _rungs(rungs: Sequence[tuple[str, Row]]) -> list[Bar]:
    lowest = rungs[0][1].baseline_seconds
    first = Bar(join("raw sqlite3"), lowest, "" if lowest is None else duration(lowest), "free")
    return [
        first,
        *(
            Bar(
                tag("a", name, href=f"#{_anchor(row)}"),
                row.ours_seconds,
                f"{duration(row.ours_seconds)}, {_times(1 / _speedup(row) if _speedup(row) else math.nan)}",
                "rung",
            )
            for name, row in rungs
        ),
    ]


COLUMNS = (
    "Ours",
    "Baseline",
    "Ratio",
    "Target",
    "Met",
    "Spread, ours",
    "Spread, baseline",
    "Rounds",
    "Besides time, one call",
)


def _table(rows: Sequence[Row]) -> Markup:
    caption = (
        "Of a growth, ours is the time at the largest size, the baseline that at the smallest. "
        "The spread is that of the rounds, from the 10th percentile to the 90th, as a share of the median."
    )
    head = tag("tr", *(tag("th", name, scope="col", role="columnheader") for name in ("What", *COLUMNS)), role="row")
    return tag(
        "section",
        tag("h2", "All rows"),
        tag(
            "table",
            tag("caption", caption),
            tag("thead", head, role="rowgroup"),
            tag("tbody", *map(_table_row, rows), role="rowgroup"),
            class_="rows",
            role="table",  # said again, because the narrow form takes it away
        ),
    )


def _table_row(row: Row) -> Markup:
    cells = (
        duration(row.ours_seconds),
        "" if row.baseline_seconds is None else duration(row.baseline_seconds),
        _ratio(row),
        re.sub(r"(?<=\d) ", NARROW, row.target),
        tag("span", _verdict(row), class_="verdict") if _verdict(row) else "",
        f"{row.spread:.0%}" if row.n > 1 else "",
        f"{row.baseline_spread:.0%}" if row.n > 1 and row.baseline_spread is not None else "",
        str(row.n),
        _lines(_counts(row)),
    )
    return tag(
        "tr",
        tag("th", row.what, " ", tag("code", row.id), scope="row", role="rowheader"),
        *(tag("td", cell, role="cell", data_label=name) for name, cell in zip(COLUMNS, cells, strict=True)),
        id=_anchor(row),
        class_=_kind(row),
        role="row",
    )


def _counts(row: Row) -> list[str]:
    """What a call cost besides time; the baseline's counts stand behind ours."""
    beside = {f"{name}{OF_BASELINE}" for name in row.counts} & row.counts.keys()
    return [
        f"{number:,} {name}"
        + (f"; baseline {row.counts[name + OF_BASELINE]:,}" if name + OF_BASELINE in beside else "")
        for name, number in row.counts.items()
        if name not in beside
    ]


def _lines(texts: Sequence[str]) -> Markup:
    return join(*(piece for place, text in enumerate(texts) for piece in ([tag("br"), text] if place else [text])))


def _link(row: Row) -> Markup:
    return tag("a", row.what, href=f"#{_anchor(row)}")


def _anchor(row: Row) -> str:
    """A name for the row's place on the page: an id has no space and may be part of a link."""
    return "row-" + "".join(letter if letter.isalnum() else f"_{ord(letter):x}_" for letter in row.id)


def _kind(row: Row) -> str:
    return "free" if row.target == NO_TARGET else "met" if row.holds else "missed"


def _sign(row: Row) -> str:
    return {"met": "✓", "missed": "✗", "free": ""}[_kind(row)]


def _verdict(row: Row) -> str:
    return {"met": "✓ met", "missed": "✗ missed", "free": ""}[_kind(row)]


def _ratio(row: Row) -> str:
    """The row's ratio with what it is a ratio of."""
    if row.ratio is None:
        return ""
    if row.points:
        return f"exponent {row.ratio:.3f}"
    if _is_share(row):
        return f"{row.ratio:.1%}"
    faster = math.isclose(row.ratio, _speedup(row), rel_tol=1e-6)
    return f"{_times(row.ratio)} {'faster' if faster else 'the time'}"


def _times(factor: float) -> str:
    if not drawable(factor):
        return "no ratio"
    return (f"{factor:,.0f} ×" if factor >= 100 else f"{factor:.3g} ×").replace(" ", NARROW)


def _short(size: float) -> str:
    return f"{size / 1e6:g} M" if size >= 1e6 else f"{size / 1e3:g} k" if size >= 1e3 else f"{size:g}"


if __name__ == "__main__":
    report = Path(sys.argv[1])
    write_page([Row(**row) for row in json.loads(report.read_text(encoding="utf-8"))], report.with_suffix(".html"))
