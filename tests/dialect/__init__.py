"""SQLAlchemy's own dialect suite, run against our driver and against the stock one (`make dialect-suite`).

Nothing here is collected by the project's tests: SQLAlchemy's suite brings its own plugin for pytest, with other ideas
of what a test is, so `compare` runs it in processes of its own.
"""
