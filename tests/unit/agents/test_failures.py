"""What whoever sent a request is told of an exception."""

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

from socrates import errors
from socrates.agents.failures import RefusedError, failure_of
from socrates.errors import SocratesError
from socrates.rules.subscription import Refusal

CASES: list[tuple[SocratesError, str, dict[str, object]]] = [
    (errors.ProjectNotFoundError("p1"), "PROJECT_NOT_FOUND", {}),
    (errors.UserNotFoundError("ada"), "USER_NOT_FOUND", {}),
    (errors.NotFoundError("note", "n1"), "NOT_FOUND", {}),
    (errors.AlreadyExistsError("there"), "ALREADY_EXISTS", {}),
    (errors.InvalidValueError("no"), "INVALID_VALUE", {}),
    (errors.ConflictError("p1", 1, 2), "CONFLICT", {"expected": 1, "actual": 2}),
    (errors.QuotaExceededError("questions", 5, 5), "QUOTA_EXCEEDED", {"used": 5, "limit": 5}),
    (errors.LoginRefusedError("no"), "LOGIN_REFUSED", {}),
    (errors.ThrottledError(3), "THROTTLED", {"retry_after": 3}),
    (errors.DocumentError("no"), "DOCUMENT_ERROR", {}),
    (errors.ConfigurationError("no"), "CONFIGURATION_ERROR", {}),
    (errors.LLMError("no", "RATE_LIMITED", 429), "RATE_LIMITED", {}),
    (errors.LLMConfigurationError("no", "AUTHENTICATION_ERROR"), "AUTHENTICATION_ERROR", {}),
    (errors.BusyError("no"), "BUSY", {}),
    (errors.SerializationError("no"), "BUSY", {}),
    (errors.KnowledgeIndexError("no"), "KNOWLEDGE_INDEX_ERROR", {}),
    (errors.ClosedError("no"), "CLOSED", {}),
    (errors.DamagedRecordError("no"), "DATABASE_ERROR", {}),
    (errors.SocratesError("no"), "ERROR", {}),
    (RefusedError("FORBIDDEN", "no", "current_user", {"a": 1}), "FORBIDDEN", {"a": 1}),
]


def kinds(root: type[SocratesError]) -> set[type[SocratesError]]:
    return {root}.union(*(kinds(each) for each in root.__subclasses__() if each.__module__ == errors.__name__))


@pytest.mark.parametrize(("error", "code", "details"), CASES, ids=lambda value: type(value).__name__)
def test_each_exception_has_its_code(error: SocratesError, code: str, details: dict[str, object]) -> None:
    failure = failure_of(error)
    assert (failure.code, failure.message, failure.details) == (code, str(error), details)
    assert failure.model_dump(mode="json")["status"] == "error"


def test_every_exception_of_ours_is_told_by_a_code_of_its_own_or_its_kind() -> None:
    told = {type(error) for error, *_ in CASES}
    below = {kind for kind in kinds(errors.DatabaseError) if kind not in told}
    assert kinds(SocratesError) - told - below == set()


def test_a_limit_of_the_subscription_is_told_in_numbers() -> None:
    refusal = Refusal("PROJECT_LIMIT", "1 of 1", "free", "pro", 1, 1)
    failure = failure_of(RefusedError.by_subscription(refusal))
    assert failure.code == "PROJECT_LIMIT"
    assert failure.details == {"tier": "free", "sufficient_tier": "pro", "used": 1, "limit": 1}


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr
    days: int = 1

    @model_validator(mode="after")
    def _none_on_mondays(self) -> "Form":
        if self.days == 7:
            raise ValueError("not seven")
        return self


def refused(given: dict[str, object]) -> RefusedError:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate(given)
    return RefusedError.by_form(caught.value)


def test_a_form_tells_the_fields_and_not_what_was_given() -> None:
    refusal = refused({"api_key": ["sk-secret"], "days": "sk-secret", "key": "sk-secret"})
    assert (refusal.code, refusal.field) == ("INVALID_REQUEST", "api_key")
    assert refusal.details == {"fields": ["api_key", "days", "key"]}
    assert "sk-secret" not in str(refusal)


def test_what_is_wrong_with_the_whole_blames_no_field() -> None:
    refusal = refused({"api_key": "k", "days": 7})
    assert (refusal.field, refusal.details) == (None, {"fields": []})
    assert "not seven" in str(refusal)
