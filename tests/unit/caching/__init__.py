"""The general cache, without a database."""
