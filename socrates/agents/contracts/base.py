"""What all requests and responses share."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

_LONGEST_KEY = 512
"""Bytes in UTF-8, as of any text that PostgreSQL indexes here."""

_LONGEST_TEXT = 1_000_000
"""Characters of anything that a person writes or pastes; documents are longer, and have a limit of their own."""


def _key(value: str) -> str:
    if len(value.encode(errors="surrogatepass")) > _LONGEST_KEY:
        raise ValueError(f"must have at most {_LONGEST_KEY} bytes")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


Key = Annotated[str, StringConstraints(min_length=1), AfterValidator(_key)]
"""An id or a name, exactly as it was stored: blanks are part of it."""

Text = Annotated[str, StringConstraints(max_length=_LONGEST_TEXT), AfterValidator(_not_blank)]
"""What a person wrote; it is kept as it is."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""A name or a title, without blanks around it."""

Phase = Literal["discovery", "analysis", "design", "implementation"]

Role = Literal["lead", "creator", "specialist", "analyst", "coordinator"]

Position = Annotated[int, Field(ge=0, lt=2**63)]
"""The place of a message in its conversation, counted from 0."""

Limit = Annotated[int, Field(ge=1, le=1000)]
"""How many entries a list has at most."""


def asker(*names_of_v1: str) -> Any:
    """The field of who asks, which in v1 had another name in this action; both are taken."""
    return Field(validation_alias=AliasChoices("current_user", *names_of_v1))


class Request(BaseModel):
    """What an agent is asked. Every request says what to do and who wants it; what it does not know, it refuses.

    `current_user` is whom the caller of the orchestrator has authenticated; agents decide what that person may do, and
    believe that it is that person.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    action: str
    current_user: Key


class OfProject(Request):
    """A request about one project."""

    project_id: Key


class Shown(BaseModel):
    """Part of a response that is made of a view: `ThisShown.model_validate(view)`."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Response(BaseModel):
    """What an agent answers. `model_dump(mode="json")` is all of it."""

    model_config = ConfigDict(frozen=True)

    status: Literal["success", "error", "confirmation_needed"]


class Success(Response):
    """It is done; what the action answers with stands in further fields, the same ones at every time (mends D81)."""

    status: Literal["success"] = "success"


class Failure(Response):
    """It was not done. `code` is for programs, `message` says what to do about it.

    Nothing was stored, but for what an action says it stores first, and after a TIMEOUT what had been stored by then.
    `field` names what was wrong with the request, `details` holds numbers such as a limit and what is used of it.
    """

    status: Literal["error"] = "error"
    code: str
    message: str
    field: str | None = None
    details: dict[str, JsonValue] = Field(default_factory=dict)
