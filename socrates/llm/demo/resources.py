"""The files in texts/: templates with slots, and tables."""

import tomllib
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any


@cache
def template(name: str) -> Template:
    """A file as a text with slots."""
    return Template(_read(name))


@cache
def table(name: str) -> dict[str, Any]:
    """A TOML file; don't change it."""
    return tomllib.loads(_read(name))


def _read(name: str) -> str:
    return (files("socrates.llm.demo") / "texts" / name).read_text(encoding="utf-8")
