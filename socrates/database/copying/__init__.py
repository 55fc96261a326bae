"""Copies a whole database into an empty one, on whichever engines, and compares every value before it is kept.

Rows travel in one form, the *stored* one (`tables.Kind`), from `sqlite_side` or `postgres_side` to either.
"""
