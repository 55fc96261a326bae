"""`socrates usage`: what calls of language models used and cost, per day, model and operation."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Annotated, Any

import typer

from socrates.cli.command import AsJson, Database, answer, answering, require_database, say
from socrates.store import Store
from socrates.views import UsageRow

_User = Annotated[str | None, typer.Option("--user", metavar="NAME", help="Whose calls; default: everybody's.")]
_Days = Annotated[int, typer.Option("--days", metavar="N", min=1, max=36_500, help="How many days (UTC), with today.")]

_COUNTS = ("calls", "failures", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_HEADINGS = ("calls", "failed", "input", "output", "cache read", "cache write")
_UNKNOWN = "-"


def usage(database: Database = None, user: _User = None, days: _Days = 30, as_json: AsJson = False) -> None:
    """Show what calls of language models used and cost, per day, model and operation.

    Calls of which v1 lost the time are left out. Costs are in US dollars, with every digit. Nothing is written but the
    schema of a database that is empty.
    """
    with answering(as_json):
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - timedelta(days=days - 1)
        rows = asyncio.run(_rows(database, user, since))
        total = _total(rows)
        facts = {
            "user": user,
            "days": days,
            "since": since.date().isoformat(),
            "rows": [_as_json(row) for row in rows],
            "total": total | {"cost": format(total["cost"], "f")},
        }
        answer(facts, as_json, lambda: _print(rows, total, f"the last {days} days" if days > 1 else "today", user))


async def _rows(database: str | None, user: str | None, since: datetime) -> tuple[UsageRow, ...]:
    require_database(database)
    async with Store.open(database) as store:
        return await store.llm.usage_table(user_id=user, since=since)


def _total(rows: Sequence[UsageRow]) -> dict[str, Any]:
    counts = {name: sum(getattr(row, name) for row in rows) for name in _COUNTS}
    with localcontext(prec=1000):  # no digit is rounded away
        return {**counts, "cost": sum((row.cost for row in rows), Decimal(0))}


def _as_json(row: UsageRow) -> dict[str, Any]:
    """A row without binary fractions of money: the cost is a text of all its digits."""
    return {
        **asdict(row),
        "day": None if row.day is None else row.day.isoformat(),
        "cost": format(row.cost, "f"),
    }


def _print(rows: Sequence[UsageRow], total: dict[str, Any], span: str, user: str | None) -> None:
    whose = "" if user is None else f" of {user!r}"
    if not rows:
        say(f"No calls{whose} of language models, {span}.")
        return
    say(f"Calls{whose} of language models, {span}")
    lines = [["day (UTC)", "model", "operation", *_HEADINGS, "cost (USD)", "mean latency"], *map(_cells, rows)]
    lines.append(["total", "", "", *(f"{total[name]:,}" for name in _COUNTS), _money(total["cost"]), ""])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        texts, figures = zip(line[:3], widths[:3], strict=True), zip(line[3:], widths[3:], strict=True)
        cells = [*(f"{text:<{width}}" for text, width in texts), *(f"{text:>{width}}" for text, width in figures)]
        say("  ".join(cells).rstrip())


def _cells(row: UsageRow) -> list[str]:
    day = _UNKNOWN if row.day is None else row.day.isoformat()
    latency = _UNKNOWN if row.mean_latency_ms is None else f"{row.mean_latency_ms:,.0f} ms"
    counts = (f"{getattr(row, name):,}" for name in _COUNTS)
    return [day, f"{row.provider}/{row.model}", row.operation or _UNKNOWN, *counts, _money(row.cost), latency]


def _money(cost: Decimal) -> str:
    """At least two digits behind the point, and all that there are."""
    text = format(cost, "f")
    places = len(text.partition(".")[2])
    return text if places >= 2 else f"{cost:.2f}"
