"""Whatever is written at once or along with the next statement: what is read and stored is as on the stock driver."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from socrates.database.onehop import WITH_NEXT
from tests.support.onehop import crossings, opened

READ = text("SELECT id, name FROM t ORDER BY id")
WRITES = [
    text("INSERT INTO t (name) VALUES (:name) ON CONFLICT (name) DO NOTHING"),
    text("UPDATE OR IGNORE t SET name = name || :name WHERE id % 3 = 0"),
    text("DELETE FROM t WHERE name > :name || 'c'"),
]
STEPS = {"later": 8, "plain": 4, "read": 4, "commit": 2, "rollback": 1, "savepoint": 1}


async def _write(connection: AsyncConnection, dice: random.Random, later: bool) -> int | None:
    (statement,) = dice.choices(WRITES, (6, 2, 1))
    rows = [{"name": dice.choice("abcdefgh") * dice.randint(1, 3)} for _ in range(dice.randint(1, 3))]
    options = {WITH_NEXT: True} if later else {}
    result = await connection.execute(statement, rows[0] if len(rows) == 1 else rows, execution_options=options)
    return None if later else result.rowcount


async def _savepoint(connection: AsyncConnection, dice: random.Random) -> None:
    # The stock driver does not begin a transaction for a savepoint, whose RELEASE would then commit.
    await _write(connection, dice, later=True)
    savepoint = await connection.begin_nested()
    for _ in range(2):
        await _write(connection, dice, later=True)
    await (savepoint.commit() if dice.random() < 0.5 else savepoint.rollback())


async def _what_comes(path: Path, driver: str, seed: int, **options: Any) -> list[Any]:
    """Row counts and rows, and at the end what is in the file."""
    dice = random.Random(seed)
    found: list[Any] = []
    async with opened(path, driver, **options) as engine, engine.connect() as connection:
        for step in dice.choices(list(STEPS), list(STEPS.values()), k=150):
            match step:
                case "later" | "plain":
                    found.append(await _write(connection, dice, later=step == "later"))
                case "read":
                    found.append((await connection.execute(READ)).all())
                case "savepoint":
                    await _savepoint(connection, dice)
                case "commit":
                    await connection.commit()
                case "rollback":
                    await connection.rollback()
    with closing(sqlite3.connect(path)) as other:
        return [*found, other.execute(READ.text).fetchall()]


@pytest.mark.parametrize("mode", ["DEFERRED", "IMMEDIATE"])
@pytest.mark.parametrize("seed", range(8))
async def test_any_sequence_comes_out_as_on_the_stock_driver(tmp_path: Path, seed: int, mode: str) -> None:
    with crossings() as stock:
        expected = await _what_comes(tmp_path / "stock.db", "aiosqlite", seed)
    with crossings() as ours:
        found = await _what_comes(tmp_path / "onehop.db", "onehop", seed, transaction_mode=mode)
    assert found == expected
    assert len({str(rows) for rows in found if isinstance(rows, list)}) > 10, "there was something to read"
    assert len(ours) < len(stock) / 4
