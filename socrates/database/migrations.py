"""Running the revisions from code, from a checkout as well as from an installed wheel."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from alembic import command
from alembic.config import Config

import socrates


def directory() -> Path:
    """Where env.py and the revisions lie: inside the package when it was installed, beside it in a checkout."""
    package = Path(socrates.__file__).parent
    packaged = package / "_migrations"
    return packaged if packaged.is_dir() else package.parent / "alembic"


def upgrade(options: Mapping[str, str], revision: str = "head") -> None:
    """`alembic upgrade`, with `options` as its ``-x`` arguments. Prints the outcome; raises SystemExit like it."""
    command.upgrade(_config(options), revision)


def downgrade(options: Mapping[str, str], revision: str = "base") -> None:
    """`alembic downgrade`, in the same way."""
    command.downgrade(_config(options), revision)


def _config(options: Mapping[str, str]) -> Config:
    arguments = [f"{name}={value}" for name, value in options.items()]
    # cmd_opts is what tells env.py that a person at a terminal asks, who wants messages and an exit status.
    config = Config(cmd_opts=Namespace(x=arguments))
    config.set_main_option("script_location", str(directory()).replace("%", "%%"))
    return config
