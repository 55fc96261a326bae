"""The copies of a database that lie beside it: whatever is taken out of the database is still in them."""

from pathlib import Path

from socrates.v1.files import is_sqlite


def copies_beside(path: Path) -> list[Path]:
    """The SQLite files whose names begin with the database's own: backups, and what a restore replaced.

    A link is followed to the database itself, for that is where they are made. Raises OSError for one that cannot be
    read.
    """
    home = path.resolve()
    found = (beside for beside in home.parent.iterdir() if beside.name.startswith(f"{home.name}."))
    return sorted(beside for beside in found if beside.is_file() and is_sqlite(beside))
