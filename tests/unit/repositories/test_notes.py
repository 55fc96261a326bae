from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from uuid import UUID

import pytest

from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError, ProjectNotFoundError
from socrates.models import ProjectNote, ProjectNoteTag
from socrates.store import Store
from socrates.views import Note
from tests.support.stores import counted, fresh_store, thrown_away
from tests.unit.repositories.plans import columns_written, query_plan, scans
from tests.unit.repositories.rows import THEN, put, put_project, stored


async def test_a_note_comes_back_as_it_was_written(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        async with store.begin() as unit:
            before = datetime.now(UTC)
            plain = await unit.notes.create("p", "Title", "Text")
            full = await unit.notes.create(
                "p",
                "",
                "a\nb",
                note_type="idea",
                created_by="ada",
                tags=["b", "a", "b"],
                note_id="n1",
                created_at=THEN,
            )
        assert (plain.note_type, plain.created_by, plain.tags, plain.extra) == ("general", "system", (), {})
        assert UUID(plain.id).version == 4
        assert plain.created_at is not None
        assert before <= plain.created_at <= datetime.now(UTC)
        assert full == Note("n1", "p", "", "a\nb", "idea", THEN, "ada", ("b", "a", "b"), full.extra)
        assert await store.notes.get(plain.id) == plain
        assert await store.notes.get("n1") == full


async def test_what_v1_knew_besides_comes_back_frozen(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        note = {"id": "n", "project_id": "p", "title": "t", "content": "c", "extra": {"pins": [1, 2]}}
        await put(store, ProjectNote, note)
        extra = (await store.notes.get("n")).extra
    assert extra == {"pins": (1, 2)}
    with pytest.raises(TypeError):
        extra["pins"] = 0


async def test_a_note_of_no_project_or_with_a_known_id_is_refused(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        async with store.begin() as unit:
            first = await unit.notes.create("p", "t", "c", note_id="n")
        async with thrown_away(store) as unit:
            with pytest.raises(ProjectNotFoundError) as raised:
                await unit.notes.create("q", "t", "c", tags=["x"])
            assert raised.value.key == "q"
        async with thrown_away(store) as unit:
            with pytest.raises(AlreadyExistsError):
                await unit.notes.create("p", "other", "c", note_id="n")
        assert await store.notes.for_project("p") == (first,)
        assert await stored(store, ProjectNoteTag, "tag") == []


@pytest.mark.parametrize("tags", ["urgent", [1], [None]])
async def test_tags_that_are_no_list_of_texts_are_refused(tmp_path: Path, tags: object) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put_notes(store, ("n", THEN))
        async with store.begin() as unit:
            with pytest.raises(InvalidValueError, match="tags"):
                await unit.notes.create("p", "t", "c", tags=tags)  # type: ignore[arg-type]
            with pytest.raises(InvalidValueError, match="tags"):
                await unit.notes.update("n", title="new", tags=tags)  # type: ignore[typeddict-item]
        assert await stored(store, ProjectNote, "id", "title") == [("n", "t")]


async def put_notes(store: Store, *notes: tuple[str, datetime | None], project: str = "p") -> None:
    for key, at in notes:
        row = {"id": key, "project_id": project, "title": "t", "content": "c", "created_at": at}
        await put(store, ProjectNote, row)
        await put(store, ProjectNoteTag, *({"note_id": key, "position": n, "tag": f"tag {n}"} for n in range(len(key))))


async def all_pages(store: Store, limit: int) -> tuple[Note, ...]:
    found: tuple[Note, ...] = ()
    while page := await store.notes.for_project("p", limit=limit, after=found[-1] if found else None):
        assert len(page) <= limit
        assert not set(ids(page)) & set(ids(found))
        found += page
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 50])
async def test_notes_come_oldest_first_and_every_one_on_one_page(tmp_path: Path, limit: int) -> None:
    day = timedelta(days=1)
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put_project(store, "q", "ada")
        await put_notes(store, ("a", THEN), ("yy", THEN + day), ("x", THEN + day), ("w", THEN + 2 * day))
        await put_notes(store, ("vv", None), ("u", None), ("t", None))
        await put_notes(store, ("other", THEN), project="q")
        expected = ["t", "u", "vv", "a", "x", "yy", "w"]
        paged = await all_pages(store, limit)
        assert ids(paged) == expected
        assert paged[2].tags == ("tag 0", "tag 1")
        assert [note.id for note in await store.notes.for_project("p")] == expected
        assert await store.notes.count("p") == 7
        assert (await store.notes.count("none"), await store.notes.for_project("none")) == (0, ())


async def test_lists_can_be_narrowed_to_a_type_and_a_tag(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        async with store.begin() as unit:
            for key, kind, tags in (("1", "bug", ["ui", "UI"]), ("2", "idea", ["ui"]), ("3", "bug", ["gui"])):
                await unit.notes.create("p", "t", "c", note_type=kind, tags=tags, note_id=key)
        notes = store.notes
        assert ids(await notes.for_project("p", note_type="bug")) == ["1", "3"]
        tagged = await notes.for_project("p", tag="ui")
        assert ids(tagged) == ["1", "2"]
        assert tagged[0].tags == ("ui", "UI")
        assert ids(await notes.for_project("p", note_type="bug", tag="ui")) == ["1"]
        assert ids(await notes.for_project("p", note_type="bug", limit=1)) == ["1"]
        assert ids(await notes.for_project("p", note_type="bug", limit=1, after=tagged[0])) == ["3"]
        assert ids(await notes.for_project("p", note_type="")) == []
        with pytest.raises(InvalidValueError, match="limit"):
            await notes.for_project("p", limit=0)


def ids(notes: tuple[Note, ...]) -> list[str]:
    return [note.id for note in notes]


async def test_search_finds_title_content_type_and_tags_in_any_case(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put_project(store, "q", "ada")
        async with store.begin() as unit:
            create = unit.notes.create
            await create("p", "Die STRASSE", "c", note_id="title")
            await create("p", "t", "eine Straße\nnach Ωmega", note_id="content")
            await create("p", "t", "c", note_type="strasse", note_id="type")
            await create("p", "t", "c", tags=["no", "Straße 7", "straße"], note_id="tags")
            await create("p", "t", "str asse 100%", note_id="none")
            await create("q", "Straße", "c", note_id="other")
        search = store.notes.search
        found = await search("p", "straße")
        assert ids(found) == ["title", "content", "type", "tags"]
        assert found[3].tags == ("no", "Straße 7", "straße")
        assert ids(await search("p", "ωMEGA")) == ["content"]
        assert ids(await search("p", "0%")) == ["none"]
        assert ids(await search("p", "s%e")) == []
        assert ids(await search("p", "strasse", note_type="strasse")) == ["type"]
        assert ids(await search("p", "straße", limit=2)) == ["title", "content"]
        assert ids(await search("p", "straße", limit=2, after=found[1])) == ["type", "tags"]
        with pytest.raises(InvalidValueError, match="empty"):
            await search("p", " \n")


async def test_an_update_writes_the_columns_given_and_no_others(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        async with store.begin() as unit:
            note = await unit.notes.create("p", "old", "text", tags=["a", "b"], note_id="n")
            with counted(store) as cost:
                updated = await unit.notes.update("n", title="new")
        assert len(cost.statements) == 2
        assert columns_written(cost.statements[1]) == ["title"]
        assert (updated.title, updated.content, updated.tags, updated.created_at) == (
            "new",
            "text",
            ("a", "b"),
            note.created_at,
        )
        assert await store.notes.get("n") == updated


@pytest.mark.parametrize("before", [(), ("a",), ("a", "b", "a"), ("a", "b", "c")])
async def test_an_update_of_tags_leaves_just_the_new_ones_in_their_order(
    tmp_path: Path, before: tuple[str, ...]
) -> None:
    after = [(), ("b",), ("a", "a"), *permutations(("a", "b", "c")), ("a", "b", "a", "d")]
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        for number, tags in enumerate(after):
            async with store.begin() as unit:
                await unit.notes.create("p", "t", "c", tags=before, note_id=f"n{number}")
                updated = await unit.notes.update(f"n{number}", tags=tags)
            assert updated.tags == tags
            assert await store.notes.get(f"n{number}") == updated


async def test_an_update_writes_only_the_tags_that_differ(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        async with store.begin() as unit:
            await unit.notes.create("p", "t", "c", tags=["a", "b", "c"], note_id="n")
        for tags, kinds in {
            ("a", "b", "c"): ["SELECT"],
            ("a", "x", "c"): ["SELECT", "INSERT"],
            ("a", "x"): ["SELECT", "DELETE"],
            ("y",): ["SELECT", "INSERT", "DELETE"],
        }.items():
            with counted(store) as cost:
                async with store.begin() as unit:
                    await unit.notes.update("n", tags=tags)
            assert [statement.split()[0] for statement in cost.statements] == kinds
            # The writes go with the commit.
            cost.must_be(len(kinds), 2, locks=1)
            assert await scans(store, cost.statements) == []


async def test_an_update_refuses_nothing_nobody_and_what_a_note_does_not_have(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put_notes(store, ("n", THEN))
        async with thrown_away(store) as unit:
            with pytest.raises(NotFoundError, match="note 'm'"):
                await unit.notes.update("m", title="new")
            with pytest.raises(InvalidValueError, match="something to change"):
                await unit.notes.update("n")
            with pytest.raises(InvalidValueError, match="created_by"):
                await unit.notes.update("n", created_by="eve")  # type: ignore[call-arg]
            with pytest.raises(InvalidValueError, match="title"):
                await unit.notes.update("n", title=5)  # type: ignore[typeddict-item]
            for wrong in (None, 5):
                with pytest.raises(InvalidValueError, match="title"):
                    await unit.notes.create("p", wrong, "c")  # type: ignore[arg-type]


async def test_a_deleted_note_is_gone_with_its_tags_and_cannot_be_deleted_again(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put_notes(store, ("one", THEN), ("two", THEN))
        async with store.begin() as unit:
            await unit.notes.delete("one")
            for gone in ("one", "never"):
                with pytest.raises(NotFoundError, match=gone):
                    await unit.notes.delete(gone)
        with pytest.raises(NotFoundError):
            await store.notes.get("one")
        assert await stored(store, ProjectNote, "id") == [("two",)]
        assert await stored(store, ProjectNoteTag, "note_id") == [("two",)] * 3


async def test_reads_are_one_statement_each_and_use_an_index(tmp_path: Path, engine: str) -> None:
    """D52: v1 read and filtered the notes of everybody."""
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put_notes(store, ("dated", THEN), ("undated", None))
        undated, dated = await store.notes.for_project("p")
        with counted(store) as cost:
            await store.notes.get("dated")
            await store.notes.count("p")
            await store.notes.for_project("p")
            await store.notes.for_project("p", note_type="bug", tag="x", limit=9, after=undated)
            await store.notes.for_project("p", limit=9, after=dated)
            await store.notes.search("p", "text")
            await store.notes.search("p", "text", note_type="bug", limit=9, after=dated)
        cost.must_be(7, 7)
        if engine == "sqlite":
            plans = [await query_plan(store, [statement]) for statement in cost.statements]
            assert "(project_id=? AND created_at>?)" in plans[4]
            assert all("SEARCH project_notes USING" in plan and "SCAN project_note" not in plan for plan in plans)


async def test_writes_cost_a_statement_and_one_more_for_tags(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        with counted(store) as cost:
            async with store.begin() as unit:
                await unit.notes.create("p", "t", "c", note_id="n")
        cost.must_be(1, 2)
        with counted(store) as cost:
            async with store.begin() as unit:
                await unit.notes.create("p", "t", "c", tags=["a", "b", "c"])
        cost.must_be(2, 2)
        with counted(store) as cost:
            async with store.begin() as unit:
                await unit.notes.update("n", title="u", tags=["d"])
        cost.must_be(3, 2, locks=1)
        with counted(store) as cost:
            async with store.begin() as unit:
                await unit.notes.delete("n")
        cost.must_be(2, 2)
        assert await scans(store, cost.statements) == []
