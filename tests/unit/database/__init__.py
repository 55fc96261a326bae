"""Tests of how a database is named and opened."""
