"""The figures of a user's deletion, and the pseudonym in what the person wrote in other people's projects."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, Table, bindparam, exists, false, func, literal_column, or_, select, union_all, update

from socrates.models import BackupChange, ImportRun
from socrates.personal import V1_TABLES, Erasure, Remains
from socrates.repositories.base import Repository, table, with_next
from socrates.repositories.personal_data import (
    DOOMED,
    PLACES,
    TABLES,
    Fate,
    Place,
    hangs_on,
    is_part_of_a_project,
    places_in,
)
from socrates.repositories.user_export import mentioned, mentions

_DROP = "drop v1's tables before the user is deleted: socrates db drop-v1-backup"
_REMEDY = {
    Fate.ACCOUNT: f"a check needs it while v1's tables are there: {_DROP}",
    Fate.KEPT: "the only copy of what could not be imported; a check misses rows that somebody takes out",
}

_runs, _changes = table(ImportRun), table(BackupChange)
_ABOUT_V1 = (
    select(
        _runs.c.options,
        exists().where(_changes.c.run_id == _runs.c.id, _changes.c.kind == "dropped").label("is_dropped"),
    )
    .order_by(_runs.c.id.desc())
    .limit(1)
)

_WITH_THE_USER = (Fate.PSEUDONYM, Fate.ACCOUNT)


def _counts() -> Any:
    """One statement that counts all rows, and values that are the name: what is counted, and how many."""
    return union_all(
        *(_count_of(of.name, of, _is_deleted(of)) for of in TABLES if _loses_rows(of)),
        *(
            _count_of(place.name, place.table, place.is_the_name, ~hangs_on(place.table, DOOMED))
            for place in PLACES
            if place.renaming is None and place.fate not in (Fate.DELETED, Fate.OWNED)
        ),
    )


def _count_of(what: str, of: Table, *conditions: Any) -> Any:
    return (
        select(literal_column(f"'{what}'").label("what"), func.count().label("rows")).select_from(of).where(*conditions)
    )


def _loses_rows(of: Table) -> bool:
    return is_part_of_a_project(of) or bool(places_in(of, Fate.DELETED))


def _is_deleted(of: Table) -> Any:
    return or_(false(), hangs_on(of, DOOMED), *(place.is_the_name for place in places_in(of, Fate.DELETED)))


def _candidates(place: Place) -> Select[Any]:
    return select(*place.table.primary_key, place.column.label("value")).where(
        mentions(place), ~hangs_on(place.table, DOOMED)
    )


def _renamed_by_key(place: Place) -> Any:
    is_row = (column == bindparam(f"of_{column.name}") for column in place.table.primary_key)
    value = bindparam("renamed", type_=place.column.type)
    return with_next(update(place.table).where(*is_row).values({place.column: value}))


_COUNTS = _counts()
_WITHIN = {place: _candidates(place) for place in PLACES if place.renaming is not None}
_RENAME_WITHIN = {place: _renamed_by_key(place) for place in _WITHIN if place.fate in _WITH_THE_USER}
_RENAME = {
    place: with_next(update(place.table).where(place.is_the_name).values({place.column: bindparam("pseudonym")}))
    for place in PLACES
    if place.renaming is None and place.fate in _WITH_THE_USER
}


def new_pseudonym() -> str:
    """A name that nobody has, and that tells nothing of the one it takes the place of."""
    return f"deleted-user-{uuid4().hex}"


class UserErasure(Repository):
    """What a deletion would do, counted; and the part of it that changes what stays."""

    async def _erasure(self, username: str, v1_is_here: bool) -> Erasure:
        """What deleting this user does to the rows that are there now."""
        counts = {row.what: row.rows for row in await self._rows(_COUNTS, username=username)}
        for place in _WITHIN:
            counts[place.name] = len(await self._renamed(place, username, new_pseudonym()))
        deleted = [(of.name, counts[of.name]) for of in TABLES if of.name in counts]
        changed = [(place.name, counts[place.name]) for place in _changing(v1_is_here)]
        return Erasure(_filled(deleted), _filled(changed), tuple(_remains(counts, v1_is_here)))

    async def _make_pseudonymous(self, username: str, pseudonym: str, v1_is_here: bool) -> None:
        """Put the pseudonym wherever the name stands and stays; the rows that go are gone already."""
        for place in _changing(v1_is_here):
            if place in _RENAME:
                await self._write(_RENAME[place], username=username, pseudonym=pseudonym)
            else:
                await self._write_many(_RENAME_WITHIN[place], await self._renamed(place, username, pseudonym))

    async def _renamed(self, place: Place, username: str, pseudonym: str) -> list[dict[str, Any]]:
        """The keys of the rows that name the person within this column, with the value that it gets."""
        assert place.renaming is not None  # noqa: S101 - for the type checker: it is one of _WITHIN
        found = []
        for row in await self._rows(_WITHIN[place], username=username, **mentioned(username)):
            if place.names(row.value, username):
                key = {f"of_{column.name}": getattr(row, column.name) for column in place.table.primary_key}
                found.append({**key, "renamed": place.renaming(row.value, username, pseudonym)})
        return found

    async def _v1_is_here(self) -> bool:
        """Whether v1's own tables stand beside the new ones."""
        about = await self._row(_ABOUT_V1)
        return about is not None and about.options.get("v1") is None and not about.is_dropped


def _changing(v1_is_here: bool) -> list[Place]:
    fates = (Fate.PSEUDONYM,) if v1_is_here else _WITH_THE_USER
    return [place for place in PLACES if place.fate in fates]


def _filled(counts: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((what, rows) for what, rows in counts if rows))


def _remains(counts: dict[str, int], v1_is_here: bool) -> Iterable[Remains]:
    if v1_is_here:
        yield Remains(V1_TABLES, None, _DROP)
    fates = (Fate.ACCOUNT, Fate.KEPT) if v1_is_here else (Fate.KEPT,)
    for place in PLACES:
        if place.fate in fates and counts[place.name]:
            yield Remains(place.name, counts[place.name], _REMEDY[place.fate])
