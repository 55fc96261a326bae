"""`socrates db copy`: a whole database into an empty one, from either engine to either."""

from typing import Annotated, Any

import typer

from socrates.cli.command import AsJson, answer, answering, interruptible, say
from socrates.cli.migration_report import progress_bar
from socrates.config import Settings
from socrates.database.copying.copy import Copy, opened_copy
from socrates.database.urls import database_url
from socrates.v1.exclusive import uninterrupted

app = typer.Typer()

_V1_TABLES = "_v1_backup"


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The URL or path of a database at the newest schema.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="One that is missing, empty, or holds no row.")],
    as_json: AsJson = False,
) -> None:
    """Copy a database into another one, SQLite or PostgreSQL, and compare every value before it is kept."""
    made: list[Copy] = []

    def state() -> str:
        return "but it was done already" if made and made[0].committed else "nothing was copied"

    with answering(as_json), interruptible(as_json, state):
        settings = Settings()
        urls = database_url(settings, source), database_url(settings, target)
        with opened_copy(*urls, settings) as copying:
            made.append(copying)
            with progress_bar() as progress:
                copying.run(progress)
            facts = _facts(copying)
            with uninterrupted():
                copying.commit()
        answer(facts, as_json, lambda: _print(facts))


def _facts(copying: Copy) -> dict[str, Any]:
    return {
        "from": copying.source.shown,
        "to": copying.target.shown,
        "rows": copying.rows,
        "seconds": round(copying.seconds, 3),
        "stayed_behind": list(copying.source.other_tables()),
    }


def _print(facts: dict[str, Any]) -> None:
    for table, count in facts["rows"].items():
        if count:
            say(f"  {table}: {count:,}")
    total = sum(facts["rows"].values())
    say(f"{total:,} rows copied to {facts['to']}. Every value was read back and compared. {facts['seconds']:.2f} s.")
    stayed = facts["stayed_behind"]
    if stayed:
        say(f"These tables stayed behind in {facts['from']}: {', '.join(stayed)}")
    if any(name.endswith(_V1_TABLES) for name in stayed):
        say("v1's own tables are among them: a downgrade works only there, so keep that database.")
