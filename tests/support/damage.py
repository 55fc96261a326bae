"""Damages SQLite files page by page, and tells what they held before."""

import random
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

PAGE = 4096
_CELLS = (2, 5, 10, 13)
"""How pages begin that hold rows or keys."""


class Damage(NamedTuple):
    """What was done to a file."""

    what: str
    page: int
    hit_long_row: bool
    """Whether it hit the end of a long row, where a page of another long row is not always seen to be wrong."""
    hit_whole_table: bool
    """Whether it put another page in the place of a table or an index that has no more than one. Nothing leads to such
    a page but its number, so nothing tells that it is another one, unless an index does."""


def pages_of(path: Path) -> int:
    return path.stat().st_size // PAGE


def page(path: Path, number: int) -> bytes:
    """The bytes of a page, counted from 1."""
    return path.read_bytes()[(number - 1) * PAGE : number * PAGE]


def overwrite(path: Path, number: int, content: bytes) -> None:
    """Write `content` over the beginning of a page."""
    with path.open("r+b") as file:
        file.seek((number - 1) * PAGE)
        file.write(content)


def root_of(path: Path, name: str) -> int:
    """The first page of a table or an index."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        return int(root)


def leaves_under(path: Path, root: int) -> list[int]:
    """The leaf pages of a tree, in order. Written for sound files; our reader of damaged ones is another one."""
    content = page(path, root)
    start = 100 if root == 1 else 0
    if content[start] in (10, 13):
        return [root]
    count = int.from_bytes(content[start + 3 : start + 5], "big")
    pointers = [start + 12 + 2 * place for place in range(count)]
    cells = [int.from_bytes(content[at : at + 2], "big") for at in pointers]
    children = [int.from_bytes(content[cell : cell + 4], "big") for cell in cells]
    children.append(int.from_bytes(content[start + 8 : start + 12], "big"))
    return [leaf for child in children for leaf in leaves_under(path, child)]


def damage_at_random(path: Path, chance: random.Random) -> list[Damage]:
    """Damage one page, or a few, or cut the file short."""
    sound = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        roots = {root for (root,) in connection.execute("SELECT rootpage FROM sqlite_master")}
    done = []
    for _ in range(chance.choice((1, 1, 2, 4))):
        number, other = chance.randint(1, pages_of(path)), chance.randint(2, len(sound) // PAGE)
        what = chance.choice(("zeros", "noise", "another page", "cut short"))
        hit_long_row = number > 1 and sound[(number - 1) * PAGE] not in _CELLS
        hit_whole_table = what == "another page" and number in roots
        done.append(Damage(what, number, hit_long_row, hit_whole_table))
        if what == "cut short":
            with path.open("r+b") as file:
                file.truncate(chance.randint(2 * PAGE, path.stat().st_size))
            continue
        contents = {"zeros": bytes(PAGE), "noise": chance.randbytes(PAGE)}
        overwrite(path, number, contents.get(what, sound[(other - 1) * PAGE : other * PAGE]))
    return done


Contents = dict[str, set[tuple[object, ...]]]


def contents(path: Path) -> Contents:
    """Every row of every table, as bytes and numbers."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        connection.text_factory = bytes
        return {name: set(connection.execute(f'SELECT * FROM "{name}"')) for name in names}


def lost(before: Contents, after: Contents) -> Counter[str]:
    """How many rows of which table were there before and are not now."""
    counts = Counter({name: len(rows - after.get(name, set())) for name, rows in before.items()})
    return +counts


def problems(path: Path) -> list[tuple[object, ...]]:
    """What SQLite itself finds wrong with a file."""
    with closing(sqlite3.connect(path)) as connection:
        return [row for row in connection.execute("PRAGMA integrity_check") if row != ("ok",)]
