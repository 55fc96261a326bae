"""Keeps what rows and parameters hold out of the logs: hashes, keys, people's texts.

`hide_parameters` does it for the parameters that SQLAlchemy logs, and for nothing else.
"""

import logging

LOGGING_NAME = "socrates"
"""Sets our engines' loggers apart from those of other engines in the process, which are none of our business."""


def _shows_no_row(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Row ")


def _shows_no_call(_record: logging.LogRecord) -> bool:
    return False


def silence_aiosqlite() -> None:
    """For the stock driver, which hands aiosqlite its parameters, and those it logs at DEBUG. Ours does not."""
    logging.getLogger("aiosqlite").addFilter(_shows_no_call)


logging.getLogger(f"sqlalchemy.engine.Engine.{LOGGING_NAME}").addFilter(_shows_no_row)
