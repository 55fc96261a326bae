"""The later proof that an import lost nothing (design, Migrations).

`check_source` proves that v1's tables still convert to the digests the import kept; `changes_since` compares those
digests with what the new tables hold now.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from socrates.errors import DamagedRecordError
from socrates.v1.digest import digest
from socrates.v1.importer import convert
from socrates.v1.layout import LATER_TABLES, TABLES_OF, Rows
from socrates.v1.ledger import Run, blanked_digests, deleted_keys, digests_of, quarantine_key
from socrates.v1.quarantine import Released, fingerprint_of, released, waiting
from socrates.v1.reader import SourceRow, V1Reader
from socrates.v1.target import Target
from socrates.v1.times import Zone

_KEYS_PER_STEP = 50
_NAMED = 20
_CUT_SHORT = (
    "SELECT id FROM projects WHERE message_count > (SELECT count(*) FROM conversation_messages WHERE project_id = id)"
    " ORDER BY id"
)


@dataclass(slots=True)
class Keys:
    """A number of rows, and the first few of their keys."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, table: str, key: str) -> None:
        self.count += 1
        if len(self.first) < _NAMED:
            self.first.append(f"{table} {key!r}")

    def as_json(self) -> dict[str, Any]:
        return {"count": self.count, "first": self.first}

    def __str__(self) -> str:
        if not self.count:
            return "none"
        more = f" and {self.count - len(self.first)} more" if self.count > len(self.first) else ""
        return f"{self.count}: {', '.join(self.first)}{more}"


@dataclass(slots=True)
class Changes:
    """How the new tables differ from what was imported."""

    equal: int = 0
    added: Keys = field(default_factory=Keys)
    changed: Keys = field(default_factory=Keys)
    deleted: Keys = field(default_factory=Keys)
    """Rows that somebody deleted since, by a call of ours."""
    missing: Keys = field(default_factory=Keys)
    """Rows that are not there, and that nobody deleted; and projects of whose messages some are not there, under
    `conversation_messages`: no call of ours deletes one."""

    @property
    def any(self) -> bool:
        return bool(self.added.count or self.changed.count or self.deleted.count or self.missing.count)

    def __str__(self) -> str:
        return f"added {self.added}; changed {self.changed}; deleted {self.deleted}; missing {self.missing}"


@dataclass(slots=True)
class SourceCheck:
    """Whether v1's rows still convert to what was imported."""

    equal: int = 0
    blanked: Keys = field(default_factory=Keys)
    """API keys that a command of ours blanked; the rest of these rows still is what was imported."""
    differing: Keys = field(default_factory=Keys)
    missing: Keys = field(default_factory=Keys)
    """Rows that were imported, or put in quarantine, and that v1's tables no longer hold."""
    quarantined: int = 0
    unaccounted: Keys = field(default_factory=Keys)
    """Rows of v1's tables that were neither imported nor put in quarantine."""

    @property
    def proven(self) -> bool:
        return not (self.differing.count or self.missing.count or self.unaccounted.count)


def check_source(reader: V1Reader | None, target: Target, run: Run) -> SourceCheck:
    """Convert every v1 row again, with the zone of `run`, and compare with the digests that it kept.

    Without a `reader` every row that was imported is missing, but for those that the quarantine keeps.

    A row that was imported out of quarantine is converted from what the quarantine keeps of it, which must be what v1's
    table holds, where that is there.
    """
    zone = Zone(run.timezone)
    result = SourceCheck()
    blanked = blanked_digests(target, run)
    for table in TABLES_OF:
        promised = dict(digests_of(target, run, table))
        quarantine = _Quarantine(target, table, zone, promised, result)
        v1_is_there = reader is not None and table in reader.names
        if reader is not None and v1_is_there:
            for row in reader.rows(table):
                if not quarantine.accounts_for(row):
                    _check_row(row, promised, blanked if table == "api_keys" else {}, zone, result)
        quarantine.account_for_the_rest(v1_is_there=v1_is_there)
        for key in promised:
            result.missing.add(table, key)
    return result


def _check_row(
    row: SourceRow, promised: dict[str, bytes], blanked: dict[str, bytes], zone: Zone, result: SourceCheck
) -> None:
    key = row.key
    expected = None if key is None else promised.pop(key, None)
    if key is None or expected is None:
        result.unaccounted.add(row.table, str(key))
        return
    try:
        rows, _ = convert(row, zone)
    except DamagedRecordError:
        result.differing.add(row.table, key)
        return
    found = digest(rows, TABLES_OF[row.table])
    if found == expected:
        result.equal += 1
    elif found == blanked.get(key):
        result.blanked.add(row.table, key)
    else:
        result.differing.add(row.table, key)


class _Quarantine:
    """What became of the rows of one v1 table that the import put in quarantine."""

    def __init__(self, target: Target, table: str, zone: Zone, promised: dict[str, bytes], result: SourceCheck) -> None:
        """Takes the rows that were imported later out of `promised`."""
        self._target = target
        self._table = table
        self._result = result
        self._imported: dict[str | None, list[tuple[Released, bool]]] = defaultdict(list)
        """v1's key → the rows that were imported later, and whether they are what was promised. v1 had many rows
        without a key, but each of those needed a key by hand: so these lists are short."""
        for row in released(target, table, zone):
            expected = promised.pop(row.key, None)
            self._imported[row.source_key].append((row, expected is not None and row.digest == expected))
        self._waiting = Counter((row.key, row.fingerprint) for row in waiting(target, table))
        self._waiting_keys = Counter(key for key, _ in self._waiting.elements())

    def accounts_for(self, row: SourceRow) -> bool:
        """Account for a row of v1's, if it is one that went to quarantine."""
        key = quarantine_key(self._target, row)
        imported = self._imported.get(key)
        if not imported and not self._waiting_keys[key]:
            return False
        fingerprint = fingerprint_of(row)
        if imported:
            for place, (found, is_equal) in enumerate(imported):
                if found.fingerprint == fingerprint:
                    del imported[place]
                    self._tell(found, is_equal)
                    return True
        if self._waiting_keys[key]:
            self._waiting_keys[key] -= 1
            if self._waiting[key, fingerprint]:
                self._waiting[key, fingerprint] -= 1
                self._result.quarantined += 1
            else:
                self._result.differing.add(self._table, str(key))
        elif imported:
            self._tell(imported.pop()[0], is_equal=False)
        return True

    def account_for_the_rest(self, *, v1_is_there: bool) -> None:
        """Account for the rows of the quarantine that v1's table does not hold."""
        for key in self._waiting_keys.elements():
            self._result.missing.add(self._table, str(key))
        for found, is_equal in chain.from_iterable(self._imported.values()):
            if v1_is_there:
                self._result.missing.add(self._table, found.key)
            else:
                self._tell(found, is_equal)

    def _tell(self, row: Released, is_equal: bool) -> None:
        if is_equal:
            self._result.equal += 1
        else:
            self._result.differing.add(self._table, row.key)


def changes_since(target: Target, run: Run | None) -> Changes:
    """Compare what the new tables hold with the digests of `run`; without a run everything there was added.

    Before revision 0004 nothing told a deleted row from a lost one: there, every row that is not there is missing.
    """
    changes = Changes()
    for table in TABLES_OF:
        promised = digests_of(target, run, table) if run else iter(())
        deleted = deleted_keys(target, run, table) if run else frozenset()
        _merge(table, promised, current_digests(target, table), deleted, changes)
    for (key,) in target.query(_CUT_SHORT):
        changes.missing.add("conversation_messages", key)
    for later in filter(target.has_table, LATER_TABLES):  # a database at an earlier revision has none of them
        for (key,) in target.query(f"SELECT id FROM {later} ORDER BY id"):  # noqa: S608 - names of this package only
            changes.added.add(later, key)
    return changes


def current_digests(target: Target, table: str) -> Iterator[tuple[str, bytes]]:
    """Key and digest of the rows that the new tables hold for v1's `table`, by key."""
    main, *_ = tables = TABLES_OF[table]
    column = main.names[0]
    after: list[str] = []
    while True:
        condition = f"WHERE {column} > ? " if after else ""
        keys = [
            key
            for (key,) in target.query(
                f"SELECT {column} FROM {main.name} {condition}ORDER BY {column} LIMIT {_KEYS_PER_STEP}",  # noqa: S608
                after,
            )
        ]
        if not keys:
            return
        by_key: dict[object, Rows] = {key: {} for key in keys}
        for part in tables:
            rows = [row for portion in target.read_back(part, keys[0], keys[-1]) for row in portion]
            for key, group in groupby(rows, key=itemgetter(0)):
                if key in by_key:  # or its parent is gone, deleted by a program that does not enforce foreign keys
                    by_key[key][part.name] = list(group)
        for key in keys:
            yield key, digest(by_key[key], tables)
        after = [keys[-1]]


def _merge(
    table: str,
    promised: Iterator[tuple[str, bytes]],
    current: Iterator[tuple[str, bytes]],
    deleted: frozenset[str],
    changes: Changes,
) -> None:
    """Walk two sequences in the order of their keys and account for every key of either."""
    one, other = next(promised, None), next(current, None)
    while one is not None or other is not None:
        if other is None or (one is not None and _order(one[0]) < _order(other[0])):
            assert one is not None  # noqa: S101 - for the type checker: the loop's condition
            gone = changes.deleted if one[0] in deleted else changes.missing
            gone.add(table, one[0])
            one = next(promised, None)
        elif one is None or _order(other[0]) < _order(one[0]):
            changes.added.add(table, other[0])
            other = next(current, None)
        else:
            if one[1] == other[1]:
                changes.equal += 1
            else:
                changes.changed.add(table, one[0])
            one, other = next(promised, None), next(current, None)


def _order(key: str | bytes) -> tuple[bool, str | bytes]:
    """SQLite's order: a key that another program wrote as bytes comes after every text."""
    return type(key) is bytes, key
