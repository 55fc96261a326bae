"""What all repositories share."""

from collections.abc import Awaitable, Callable
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, column, delete, insert, select, text, update

from socrates import views
from socrates.database.misfits import refuse_misfits
from socrates.errors import (
    AlreadyExistsError,
    DamagedRecordError,
    DatabaseError,
    InvalidValueError,
    ProjectNotFoundError,
)
from socrates.frozen import FrozenDict, FrozenList
from socrates.models import CategoryScore, Project, ProjectRequirement, TeamMember
from socrates.repositories.base import (
    Mapper,
    Repository,
    builder,
    now,
    only_known,
    positive,
    table,
    text_list,
    utc,
)
from tests.support.stores import counted, fresh_store, thrown_away

REQUIREMENTS = table(ProjectRequirement)
ADD = insert(REQUIREMENTS)


@dataclass(frozen=True, slots=True)
class Skilled:
    """Some of a member, in another order than the table's."""

    extra: FrozenDict
    username: str
    skills: tuple[str, ...]


def test_a_mapper_reads_the_columns_that_its_view_names_and_freezes_what_can_change() -> None:
    mapper = Mapper(Skilled, TeamMember)
    assert [each.key for each in mapper.columns] == ["extra", "username", "skills"]
    view = mapper(({"a": [1, {"b": {2}}]}, "ada", ["x", "y"]))
    assert view == Skilled(FrozenDict(a=FrozenList((1, {"b": {2}}))), "ada", ("x", "y"))
    assert type(view.extra) is FrozenDict
    assert type(view.extra["a"][1]) is FrozenDict
    assert mapper((None, "ada", None)) == Skilled(FrozenDict(), "ada", ())


def test_a_view_that_names_what_the_table_lacks_is_a_mistake_found_at_import() -> None:
    @dataclass(frozen=True)
    class Wrong:
        nickname: str

    with pytest.raises(AttributeError):
        Mapper(Wrong, TeamMember)


def test_now_is_aware_utc() -> None:
    assert now().tzinfo is UTC
    assert abs(now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_time_of_any_zone_becomes_the_same_moment_in_utc() -> None:
    given = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-5)))
    assert utc(given) == given
    assert utc(given).tzinfo is UTC  # type: ignore[union-attr]
    assert utc(None) is None
    with pytest.raises(InvalidValueError, match="no time zone"):
        utc(datetime(2026, 1, 2))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
        datetime(1, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
    ],
    ids=["after all", "before all"],
)
def test_a_time_that_has_no_year_in_utc_is_refused(moment: datetime) -> None:
    with pytest.raises(InvalidValueError, match="years 1 to 9999 in UTC"):
        utc(moment)


def test_what_is_not_known_is_named_together_with_what_is() -> None:
    only_known("thing", {}, ["a", "b"])
    only_known("thing", {"a": 1, "b": 2}, ["a", "b"])
    with pytest.raises(InvalidValueError, match="a thing has no c, d that can be changed; there are a, b"):
        only_known("thing", {"d": 1, "a": 1, "c": 1}, ["a", "b"])


def test_a_number_below_one_is_refused_by_name() -> None:
    assert positive("limit", 1) == 1
    for number in (0, -5, "5", None):
        with pytest.raises(InvalidValueError, match=f"limit must be an integer of at least 1, not {number!r}"):
            positive("limit", number)


def test_texts_in_any_collection_are_a_list_of_texts() -> None:
    assert text_list("things", []) == []
    for values in (["b", "a"], ("b", "a"), {"b": 1, "a": 1}.keys(), iter(["b", "a"])):
        assert text_list("things", values) == ["b", "a"]


@pytest.mark.parametrize("values", ["abc", "", b"abc", None, 5, [1], ["a", None], [["a"]]], ids=str)
def test_anything_else_is_no_list_of_texts(values: Any) -> None:
    with pytest.raises(InvalidValueError, match="things takes a list of texts"):
        text_list("things", values)


SCORE = insert(table(CategoryScore))


@pytest.mark.parametrize(
    "row",
    [
        {"category": "x", "current_score": 1.5},
        {"current_score": 1, "spec_count": None},
        {"extra": FrozenDict()},
        {},
        {"category": "\U0001f600", "spec_count": 2**63 - 1},
        {"spec_count": -(2**63)},
    ],
)
def test_what_fits_its_column_passes(row: dict[str, Any]) -> None:
    refuse_misfits(SCORE, row)
    refuse_misfits(SCORE, [row, row])
    refuse_misfits(SCORE, {"none of its columns": object(), **row})


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"category": 5}, "category_scores.category takes str, not int"),
        ({"current_score": "1"}, "category_scores.current_score takes float, not str"),
        ({"current_score": float("nan")}, "category_scores.current_score takes float, not nan"),
        ({"current_score": True}, "category_scores.current_score takes float, not bool"),
        ({"spec_count": 1.0}, "category_scores.spec_count takes int, not float"),
        ({"extra": []}, "category_scores.extra takes dict, not list"),
        ({"extra": None}, "category_scores.extra takes dict, not None"),
        ({"category": "x\udfff"}, "category_scores.category takes no lone surrogates"),
        ({"spec_count": 2**63}, "category_scores.spec_count takes integers of 64 bits"),
        ({"spec_count": -(2**63) - 1}, "category_scores.spec_count takes integers of 64 bits"),
    ],
)
def test_what_does_not_fit_is_told_without_the_text_of_the_value(row: dict[str, Any], told: str) -> None:
    for statement in (SCORE, update(table(CategoryScore))):
        for parameters in (row, [{}, row]):
            with pytest.raises(InvalidValueError) as raised:
                refuse_misfits(statement, parameters)
            assert str(raised.value) == told
    refuse_misfits(select(CategoryScore.phase), row)
    refuse_misfits(delete(table(CategoryScore)), row)


async def make(unit: Any) -> Repository:
    await unit.projects.create("A library", "ada", project_id="p", requirements=["a", "b"])
    return Repository(unit.projects._session)


async def test_rows_a_row_and_a_value(tmp_path: Path) -> None:
    wanted = select(REQUIREMENTS.c.value).where(REQUIREMENTS.c.project_id == bindparam("key"))
    async with fresh_store(tmp_path) as store, store.begin() as unit:
        repository = await make(unit)
        assert [row.value for row in await repository._rows(wanted, key="p")] == ["a", "b"]
        row = await repository._row(wanted, key="p")
        assert row is not None
        assert row.value == await repository._value(wanted, key="p") == "a"
        assert await repository._rows(wanted, key="none") == []
        assert await repository._row(wanted, key="none") is await repository._value(wanted, key="none") is None


async def test_a_write_tells_how_many_rows_it_touched_and_many_go_in_batches(tmp_path: Path) -> None:
    change = update(REQUIREMENTS).where(REQUIREMENTS.c.project_id == bindparam("key")).values(value="c")
    async with fresh_store(tmp_path) as store, store.begin() as unit:
        repository = await make(unit)
        assert await repository._write(change, key="p") == 2
        assert await repository._write(change, key="none") == 0
        rows = [{"project_id": "p", "position": place, "value": "x"} for place in range(2, 5000)]
        with counted(store) as cost:
            await repository._write_many(ADD, rows)
        cost.must_be(10, 10)  # 500 rows at once, for other tasks' sake
        with counted(store) as cost:
            await repository._write_many(ADD, [])
            await repository._write_to_project("p", ADD, [])
        cost.must_be(statements=0, crossings=0)


async def test_a_child_of_no_project_is_a_project_not_found(tmp_path: Path) -> None:
    row = {"project_id": "none", "position": 0, "value": "x"}
    async with fresh_store(tmp_path) as store:
        async with thrown_away(store) as unit:
            with pytest.raises(ProjectNotFoundError) as raised:
                await Repository(unit.projects._session)._write_to_project("none", ADD, [row])
            assert raised.value.key == "none"
        async with thrown_away(store) as unit:
            returning = ADD.returning(REQUIREMENTS.c.value)
            with pytest.raises(ProjectNotFoundError):
                await Repository(unit.projects._session)._add_to_project("none", returning, position=0, value="x")
        async with thrown_away(store) as unit:
            with pytest.raises(InvalidValueError, match="does not exist"):
                await Repository(unit.projects._session)._write(ADD, **row)


ROW = {"project_id": "p", "position": 0, "value": "x"}
FAILURES: dict[str, tuple[Callable[[Repository], Awaitable[Any]], type[Exception], str]] = {
    "taken": (lambda repository: repository._write(ADD, **ROW), AlreadyExistsError, "project_requirements"),
    "taken, of a project": (
        lambda repository: repository._write_to_project("p", ADD, [ROW]),
        AlreadyExistsError,
        "project_requirements",
    ),
    "not allowed": (
        lambda repository: repository._write(ADD, **(ROW | {"position": -1})),
        InvalidValueError,
        "position",
    ),
    "too large": (
        lambda repository: repository._add_to_project(
            "p", ADD.returning(REQUIREMENTS.c.value), position=2**64, value="x"
        ),
        InvalidValueError,
        "64 bits",
    ),
    "no table": (lambda repository: repository._rows(text("SELECT * FROM missing")), DatabaseError, "missing"),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_errors_of_the_database_come_as_our_own(tmp_path: Path, name: str) -> None:
    call, error, told = FAILURES[name]
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await make(unit)
        async with thrown_away(store) as unit:
            with pytest.raises(error, match=told):
                await call(Repository(unit.projects._session))
        async with store.begin() as unit:
            repository = Repository(unit.projects._session)
            assert len(await repository._rows(select(REQUIREMENTS.c.value))) == 2


async def damaged_is_told(directory: Path, name: str, damaged: str) -> None:
    async with fresh_store(directory) as store, thrown_away(store) as unit:
        repository = await make(unit)
        change = update(table(Project)).values({column(name): text(":damaged")})
        await (await unit.projects._session.connection()).execute(change, {"damaged": damaged})  # type: ignore[attr-defined]
        with pytest.raises(DamagedRecordError):
            await repository._rows(select(Project.extra, Project.created_at))


@pytest.mark.parametrize("damaged", ['{"$decimal": "many"}', '{"$unknown": 1}'])
async def test_a_damaged_record_is_said_to_be_one(damaged: str, tmp_path: Path) -> None:
    """D42: v1 answered with nothing, as if there were no record."""
    await damaged_is_told(tmp_path, "extra", damaged)


@pytest.mark.sqlite  # PostgreSQL takes neither
@pytest.mark.parametrize(("name", "damaged"), [("extra", "{"), ("created_at", "soon")])
async def test_a_record_of_what_its_column_cannot_hold_is_damaged(name: str, damaged: str, tmp_path: Path) -> None:
    await damaged_is_told(tmp_path, name, damaged)


VIEWS = [view for view in vars(views).values() if is_dataclass(view)]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_a_view_that_is_built_is_what_its_class_makes(view: type) -> None:
    values = [object() for _ in fields(view)]
    built = builder(view)(*values)
    assert type(built) is view
    assert built == view(*values)
    assert hash(built) == hash(view(*values))
    with pytest.raises(FrozenInstanceError):
        setattr(built, fields(view)[0].name, 1)
    with pytest.raises(TypeError):
        builder(view)(*values, "one more")
