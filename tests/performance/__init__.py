"""Measurements beside v1, in the same run."""
