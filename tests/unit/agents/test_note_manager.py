"""Notes: what is stored, who may, what is told."""

import pytest

from socrates.events import EventType
from tests.support.systems import Lab, with_project

NOTE = {"project_id": "p1", "note_type": "idea", "title": "Lending", "content": "By phone, too.", "tags": ["phone"]}


@pytest.fixture
async def notes(lab: Lab) -> Lab:
    await with_project(lab, members={"bob": "creator"})
    return lab


async def add(lab: Lab, user: str = "bob", **changes: object) -> str:
    response = await lab.done("note_manager", "add_note", user, **{**NOTE, **changes})
    note_id: str = response.note.note_id
    return note_id


async def test_a_note_is_added_and_told(notes: Lab) -> None:
    note_id = await add(notes)
    stored = await notes.store.notes.get(note_id)
    assert (stored.title, stored.note_type, stored.created_by, stored.tags) == ("Lending", "idea", "bob", ("phone",))
    (event,) = await notes.events()
    assert event.type == EventType.NOTE_ADDED
    assert event.payload.model_dump() == {
        "agent": "note_manager",
        "project_id": "p1",
        "user_id": "bob",
        "note_id": note_id,
    }


async def test_a_list_shows_the_beginning_of_notes(notes: Lab) -> None:
    await add(notes, content="x" * 101)
    await add(notes, content="y" * 100, note_type="bug")
    listed = await notes.done("note_manager", "list_notes", project_id="p1")
    assert [(note.type, note.preview) for note in listed.notes] == [("idea", "x" * 100 + "..."), ("bug", "y" * 100)]
    (note,) = (await notes.done("note_manager", "list_notes", project_id="p1", note_type="bug")).notes
    assert note.type == "bug"


async def test_pages_of_notes_follow_each_other(notes: Lab) -> None:
    ids = [await add(notes, title=str(number)) for number in range(3)]
    first = await notes.done("note_manager", "list_notes", project_id="p1", limit=2)
    rest = await notes.done("note_manager", "list_notes", project_id="p1", after=first.notes[-1].note_id)
    assert [note.note_id for note in (*first.notes, *rest.notes)] == ids


async def test_notes_are_found_by_what_they_say(notes: Lab) -> None:
    note_id = await add(notes)
    await add(notes, title="Other", content="nothing", tags=[])
    found = await notes.done("note_manager", "search_notes", project_id="p1", query="PHONE")
    assert ([note.note_id for note in found.results], found.count, found.query) == ([note_id], 1, "PHONE")


async def test_its_author_and_the_owner_change_a_note(notes: Lab) -> None:
    note_id = await add(notes)
    await notes.events()
    changed = await notes.done("note_manager", "update_note", "ada", note_id=note_id, title="Borrowing")
    assert (changed.note.title, changed.note.tags) == ("Borrowing", ("phone",))
    (event,) = await notes.events()
    assert event.type == EventType.NOTE_UPDATED
    ada = await add(notes, "ada")
    assert (await notes.refused("note_manager", "update_note", "bob", note_id=ada, title="x")).code == "FORBIDDEN"
    assert (await notes.refused("note_manager", "delete_note", "bob", note_id=ada)).code == "FORBIDDEN"


async def test_an_unknown_note_is_not_reported_as_deleted(notes: Lab) -> None:
    """D33: v1 reported success for whatever it was asked to delete."""
    assert (await notes.refused("note_manager", "delete_note", note_id="nope")).code == "NOT_FOUND"
    note_id = await add(notes)
    assert (await notes.refused("note_manager", "delete_note", note_id=note_id, project_id="p2")).code == "NOT_FOUND"
    await notes.done("note_manager", "delete_note", note_id=note_id, project_id="p1")
    assert await notes.store.notes.count("p1") == 0
    assert [event.type for event in await notes.events()] == [EventType.NOTE_ADDED, EventType.NOTE_DELETED]


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("add_note", NOTE),
        ("list_notes", {"project_id": "p1"}),
        ("search_notes", {"project_id": "p1", "query": "x"}),
    ],
)
async def test_strangers_learn_nothing_of_a_project(notes: Lab, action: str, fields: dict[str, object]) -> None:
    """D62: v1 checked neither who asks nor whether the project exists."""
    for project_id in ("p1", "p2"):
        failure = await notes.refused("note_manager", action, "eve", **{**fields, "project_id": project_id})
        assert (failure.code, failure.message) == ("PROJECT_NOT_FOUND", f"there is no project {project_id!r}")
    assert await notes.events() == []


async def test_a_note_of_a_project_that_is_not_theirs_is_unknown_to_strangers(notes: Lab) -> None:
    """D62: v1 let everybody delete every note."""
    note_id = await add(notes)
    failure = await notes.refused("note_manager", "delete_note", "eve", note_id=note_id)
    unknown = await notes.refused("note_manager", "delete_note", "eve", note_id="nope")
    assert failure.code == unknown.code == "NOT_FOUND"
    assert failure.message.replace(note_id, "nope") == unknown.message


async def test_nothing_is_written_to_an_archived_project(notes: Lab) -> None:
    note_id = await add(notes)
    async with notes.store.begin() as unit:
        await unit.projects.archive("p1")
    assert (await notes.refused("note_manager", "add_note", **NOTE)).code == "PROJECT_ARCHIVED"
    assert (await notes.refused("note_manager", "delete_note", note_id=note_id)).code == "PROJECT_ARCHIVED"
    assert (await notes.done("note_manager", "list_notes", project_id="p1")).count == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "  "}, "title"),
        ({"content": None}, "content"),
        ({"note_type": "poem"}, "note_type"),
        ({"tags": "phone"}, "tags"),
        ({"colour": "red"}, "colour"),
        ({"project_id": "x" * 513}, "project_id"),
    ],
)
async def test_a_bad_request_is_told_which_field_is_wrong(notes: Lab, changes: dict[str, object], field: str) -> None:
    """D80: v1 failed with an attribute error, or stored it."""
    failure = await notes.refused("note_manager", "add_note", **{**NOTE, **changes})
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
    assert await notes.store.notes.count("p1") == 0


async def test_an_update_without_a_change_is_refused(notes: Lab) -> None:
    note_id = await add(notes)
    assert (await notes.refused("note_manager", "update_note", "bob", note_id=note_id)).code == "INVALID_REQUEST"
