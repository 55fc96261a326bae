"""The synchronous face: the same abilities, without asyncio."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from socrates import sync
from socrates.config import Settings
from socrates.drafts import NewMessage
from socrates.errors import ClosedError, NotFoundError, NotRecognisedError, ProjectNotFoundError, SocratesError
from socrates.store import Store
from tests.support.stores import fresh_file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sync.Store]:
    with sync.Store.open(fresh_file(tmp_path)) as store:
        yield store


def a_project(store: sync.Store, name: str = "Library") -> str:
    with store.begin() as unit:
        return str(unit.projects.create(name, "ada").id)


def append_and_fail(store: sync.Store, project_id: str) -> None:
    with store.begin() as unit:
        unit.conversations.append(project_id, NewMessage("user", "lost"))
        raise ZeroDivisionError


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "socrates"]


def test_what_a_unit_wrote_is_read_afterwards(store: sync.Store) -> None:
    project_id = a_project(store)
    with store.begin() as unit:
        unit.conversations.append(project_id, NewMessage("user", "It must lend books."))
    assert [message.content for message in store.conversations.last(project_id)] == ["It must lend books."]
    assert [project.id for project in store.projects.for_user("ada")] == [project_id]


def test_an_exception_rolls_the_unit_back_and_is_the_callers_own(store: sync.Store) -> None:
    project_id = a_project(store)
    with pytest.raises(ZeroDivisionError):
        append_and_fail(store, project_id)
    assert store.conversations.count(project_id) == 0
    a_project(store, "the writer is free again")


def test_exceptions_of_the_store_come_through(store: sync.Store) -> None:
    with pytest.raises(ProjectNotFoundError, match="nowhere"):
        store.projects.summary("nowhere")
    with pytest.raises(NotFoundError), store.begin() as unit:
        unit.projects.delete("nowhere")


def test_an_asynchronous_iterator_is_a_plain_one(store: sync.Store) -> None:
    project_id = a_project(store)
    with store.begin() as unit:
        unit.conversations.append_many(project_id, [NewMessage("user", f"{number}") for number in range(2500)])
    assert [message.content for message in store.conversations.export(project_id)] == [f"{n}" for n in range(2500)]
    first = next(store.conversations.export(project_id))
    assert first.position == 0


def test_a_second_unit_in_a_thread_is_refused_instead_of_waiting_for_ever(store: sync.Store) -> None:
    with store.begin() as unit:
        with pytest.raises(SocratesError, match="use that one"), store.begin():
            pass
        unit.projects.create("still open", "ada")
    assert len(store.projects.for_user("ada")) == 1


def test_threads_share_a_store(store: sync.Store) -> None:
    project_id = a_project(store)

    def append(number: int) -> None:
        with store.begin() as unit:
            unit.conversations.append(project_id, NewMessage("user", f"{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(80)))
    contents = {message.content for message in store.conversations.export(project_id)}
    assert contents == {f"{number}" for number in range(80)}


def test_every_ability_of_the_store_is_there(store: sync.Store) -> None:
    asynchronous = {name for name in dir(Store) if not name.startswith("_")}
    assert asynchronous <= set(dir(store))
    faces = {"projects", "conversations", "users", "notes", "learning", "knowledge", "llm"}
    assert faces <= set(dir(store))
    with store.begin() as unit:
        assert faces <= set(dir(unit))
        assert "append" in dir(unit.conversations)
    assert "append" not in dir(store.conversations)
    assert store.health().ok


def test_closing_ends_the_thread_and_closing_twice_does_nothing(tmp_path: Path) -> None:
    store = sync.Store.open(fresh_file(tmp_path))
    assert threads()
    store.close()
    store.close()
    assert not threads()
    with pytest.raises(ClosedError, match="open it again"):
        store.projects.for_user("ada")


def test_a_file_that_cannot_be_opened_leaves_no_thread_behind(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database " * 100)
    with pytest.raises(NotRecognisedError):
        sync.Store.open(tmp_path / "text.db")
    assert not threads()


def test_closing_rolls_back_what_another_thread_has_open(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    store = sync.Store.open(path, Settings(close_timeout=0.1))
    begun, closed = threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            with store.begin() as unit:
                unit.users.create("ghost", "hash")
                begun.set()
                closed.wait(30)
        except BaseException as error:  # noqa: BLE001 - looked at below
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(30)
    store.close()
    closed.set()
    thread.join(30)
    assert [type(error) for error in outcome] == [ClosedError]
    with sync.Store.open(path) as again, again.begin() as unit:
        assert not unit.users.exists("ghost")


def test_nobody_waits_for_ever_when_the_store_is_closed_meanwhile(tmp_path: Path) -> None:
    for number in range(5):
        store = sync.Store.open(fresh_file(tmp_path, f"{number}.db"))
        readers = [threading.Thread(target=read_until_closed, args=(store,)) for _ in range(8)]
        closers = [threading.Thread(target=store.close) for _ in range(3)]
        for thread in (*readers, *closers):
            thread.start()
        for thread in (*readers, *closers):
            thread.join(30)
            assert not thread.is_alive()


def read_until_closed(store: sync.Store) -> None:
    closed = 0
    while closed < 20:
        try:
            store.projects.for_user("ada")
        except ClosedError:
            closed += 1


INTERRUPTED = """
import os, random, signal, sys, threading
from socrates import sync
from socrates.config import Settings

with sync.Store.open(sys.argv[1]) as store:
    for number in range(60):
        try:
            threading.Timer(random.uniform(0, 0.003), os.kill, (os.getpid(), signal.SIGINT)).start()
            with store.begin() as unit:
                unit.users.create(f"ghost {number}", "hash")
                while True:
                    unit.users.exists("ada")
        except KeyboardInterrupt:
            pass
        with store.begin() as unit:
            unit.users.create(f"user {number}", "hash")
    print(*(store.users.exists(f"{kind} {number}") for kind in ("ghost", "user") for number in range(60)))
"""


def test_an_interrupted_unit_stores_nothing_and_holds_nobody_up(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", INTERRUPTED, str(fresh_file(tmp_path))],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.split() == ["False"] * 60 + ["True"] * 60
