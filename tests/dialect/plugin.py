"""SQLAlchemy's pytest plugin, and the dialects that it may be pointed at.

Loaded with ``-p``, not as a conftest.py, which the project's own tests would load too.
"""

from typing import Any

import pytest
from sqlalchemy.dialects import registry

from socrates.database.onehop import OneHopDialect

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

# SQLAlchemy looks for a dialect's test database beside the dialect; ours has none but SQLite's.
import sqlalchemy.dialects.sqlite.provision  # noqa: E402, F401
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403


class OneHopImmediate(OneHopDialect):
    """Our dialect as the writer's engine uses it; a class, because the suite makes its engines from URLs alone."""

    driver = "onehopimmediate"
    supports_statement_cache = True

    def __init__(self, **options: Any) -> None:
        super().__init__(transaction_mode="IMMEDIATE", **options)


registry.register("sqlite.onehop", "socrates.database.onehop", "OneHopDialect")
registry.register("sqlite.onehopimmediate", __name__, "OneHopImmediate")
