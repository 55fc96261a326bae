"""Every exception that `socrates` raises of its own accord.

    SocratesError
    ├── ConfigurationError          a setting or option that cannot be used as it is
    ├── InvalidValueError           a value that cannot be stored, or an argument that makes no sense
    ├── NotFoundError               no record has this key
    │   ├── ProjectNotFoundError
    │   └── UserNotFoundError
    ├── AlreadyExistsError          a record has this key already
    ├── ConflictError               somebody else saved the record since it was read
    ├── QuotaExceededError          a limit is used up
    ├── LoginRefusedError           name and passcode do not fit together
    ├── ThrottledError              too many log-ins under this name failed; wait
    ├── DocumentError               a document whose text cannot be read
    ├── LLMError                    a call of a language model that failed; its type says how
    │   └── LLMConfigurationError   no key, or a provider that cannot be called; a ConfigurationError too
    └── DatabaseError               the database, or the file that should be one
        ├── BusyError               somebody else held the database for longer than the caller can wait
        ├── SerializationError      two units of work got in each other's way; run it again
        ├── KnowledgeIndexError     the index of knowledge cannot serve; the database can, and it holds everything
        ├── ClosedError             the store, or the unit of work, is closed
        ├── SchemaError             the database's schema is not the one this version works on
        ├── MigrationError          an upgrade or downgrade that was refused or rolled back
        │   ├── NotRecognisedError  the file is neither v1's, nor ours, nor empty
        │   ├── QuarantineError     strict mode met rows that cannot be read
        │   └── ChangedSinceError   a downgrade would lose what was written since the import
        └── DamagedRecordError      one record that cannot be read as what it should be

A message says what is wrong, where, and what to do about it. It never holds a key, a hash or a passcode.
"""

from typing import Literal


class SocratesError(Exception):
    """The root of the tree."""


class ConfigurationError(SocratesError):
    """A setting or option that cannot be used as it is."""


class InvalidValueError(SocratesError):
    """A value cannot be stored, or an argument makes no sense. Nothing was changed."""


class NotFoundError(SocratesError):
    """No record of this `kind` has this `key`."""

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"there is no {kind} {key!r}")
        self.kind = kind
        self.key = key

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.kind, self.key)


class ProjectNotFoundError(NotFoundError):
    """No project has this id."""

    def __init__(self, project_id: str) -> None:
        super().__init__("project", project_id)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.key,)


class UserNotFoundError(NotFoundError):
    """No user has this name."""

    def __init__(self, username: str) -> None:
        super().__init__("user", username)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.key,)


class AlreadyExistsError(SocratesError):
    """A record with this key is there already. Nothing was changed."""


class ConflictError(SocratesError):
    """Somebody else saved the record after it was read: `expected` is the version read, `actual` the one stored now."""

    def __init__(self, key: str, expected: int, actual: int) -> None:
        super().__init__(
            f"{key!r} was saved by somebody else: you read version {expected}, the database has version {actual}. "
            "Nothing was changed. Read it again and repeat the change."
        )
        self.key = key
        self.expected = expected
        self.actual = actual

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.key, self.expected, self.actual)


class QuotaExceededError(SocratesError):
    """`used` has reached `limit`. Nothing was changed."""

    def __init__(self, what: str, used: int, limit: int) -> None:
        super().__init__(f"{what}: {used} of {limit} are used up")
        self.what = what
        self.used = used
        self.limit = limit

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.what, self.used, self.limit)


class LoginRefusedError(SocratesError):
    """Nobody may log in with this name and passcode. Which of the two is wrong, and why, is not told."""


class ThrottledError(SocratesError):
    """Too many log-ins under this name failed: the next attempt is let in after `retry_after` seconds, rounded up."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many log-ins under this name failed: wait {retry_after} s, then try again")
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.retry_after,)


class DocumentError(SocratesError):
    """A document's text cannot be read: it is missing, damaged, encrypted, or no text. Nothing was changed."""


LLMErrorType = Literal[
    "AUTHENTICATION_ERROR",
    "BUDGET_EXCEEDED",
    "CONFIGURATION_ERROR",
    "CONNECTION_ERROR",
    "EMPTY_RESPONSE",
    "GENERATION_ERROR",
    "PARSE_ERROR",
    "RATE_LIMITED",
    "TIMEOUT",
    "TRUNCATED",
]


class LLMError(SocratesError):
    """A call of a language model failed. `status` is the HTTP status, where there was one."""

    code = "API_ERROR"
    """What v1 called every failure of its client."""

    def __init__(self, message: str, error_type: LLMErrorType, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.error_type = error_type
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.error_type, self.status)


class LLMConfigurationError(LLMError, ConfigurationError):
    """A model cannot be called as things are set up: no key for its provider, or no way to call that provider."""


class DatabaseError(SocratesError):
    """The database, or the file that should be one, cannot serve."""


class BusyError(DatabaseError):
    """Somebody else held the database, or its one writer, for longer than the setting `lock_timeout`."""


class SerializationError(DatabaseError):
    """Two units of work got in each other's way and the database gave up one of them: nothing of it was stored.

    `Store.transact` runs such a unit again by itself.
    """


class KnowledgeIndexError(DatabaseError):
    """The index of knowledge cannot serve. It holds nothing that the database does not, and can be made anew."""


class ClosedError(DatabaseError):
    """The store, or the unit of work, is closed."""


class SchemaError(DatabaseError):
    """The database's schema is not the one this version works on; the message names the command that mends it."""


class MigrationError(DatabaseError):
    """An upgrade or downgrade was refused or failed; the database is as it was before."""


class NotRecognisedError(MigrationError):
    """The file is neither v1's, nor ours, nor empty."""


class QuarantineError(MigrationError):
    """Strict mode: some v1 rows cannot be read, so nothing was imported."""


class ChangedSinceError(MigrationError):
    """A downgrade would lose rows that were added, changed or deleted since the import."""


class DamagedRecordError(DatabaseError):
    """One record cannot be read. For v1's, the message is the reason that the quarantine keeps."""
