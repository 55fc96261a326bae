from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Dialect, bindparam, create_engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.exc import IntegrityError

from socrates.models import PhaseMaturityScore, Project, QuestionEffectiveness
from socrates.repositories.base import table
from socrates.repositories.upsert import upsert
from tests.support.stores import fresh_file, fresh_store

EFFECTIVENESS = table(QuestionEffectiveness)
SAVE = upsert(EFFECTIVENESS, ["user_id", "question_template_id"], ["role", "effectiveness_score"])


def question(key: str = "e1", template: str = "t1", **values: object) -> dict[str, object]:
    return {"id": key, "user_id": "ada", "question_template_id": template, "extra": {}} | values


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_it_compiles_for_both_engines(dialect: Dialect) -> None:
    statement = str(SAVE.returning(EFFECTIVENESS.c.id).compile(dialect=dialect))
    assert statement.startswith("INSERT INTO question_effectiveness (")
    assert (
        " ON CONFLICT (user_id, question_template_id) DO UPDATE SET"
        " role = excluded.role, effectiveness_score = excluded.effectiveness_score RETURNING "
    ) in statement


def test_a_new_key_makes_a_row_and_a_known_one_overwrites_only_the_columns_named(tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    rows = run(
        tmp_path,
        SAVE,
        question(role="lead", effectiveness_score=Decimal("0.50"), created_at=at),
        question(key="e2", role="analyst", effectiveness_score=Decimal("0.75"), created_at=None),
        question(key="e3", template="t2", role="other"),
    )
    assert rows == [
        ("e1", "t1", "analyst", Decimal("0.75"), at),
        ("e3", "t2", "other", Decimal("0.5"), None),
    ]


def test_a_clash_with_another_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        run(tmp_path, SAVE, question(), question(template="t2"))


async def test_many_rows_go_in_one_batch_and_children_of_an_overwritten_row_stay(tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    save = upsert(table(Project), ["id"], ["name", "updated_at"])
    rows = [
        {
            "id": f"p{n}",
            "name": "old",
            "owner": "ada",
            "phase": "discovery",
            "created_at": at,
            "updated_at": at,
            "extra": {},
        }
        for n in range(3)
    ]
    score = upsert(table(PhaseMaturityScore), ["project_id", "phase"], ["score"])
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            session = unit.conversations._session
            await session.execute(save, rows)
            await session.execute(score, {"project_id": "p1", "phase": "discovery", "score": 12.5})
            await session.execute(save, [row | {"name": "new", "owner": "bob"} for row in rows])
        async with store._engines.reader.connect() as connection:
            names = (await connection.execute(select(Project.name, Project.owner))).all()
            scores = (
                await connection.execute(
                    select(PhaseMaturityScore.score).where(PhaseMaturityScore.project_id == bindparam("id")),
                    {"id": "p1"},
                )
            ).all()
    assert names == [("new", "ada")] * 3
    assert scores == [(12.5,)]


def run(directory: Path, statement: Insert, *parameters: dict[str, object]) -> list[tuple[object, ...]]:
    """Execute it once per set of parameters; the rows that are there afterwards, by id."""
    engine = create_engine(f"sqlite:///{fresh_file(directory)}")
    try:
        with engine.begin() as connection:
            for values in parameters:
                connection.execute(statement, values)
        columns = ("id", "question_template_id", "role", "effectiveness_score", "created_at")
        with engine.connect() as connection:
            wanted = select(*(EFFECTIVENESS.c[name] for name in columns)).order_by(EFFECTIVENESS.c.id)
            return [tuple(row) for row in connection.execute(wanted)]
    finally:
        engine.dispose()
