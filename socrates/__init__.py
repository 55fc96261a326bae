"""Socrates: the data layer of a tutor that elicits a project's requirements by Socratic questions.

The names below are loaded on first use, so that `import socrates` stays cheap (under 100 ms) and pulls in
neither SQLAlchemy nor anything heavier.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socrates.config import Settings
    from socrates.errors import ConfigurationError, DatabaseError, MigrationError, SocratesError

__version__ = "2.0.0a1"

_HOME_OF = {
    "Settings": "socrates.config",
    "SocratesError": "socrates.errors",
    "ConfigurationError": "socrates.errors",
    "DatabaseError": "socrates.errors",
    "MigrationError": "socrates.errors",
}

__all__ = [
    "ConfigurationError",
    "DatabaseError",
    "MigrationError",
    "Settings",
    "SocratesError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'socrates' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
