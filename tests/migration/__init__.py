"""Tests of the import of v1 files, black box, from the format's specification."""
