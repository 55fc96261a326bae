"""Repositories, each on a database of its own."""
