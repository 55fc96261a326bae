"""A backup is on the disk before anything is changed: what no kill shows, only a loss of power."""

from collections.abc import Callable

import pytest

from tests.faults.judge import Judge
from tests.faults.moments import FILE, STATEMENT
from tests.faults.operations import DOWNGRADE, DROP_V1, UPGRADE, UPGRADE_OURS, Operation

CHANGES = ("ALTER", "CREATE", "DELETE", "DROP", "INSERT", "UPDATE")


@pytest.mark.parametrize("operation", [UPGRADE, UPGRADE_OURS, DOWNGRADE, DROP_V1], ids=lambda operation: operation.name)
def test_the_backup_is_synced_then_renamed_then_its_name_synced_and_only_then_is_anything_changed(
    operation: Operation, judge_of: Callable[[Operation], Judge]
) -> None:
    moments = [what for _, what in judge_of(operation).stage.moments((FILE, STATEMENT))]
    (renamed,) = (number for number, what in enumerate(moments) if what.startswith("os.rename"))
    assert moments[renamed - 1] == "fsync"
    assert moments[renamed + 2] == "fsync"  # after the directory was opened
    assert min(number for number, what in enumerate(moments) if what.startswith(CHANGES)) > renamed + 2
