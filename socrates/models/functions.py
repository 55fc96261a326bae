"""SQL functions that the engines name differently.

On SQLite they are functions of ours, which each connection is given (database/sqlite_connection.py).
"""

from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class contains_folded(GenericFunction[bool]):
    """``contains_folded(text, needle)``: whether the text contains the needle, which is case-folded already."""

    type = Boolean()
    inherit_cache = True


class decimal_sum(GenericFunction[Any]):
    """``decimal_sum(column)``: the exact sum of decimals, 0 where all are NULL, or there are none."""

    inherit_cache = True


@compiles(contains_folded, "postgresql")
def _contains_folded(function: contains_folded, compiler: SQLCompiler, **options: Any) -> str:
    text, needle = (compiler.process(clause, **options) for clause in function.clauses)
    # `lower` would do for most alphabets, but not turn ß into ss.
    return f"position({needle} IN casefold({text} COLLATE pg_unicode_fast)) > 0"


@compiles(decimal_sum, "postgresql")
def _decimal_sum(function: decimal_sum, compiler: SQLCompiler, **options: Any) -> str:
    return f"coalesce(sum({compiler.process(function.clauses, **options)}), 0)"


@compiles(decimal_sum, "sqlite")
def _decimal_sum_of_ours(function: decimal_sum, compiler: SQLCompiler, **options: Any) -> str:
    # An aggregate of Python's that was given no row at all gives NULL.
    return f"coalesce(decimal_sum({compiler.process(function.clauses, **options)}), '0')"
