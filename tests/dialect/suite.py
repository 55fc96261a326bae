"""All of SQLAlchemy's suite for dialects."""

from typing import Any

from sqlalchemy.testing.suite import *  # noqa: F403
from sqlalchemy.testing.suite import ServerSideCursorsTest as _ServerSideCursorsTest


class ServerSideCursorsTest(_ServerSideCursorsTest):
    """SQLAlchemy asks by the driver's name, and knows no name but its own."""

    def _is_server_side(self, cursor: Any) -> bool:
        return bool(cursor.server_side)
