"""The `socrates` command."""
