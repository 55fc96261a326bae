"""The victims' process, and for each operation a judge, all of them made once per worker."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.faults.judge import Judge
from tests.faults.operations import OPERATIONS, Operation
from tests.faults.trial import Stage, Victims


@pytest.fixture(scope="session")
def victims() -> Iterator[Victims]:
    with Victims() as process:
        yield process


@pytest.fixture(scope="session")
def judge_of(victims: Victims, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Operation], Judge]:
    @cache
    def made(operation: Operation) -> Judge:
        return Judge(Stage(victims, operation, tmp_path_factory.mktemp(operation.name)))

    return made


@pytest.fixture(params=OPERATIONS, ids=lambda operation: operation.name)
def judge(request: pytest.FixtureRequest, judge_of: Callable[[Operation], Judge]) -> Judge:
    """Of each operation in turn."""
    return judge_of(request.param)
