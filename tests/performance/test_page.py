"""The page of the report: all of it there, nothing from elsewhere, and nothing that a name could break."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.performance.charts import Bar, Scale, bars, curves
from tests.performance.compare import Row, write_report
from tests.performance.markup import Markup, join, tag
from tests.performance.page import COLUMNS, page, write_page
from tests.performance.targets import AtLeast, AtMost, NoTarget, ShareOver, Under, least_speedup
from tests.support.migrate import REPOSITORY

HOSTILE = """</title><script>alert(1)</script><img src=x onerror=alert(2)> " onmouseover='alert(3)' &amp;"""

HELD = Row("list", "a list", 0.001, 0.025, 25.0, "at least 25 ×", True, 9, 0.1, 0.2, least_speedup=25.0)
MISSED = Row("save", "a save", 0.002, 0.004, 2.0, "at least 4 ×", False, 9, 0.1, 0.2, least_speedup=4.0)
ALONE = Row("hit", "a hit", 4e-6, None, None, "under 10 µs", True, 9, 0.1)
FREE = Row("many", "many", 0.002, 0.001, 2.0, "none", True, 9, 0.1, 0.3, counts={"statements": 1, "hops": 2})
SHARE = Row("hits", "hits", 0.002, 0.001, 0.62, "over 60%", True, 9, 0.1)
SIZES = ((1_000, 0.001), (5_000, 0.0011), (20_000, 0.001), (100_000, 0.0012))
GROWTH = [
    Row(f"growth-{engine}", f"grow, {engine}", 0.0012, 0.001, 0.03, "exponent under 0.1", True, 9, 0.1, points=SIZES)
    for engine in ("sqlite", "postgres")
]
RUNG = Row("read-core", "read: Core", 5e-5, 5e-6, 10.0, "none", True, 9, 0.1, rung=("one read", "Core"))
ROWS = [HELD, MISSED, ALONE, FREE, SHARE, *GROWTH, RUNG]

VOID = {"meta", "br"}
LINKING = {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}


class Reader(HTMLParser):
    """What a page consists of; it fails where elements are not closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.elements if tag == name)


def table_row(text: str, id: str) -> str:
    """The part of a page that is the table's row of this id."""
    (found,) = re.findall(rf'<tr id="row-{id}".*?</tr>', text, flags=re.S)
    return str(found)


def cells(text: str, id: str) -> dict[str, str]:
    """What the table says of a row, by column."""
    found = re.findall(r'data-label="([^"]+)">(.*?)</td>', table_row(text, id))
    return {name: re.sub("<[^>]+>", " ", cell).strip().replace("\u202f", " ") for name, cell in found}


def test_nothing_comes_from_elsewhere() -> None:
    text = page(ROWS)
    for _, attributes in Reader(text).elements:
        for name in attributes.keys() & LINKING:
            assert str(attributes[name]).startswith("#"), attributes
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert not list(Reader(text).named("script"))


def test_every_row_is_in_the_table_with_both_sides() -> None:
    text = page(ROWS)
    for row in ROWS:
        assert row.what in table_row(text, row.id.replace("-", "_2d_"))
    assert cells(text, "list") == dict(
        zip(COLUMNS, ["1 ms", "25 ms", "25 × faster", "at least 25 ×", "✓ met", "10%", "20%", "9", ""], strict=True)
    )
    assert cells(text, "many")["Ratio"] == "2 × the time"
    assert cells(text, "many")["Besides time, one call"] == "1 statements 2 hops"
    counted = replace(FREE, counts={"bytes read": 1_000, "bytes read by the baseline": 2_000})
    assert cells(page([counted]), "many")["Besides time, one call"] == "1,000 bytes read; baseline 2,000"
    assert cells(text, "hits")["Ratio"] == "62.0%"
    assert cells(text, "growth_2d_sqlite")["Ratio"] == "exponent 0.030"
    assert (cells(text, "hit")["Baseline"], cells(text, "hit")["Ratio"]) == ("", "")


def test_a_missed_target_is_said_in_words_and_stands_on_top() -> None:
    text = page(ROWS)
    assert "✗ missed" in table_row(text, "save")
    assert "✗ missed" not in table_row(text, "list")
    assert text.index("Targets that are missed") < text.index("How many times faster")
    (found,) = re.findall(r"Targets that are missed</h2><ul>(.*?)</ul>", text)
    assert re.findall(r"<a [^>]*>([^<]*)</a>", found) == ["a save"]
    assert re.search(r"✗ 2\s×", text)  # beside its bar


def test_a_missed_time_is_said_as_a_time() -> None:
    late = replace(ALONE, ours_seconds=2e-5, baseline_seconds=0.1, ratio=5000.0, holds=False)
    assert re.search(r"a hit</a>: 20\sµs, under 10 µs", page([late]))


def test_without_a_miss_nothing_is_said_of_one() -> None:
    text = page([row for row in ROWS if row is not MISSED])
    assert "Targets that are missed" not in text
    assert "✗" not in text


def test_names_that_are_hostile_stay_text() -> None:
    rows = [
        replace(row, id=f"{row.id}{HOSTILE}", what=HOSTILE, target=row.target + HOSTILE * (row is ALONE))
        for row in ROWS
    ]
    rows.append(replace(RUNG, id=HOSTILE, rung=(HOSTILE, HOSTILE), counts={HOSTILE: 1}))
    reader = Reader(page(rows))
    assert {name for name, _ in reader.elements} == {name for name, _ in Reader(page(ROWS)).elements}
    assert all(not name.startswith("on") for _, attributes in reader.elements for name in attributes)
    assert HOSTILE in reader.texts


def test_links_lead_to_rows() -> None:
    reader = Reader(page([*ROWS, replace(HELD, id='a b/c"')]))
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) == len(ROWS) + 1
    assert {str(attributes["href"])[1:] for attributes in reader.named("a")} <= set(ids)


def test_tables_have_headers_and_drawings_have_names() -> None:
    text = page(ROWS)
    reader = Reader(text)
    assert next(reader.named("html"))["lang"] == "en"
    for table in re.findall(r"<table.*?</table>", text, flags=re.S):
        assert table.count('scope="col"') >= 2
        assert table.count('scope="row"') == table.count("<tr") - 1
    for drawing in re.findall(r"<svg.*?</svg>", text, flags=re.S):
        assert "<title>" in drawing or 'aria-hidden="true"' in drawing


def test_the_two_engines_share_a_chart_and_differ_in_more_than_colour() -> None:
    text = page(ROWS)
    (chart,) = re.findall(r"<figure.*?</figure>", text, flags=re.S)
    assert chart.count("<polyline") == 2
    assert chart.count("<circle") == chart.count("<rect") == len(SIZES)
    assert "sqlite: exponent 0.030" in chart
    assert "postgres: exponent 0.030" in chart
    assert "<b>grow</b>" in chart
    for size, _ in SIZES:
        assert f"{size:,}" in chart


def test_a_ladder_begins_with_its_lowest_rung() -> None:
    (ladder,) = re.findall(r"<h3>one read</h3>(.*?)</section>", page(ROWS), flags=re.S)
    assert ladder.index("raw sqlite3") < ladder.index("Core")
    assert re.search(r"50\sµs, 10\s×", ladder)


def test_only_what_has_two_sides_is_a_bar() -> None:
    (part,) = re.findall(r"How many times faster(.*?)</section>", page(ROWS), flags=re.S)
    assert re.findall(r'href="#row-([^"]+)"', part) == ["list", "save", "many"]
    assert part.count('class="mark"') == 2
    assert re.search(r"0.5\s×", part)  # twice the time is half as fast


@pytest.mark.parametrize("value", [0.0, -1e-6, math.nan, math.inf])
def test_what_no_logarithm_takes_is_shown_and_not_drawn(value: float) -> None:
    odd = replace(HELD, ours_seconds=value, ratio=value)
    growing = replace(GROWTH[0], points=((1_000, value), (2_000, 0.001)))
    rung = replace(RUNG, ours_seconds=value)
    text = page([odd, growing, rung])
    assert "list" in table_row(text, "list")
    drawings = re.findall(r"<svg.*?</svg>", text, flags=re.S)
    assert all("nan" not in drawing and "inf" not in drawing for drawing in drawings)


def test_a_quick_run_says_that_its_figures_mean_nothing() -> None:
    assert "A quick run" in page([FREE, *(replace(row, n=2) for row in ROWS)])
    assert "A quick run" not in page([replace(HELD, n=1), *ROWS])


def test_a_run_without_rows_makes_a_page() -> None:
    assert "0" in page([])


def test_the_page_and_the_report_are_of_the_same_rows(tmp_path: Path) -> None:
    write_report(ROWS, tmp_path / "deep" / "report.json")
    write_page(ROWS, tmp_path / "deep" / "report.html")
    first = (tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "tests.performance.page", str(tmp_path / "deep" / "report.json")]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    assert (tmp_path / "deep" / "report.html").read_text(encoding="utf-8") == first
    written = json.loads((tmp_path / "deep" / "report.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in written] == [row.id for row in ROWS]
    assert written[0] == json.loads(json.dumps(asdict(HELD)))


def test_a_quick_run_makes_a_page_beside_its_report(tmp_path: Path) -> None:
    report = tmp_path / "quick.json"
    command = [sys.executable, "-m", "pytest", "tests/performance/bench_ladder.py", "--quick", "-p", "no:cacheprovider"]
    command.append(f"--bench-report={report}")
    # Without what pytest-xdist told this process, or else pytest-benchmark would think itself inside a worker.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(command, check=False, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    text = report.with_suffix(".html").read_text(encoding="utf-8")
    for row in json.loads(report.read_text(encoding="utf-8")):
        assert f"<code>{row['id']}</code>" in text
    assert "raw sqlite3" in text


def test_a_scale_has_room_for_all_and_ends_at_powers_of_ten() -> None:
    scale = Scale.over([0.002, 30, 0, -1, math.nan])
    assert (scale.low, scale.high) == (-3, 2)
    assert scale.place(0.001) == 0
    assert scale.place(100) == pytest.approx(1)
    assert scale.place(math.sqrt(1e-3 * 100)) == pytest.approx(0.5)
    assert Scale.over([0.1**3, 10]) == Scale(-3, 1)
    assert Scale.over([]) == Scale(0, 1)
    assert len(Scale(-9, 9).ticks()) <= 5


def test_a_bar_goes_from_the_origin_to_its_value() -> None:
    faster, slower = Bar(join("a"), 10.0, "10", "met", mark=100.0), Bar(join("b"), 0.1, "0.1", "met")
    drawn = re.findall(r'<rect x="([^"]+)" y="2" width="([^"]+)"', bars([faster, slower], 1.0, str))
    # From 0.1 to 100, 1 is a third of the way.
    assert [(float(x), float(width)) for x, width in drawn] == [(33.33, 33.33), (0.0, 33.33)]


def test_a_curve_that_grows_in_proportion_lies_on_its_guide() -> None:
    drawn = curves({"a": [(10, 1e-3), (100, 1e-2), (1000, 1e-1)]}, "a", str, str)
    (line,) = re.findall(r'polyline points="([^"]+)"', drawn)
    (guide,) = re.findall(r'<line x1="([^"]+)" y1="([^"]+)" x2="([^"]+)" y2="([^"]+)" class="guide"', drawn)
    first, *_, last = line.split()
    assert (f"{guide[0]},{guide[1]}", f"{guide[2]},{guide[3]}") == (first, last)


def test_only_markup_is_taken_as_it_is() -> None:
    assert tag("p", "<b>", tag("b", "&"), title='"') == '<p title="&quot;">&lt;b&gt;<b>&amp;</b></p>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert (
        tag("i", class_="x", data_label=1, hidden=True, open=False, id=None)
        == '<i class="x" data-label="1" hidden></i>'
    )
    assert join("<", Markup("<br>")) == "&lt;<br>"


def test_the_least_speedup_of_a_target() -> None:
    targets = (AtLeast(4), AtMost(4), Under(1), NoTarget(), ShareOver(0.5))
    assert [least_speedup(target) for target in targets] == [4, 0.25, None, None, None]
