"""What tests of migrations share."""

import pytest

from socrates.cli import migrating
from socrates.v1 import files


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrations in this process wait for a lock a moment only, not for seconds."""
    monkeypatch.setattr(migrating, "_LOCK_SECONDS", 0.3)
    monkeypatch.setattr(files, "_WAIT_SECONDS", 0.3)
