"""What is held on a person, and what becomes of it when the person is deleted for good: frozen, as all views are."""

from dataclasses import dataclass

V1_TABLES = "v1's own tables (*_v1_backup)"
"""How `Remains.what` names them: all rows as v1 wrote them, kept beside the new tables since an upgrade."""


@dataclass(frozen=True, slots=True)
class Remains:
    """A place that names the person still, what keeps it there or how it goes, and how many rows it is.

    `rows` is None where nobody can tell without reading v1's pickles.
    """

    what: str
    rows: int | None
    remedy: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """A deletion in figures: rows `deleted` per table, and values `made_pseudonymous` per ``table.column``.

    What would be 0 is left out. Projects that are handed over are not in it: only their owner changes.
    """

    deleted: tuple[tuple[str, int], ...]
    made_pseudonymous: tuple[tuple[str, int], ...]
    remains: tuple[Remains, ...]


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What a user's deletion would do now; `transferred` pairs a project's id with who would be its owner."""

    username: str
    transferred: tuple[tuple[str, str], ...]
    deleted_projects: tuple[str, ...]
    erasure: Erasure


@dataclass(frozen=True, slots=True)
class DeletedUser:
    """What a user's deletion did; `transferred` pairs a project's id with its new owner.

    `pseudonym` stands now where the name stood in what the person wrote. It was made by chance, for this deletion only.
    """

    username: str
    transferred: tuple[tuple[str, str], ...]
    deleted_projects: tuple[str, ...]
    pseudonym: str
    erasure: Erasure
