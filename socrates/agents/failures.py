"""What refuses a request, and how an exception is told to whoever sent it."""

from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from socrates.agents.contracts.base import Failure
from socrates.errors import (
    AlreadyExistsError,
    BusyError,
    ClosedError,
    ConfigurationError,
    ConflictError,
    DatabaseError,
    DocumentError,
    InvalidValueError,
    KnowledgeIndexError,
    LLMError,
    LoginRefusedError,
    NotFoundError,
    ProjectNotFoundError,
    QuotaExceededError,
    SerializationError,
    SocratesError,
    ThrottledError,
    UserNotFoundError,
)
from socrates.rules.subscription import Refusal

_MOST_SHOWN = 20
"""Problems of one request that are told; it can have as many as it has fields."""

_LONGEST_NAME = 80
"""Characters of a field's name."""


class RefusedError(SocratesError):
    """A request that is not carried out: `code` as in Failure, `field` where one of its fields is to blame."""

    def __init__(
        self, code: str, message: str, field: str | None = None, details: Mapping[str, JsonValue] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.details = dict(details or {})

    @classmethod
    def by_subscription(cls, refusal: Refusal) -> "RefusedError":
        """For a limit or a feature of the subscription."""
        details: dict[str, JsonValue] = {"tier": refusal.tier, "sufficient_tier": refusal.sufficient_tier}
        if refusal.limit is not None:
            details |= {"used": refusal.used, "limit": refusal.limit}
        return cls(refusal.code, refusal.message, details=details)

    @classmethod
    def by_form(cls, error: ValidationError) -> "RefusedError":
        """For a request that has not the form of its action. What was given is not repeated: it can be a secret."""
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        shown = [(_path(each["loc"]), each["msg"]) for each in problems[:_MOST_SHOWN]]
        said = "; ".join(f"{path}: {message}" if path else message for path, message in shown)
        if len(problems) > len(shown):
            said += f"; and {len(problems) - len(shown)} more"
        fields: list[JsonValue] = [path for path, _ in shown if path]
        return cls("INVALID_REQUEST", said, shown[0][0] or None, {"fields": fields})


_CODES: Mapping[type[SocratesError], str] = {
    ProjectNotFoundError: "PROJECT_NOT_FOUND",
    UserNotFoundError: "USER_NOT_FOUND",
    NotFoundError: "NOT_FOUND",
    AlreadyExistsError: "ALREADY_EXISTS",
    InvalidValueError: "INVALID_VALUE",
    ConflictError: "CONFLICT",
    QuotaExceededError: "QUOTA_EXCEEDED",
    LoginRefusedError: "LOGIN_REFUSED",
    ThrottledError: "THROTTLED",
    DocumentError: "DOCUMENT_ERROR",
    ConfigurationError: "CONFIGURATION_ERROR",
    BusyError: "BUSY",
    SerializationError: "BUSY",
    KnowledgeIndexError: "KNOWLEDGE_INDEX_ERROR",
    ClosedError: "CLOSED",
    DatabaseError: "DATABASE_ERROR",
    SocratesError: "ERROR",
}
"""The codes by the exceptions of socrates/errors.py; a failed call of a model has its own `error_type`."""


def failure_of(error: SocratesError) -> Failure:
    """What whoever sent the request is told."""
    if isinstance(error, RefusedError):
        return Failure(code=error.code, message=str(error), field=error.field, details=error.details)
    if isinstance(error, LLMError):
        return Failure(code=error.error_type, message=str(error))
    code = next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
    return Failure(code=code, message=str(error), details=_details(error))


def _details(error: SocratesError) -> dict[str, JsonValue]:
    match error:
        case ConflictError():
            return {"expected": error.expected, "actual": error.actual}
        case QuotaExceededError():
            return {"used": error.used, "limit": error.limit}
        case ThrottledError():
            return {"retry_after": error.retry_after}
    return {}


def _path(places: tuple[int | str, ...]) -> str:
    return ".".join(map(_place, places))


def _place(place: int | str) -> str:
    """A field's name. One that somebody made up is cut, and quoted: it can be long, or what no text may hold."""
    name = str(place)[:_LONGEST_NAME]
    return name if name.isascii() and name.isprintable() else ascii(name)
