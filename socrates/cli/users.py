"""`socrates users`: what a person may ask of an owner of a database: all that is held, to be forgotten, a tier."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from socrates.cli.command import AsJson, Database, Yes, answer, answering, require_consent, require_database, say
from socrates.cli.copies import copies_beside
from socrates.config import Settings
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import DatabaseError, InvalidValueError
from socrates.personal import V1_TABLES, DeletedUser, Erasure, ErasurePlan
from socrates.rules.subscription import tiers
from socrates.store import Store, UnitOfWork

app = typer.Typer(help="Export or erase what is held on a person; give somebody another tier.", no_args_is_help=True)

_T = TypeVar("_T")

_Name = Annotated[str, typer.Argument(help="The user's name.")]
_Output = Annotated[Path | None, typer.Option("--output", "-o", help="A file to write, which nobody else may read.")]
_KeepV1 = Annotated[
    bool, typer.Option("--keep-v1-backup", help="Delete the user even though v1's own tables keep everything.")
]


@app.command("export")
def export_(name: _Name, database: Database = None, output: _Output = None) -> None:
    """Write everything that is held on a person as one JSON object. Hashes and keys are withheld."""
    with answering(as_json=False):
        held = asyncio.run(_in_store(database, lambda store: store.transact(lambda unit: unit.users.export(name))))
        text = json.dumps(held, indent=2)
        if output is None:
            typer.echo(text)
        else:
            _write_private(output, text + "\n")
            say(f"Written: {output} ({sum(map(len, held['tables'].values())):,} rows)", err=True)


@app.command()
def delete(
    name: _Name, database: Database = None, keep_v1_backup: _KeepV1 = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Delete a user for good, and put a pseudonym in place of the name in what stays. Says first what that means.

    Refused while v1's own tables, which keep everything, stand beside the new ones.
    """
    with answering(as_json):
        plan = asyncio.run(_in_store(database, lambda store: store.users.erasure_plan(name)))
        if not as_json:
            _print_plan(plan)
        _require_no_v1_tables(plan, keep_v1_backup)
        require_consent(f"Delete {name!r}? Nothing brings the user back.", yes, as_json)

        async def erase(unit: UnitOfWork) -> DeletedUser:
            return await unit.users.delete_permanently(name)

        copies = _copies(database)  # before anything is deleted: one that cannot be read refuses all of it
        done = asyncio.run(_in_store(database, lambda store: store.transact(erase)))
        facts = {**asdict(done), "files": [str(path) for path in copies]}
        answer(facts, as_json, lambda: _print_done(done, copies))


@app.command()
def tier(
    name: _Name,
    tier: Annotated[str, typer.Argument(help="free, pro or enterprise.")],
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give a user another subscription, active from now on and without an end."""
    with answering(as_json):
        names, tier = [each.name for each in tiers()], tier.lower()
        if tier not in names:
            raise InvalidValueError(f"there is no tier {tier!r}: there are {', '.join(names)}. Nothing was changed")
        asyncio.run(_in_store(database, lambda store: store.transact(lambda unit: _subscribe(unit, name, tier))))
        answer({"username": name, "tier": tier}, as_json, lambda: say(f"{name!r} is on the tier {tier} now."))


async def _subscribe(unit: UnitOfWork, name: str, tier: str) -> None:
    await unit.users.update(
        name,
        subscription_tier=tier,
        subscription_status="active",
        subscription_start=datetime.now(UTC),
        subscription_end=None,
    )


async def _in_store(database: str | None, work: Callable[[Store], Awaitable[_T]]) -> _T:
    require_database(database)
    async with Store.open(database) as store:
        return await work(store)


def _require_no_v1_tables(plan: ErasurePlan, keep_v1_backup: bool) -> None:
    found = next((place for place in plan.erasure.remains if place.what == V1_TABLES), None)
    if found is not None and not keep_v1_backup:
        raise DatabaseError(
            f"{found.what} would keep everything that v1 held on {plan.username!r}: {found.remedy}. To delete the user "
            "all the same, say --keep-v1-backup. Nothing was changed."
        )


def _copies(database: str | None) -> list[Path]:
    """The copies beside a SQLite file: each may hold the person still."""
    path = sqlite_path(database_url(Settings(), database))
    return [] if path is None else copies_beside(path)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, and that bears its name only when it is whole. Raises OSError."""
    partial = path.with_name(f"{path.name}.partial")
    handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _print_plan(plan: ErasurePlan) -> None:
    say(f"Deleting {plan.username!r} would")
    _print_projects(plan, "hand over", "delete")
    _print_figures(plan.erasure, "delete", "make pseudonymous")
    for place in plan.erasure.remains:
        say(f"What remains: {place.what}{_rows(place.rows)}: {place.remedy}")


def _print_done(done: DeletedUser, copies: list[Path]) -> None:
    say(f"{done.username!r} is deleted; {done.pseudonym!r} stands in place of the name.")
    _print_projects(done, "handed over", "deleted")
    _print_figures(done.erasure, "deleted", "made pseudonymous")
    for place in done.erasure.remains:
        say(f"Remains: {place.what}{_rows(place.rows)}: {place.remedy}")
    for path in copies:
        say(f"Remains: a copy that may hold the person still: {path}")


def _print_projects(of: ErasurePlan | DeletedUser, hand_over: str, delete_: str) -> None:
    for project, heir in of.transferred:
        say(f"  {hand_over}: project {project!r} to {heir!r}")
    for project in of.deleted_projects:
        say(f"  {delete_}: project {project!r}")


def _print_figures(erasure: Erasure, delete_: str, rename: str) -> None:
    for what, counts in ((delete_, erasure.deleted), (rename, erasure.made_pseudonymous)):
        for place, rows in counts:
            say(f"  {what}: {place}{_rows(rows)}")


def _rows(rows: int | None) -> str:
    if rows is None:
        return ""
    return " (1 row)" if rows == 1 else f" ({rows:,} rows)"
