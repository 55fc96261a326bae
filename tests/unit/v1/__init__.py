"""Tests of what knows the old format."""
