"""What the tests share: v1 files, the Alembic command, the expected rows."""
