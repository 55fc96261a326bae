"""Every exception that `socrates` raises of its own accord.

    SocratesError
    ├── ConfigurationError          a setting or option that cannot be used as it is
    └── DatabaseError               the database, or the file that should be one
        ├── MigrationError          an upgrade or downgrade that was refused or rolled back
        │   ├── NotRecognisedError  the file is neither v1's, nor ours, nor empty
        │   ├── QuarantineError     strict mode met rows that cannot be read
        │   └── ChangedSinceError   a downgrade would lose what was written since the import
        └── DamagedRecordError      one v1 record that cannot be read as what it should be

A message says what is wrong, where, and what to do about it. It never holds a key, a hash or a passcode.
"""


class SocratesError(Exception):
    """The root of the tree."""


class ConfigurationError(SocratesError):
    """A setting or option that cannot be used as it is."""


class DatabaseError(SocratesError):
    """The database, or the file that should be one, cannot serve."""


class MigrationError(DatabaseError):
    """An upgrade or downgrade was refused or failed; the database is as it was before."""


class NotRecognisedError(MigrationError):
    """The file is neither v1's, nor ours, nor empty."""


class QuarantineError(MigrationError):
    """Strict mode: some v1 rows cannot be read, so nothing was imported."""


class ChangedSinceError(MigrationError):
    """A downgrade would lose rows that were added, changed or deleted since the import."""


class DamagedRecordError(DatabaseError):
    """One v1 record cannot be read. Its message is the reason that the quarantine keeps."""
