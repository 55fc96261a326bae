"""The later proof that an import lost nothing (design, Migrations).

`check_source` proves that v1's tables still convert to the digests the import kept; `changes_since` compares those
digests with what the new tables hold now.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from socrates.errors import DamagedRecordError
from socrates.v1.digest import digest
from socrates.v1.importer import convert
from socrates.v1.layout import LATER_TABLES, TABLES_OF, Rows
from socrates.v1.ledger import Run, digests_of
from socrates.v1.reader import V1Reader
from socrates.v1.target import Target
from socrates.v1.times import Zone

_KEYS_PER_STEP = 50
_NAMED = 20


@dataclass(slots=True)
class Keys:
    """A number of rows, and the first few of their keys."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, table: str, key: str) -> None:
        self.count += 1
        if len(self.first) < _NAMED:
            self.first.append(f"{table} {key!r}")

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
    missing: Keys = field(default_factory=Keys)

    @property
    def any(self) -> bool:
        return bool(self.added.count or self.changed.count or self.missing.count)

    def __str__(self) -> str:
        return f"added {self.added}; changed {self.changed}; deleted {self.missing}"


@dataclass(slots=True)
class SourceCheck:
    """Whether v1's rows still convert to what was imported."""

    equal: int = 0
    differing: Keys = field(default_factory=Keys)
    missing: Keys = field(default_factory=Keys)
    """Rows that were imported, and that v1's tables no longer hold."""
    quarantined: int = 0
    unaccounted: Keys = field(default_factory=Keys)
    """Rows of v1's tables that were neither imported nor put in quarantine."""

    @property
    def proven(self) -> bool:
        return not (self.differing.count or self.missing.count or self.unaccounted.count)


def check_source(reader: V1Reader, target: Target, run: Run) -> SourceCheck:
    """Convert every v1 row again, with the zone of `run`, and compare with the digests that it kept."""
    zone = Zone(run.timezone)
    result = SourceCheck()
    for table in TABLES_OF:
        promised = dict(digests_of(target, run, table))
        quarantined = _quarantined(target, table)
        if table in reader.names:
            for row in reader.rows(table):
                key = row.key
                expected = None if key is None else promised.pop(key, None)
                if key is None or expected is None:
                    if quarantined[key] > 0:
                        quarantined[key] -= 1
                        result.quarantined += 1
                    else:
                        result.unaccounted.add(table, str(key))
                    continue
                try:
                    rows, _ = convert(row, zone)
                except DamagedRecordError:
                    result.differing.add(table, key)
                    continue
                if digest(rows, TABLES_OF[table]) == expected:
                    result.equal += 1
                else:
                    result.differing.add(table, key)
        for key in promised:
            result.missing.add(table, key)
    return result


def _quarantined(target: Target, table: str) -> Counter[str | None]:
    rows = target.query("SELECT source_key FROM v1_quarantine WHERE source_table = ?", (table,))
    return Counter(key for (key,) in rows)


def changes_since(target: Target, run: Run | None) -> Changes:
    """Compare what the new tables hold with the digests of `run`; without a run everything there was added."""
    changes = Changes()
    for table in TABLES_OF:
        promised = digests_of(target, run, table) if run else iter(())
        _merge(table, promised, current_digests(target, table), changes)
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
    table: str, promised: Iterator[tuple[str, bytes]], current: Iterator[tuple[str, bytes]], changes: Changes
) -> None:
    """Walk two sequences in the order of their keys and account for every key of either."""
    one, other = next(promised, None), next(current, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None  # noqa: S101 - for the type checker: the loop's condition
            changes.missing.add(table, one[0])
            one = next(promised, None)
        elif one is None or other[0] < one[0]:
            changes.added.add(table, other[0])
            other = next(current, None)
        else:
            if one[1] == other[1]:
                changes.equal += 1
            else:
                changes.changed.add(table, one[0])
            one, other = next(promised, None), next(current, None)
