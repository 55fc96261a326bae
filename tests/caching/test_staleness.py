"""No reader is given what a committed write has made wrong: not by any of two stores, and not in another process."""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from socrates.caching import Cache
from socrates.database.sqlite_coherence import SQLiteCoherence
from tests.caching.machine import CacheMachine
from tests.caching.reads import CACHED
from tests.caching.second_process import SecondProcess, second_process
from tests.caching.server_machine import ServerMachine
from tests.concurrency.checks import LONG
from tests.stateful.reads import READS
from tests.stateful.values import WORLDS
from tests.support.postgres import EmptyDatabases

EXAMPLES, STEPS = 10, 50
PHASES = (Phase.generate, Phase.shrink)
SEEDS = 170 if LONG else 1


@pytest.fixture(scope="module")
def other() -> Iterator[SecondProcess]:
    with second_process() as running:
        yield running


def run(
    other: SecondProcess,
    number: int,
    driver: str = "onehop",
    phases: tuple[Phase, ...] = PHASES,
    examples: int = EXAMPLES,
) -> None:
    @seed(number)
    def machine() -> CacheMachine:
        return CacheMachine(WORLDS[number % len(WORLDS)], other, driver)

    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]
        settings=settings(
            max_examples=examples, stateful_step_count=STEPS, phases=phases, database=None, deadline=None
        ),
    )


@pytest.mark.parametrize("number", range(SEEDS))
def test_no_read_is_stale(other: SecondProcess, number: int) -> None:
    before = CacheMachine.steps_done
    run(other, number)
    assert CacheMachine.steps_done - before > EXAMPLES * STEPS / 2


@pytest.mark.parametrize("number", range(20 if LONG else 1))
def test_nor_is_one_with_the_stock_driver(other: SecondProcess, number: int) -> None:
    run(other, 1000 + number, "stock", examples=EXAMPLES if LONG else 4)


@pytest.mark.postgres
def test_nor_is_one_on_a_server(empty_databases: EmptyDatabases) -> None:
    @seed(0)
    def machine() -> ServerMachine:
        return ServerMachine(WORLDS[0], empty_databases)

    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]
        settings=settings(
            max_examples=200 if LONG else 5, stateful_step_count=30, phases=PHASES, database=None, deadline=None
        ),
    )


def look(other: SecondProcess, first: int) -> None:
    """Seeds one after another until one finds what is wrong: what each draws changes with every read that is added."""
    for number in range(first, first + 20):
        run(other, number, phases=(Phase.generate,), examples=5 * EXAMPLES)


def test_a_load_that_is_kept_though_it_was_overtaken_is_found(
    other: SecondProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cache, "_was_overtaken", lambda *_: False)
    with pytest.raises(AssertionError, match="should"):
        look(other, 1)


def test_a_commit_of_others_that_is_taken_for_our_own_is_found(
    other: SecondProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absorb(coherence: SQLiteCoherence) -> None:
        if coherence._after_commit is not None:
            coherence._seen = coherence._after_commit[0]

    monkeypatch.setattr(SQLiteCoherence, "_absorb", absorb)
    with pytest.raises(AssertionError, match="should"):
        look(other, 4)


def test_every_cached_read_is_one_that_is_drawn() -> None:
    assert len(CACHED) > 20
    assert set(CACHED) <= READS.keys()
