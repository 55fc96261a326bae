"""What models are asked to answer with, where it is not free text. Each model of these is also the JSON schema sent.

Whatever comes is hostile or careless: unknown keys go, a single text becomes a list of one, numeric texts become
numbers, numbers are brought into their range, and of a list only what is text stays.
"""

import math
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, OnErrorOmit, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticUseDefault

from socrates.llm.storable import storable
from socrates.rules.conflicts import Severity

_T = TypeVar("_T")


def _text(value: Any) -> Any:
    """A text, trimmed; a number as it is written."""
    if isinstance(value, bool) or value is None:
        return ""
    return storable(str(value)).strip() if isinstance(value, str | int | float) else value


def _texts(value: Any) -> Any:
    """Texts, trimmed, none empty, none twice, in their order."""
    if value is None:
        return ()
    items = value if isinstance(value, list | tuple) else [value]
    found = (_text(item) for item in items)
    return tuple(dict.fromkeys(item for item in found if isinstance(item, str) and item))


def _words(value: Any) -> Any:
    """Texts, trimmed, in their order, also twice: each has its place."""
    items = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return tuple(item for item in map(_text, items) if isinstance(item, str))


def _share(value: Any) -> Any:
    """A number from 0 to 1; the field's default in the place of what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise PydanticUseDefault
    return min(max(number, 0.0), 1.0)


def _severity(value: Any) -> Any:
    word = str(value).strip().lower()
    return word if word in get_args(Severity) else "medium"


def _list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
_Ours = Annotated[str, BeforeValidator(lambda value: "")]
"""A text that no model can set."""
Share = Annotated[float, BeforeValidator(_share)]
Several = Annotated[tuple[OnErrorOmit[_T], ...], BeforeValidator(_list)]
"""Of a list what can be read as this kind. What cannot is as good as not said, and spoils nothing else."""


class Answer(BaseModel):
    """The form of an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    LIST: ClassVar[str | None] = None
    """The field that a bare array is taken for."""


class Insights(Answer):
    """What an answer of the user's says about the project; `note` instead, when it says nothing on purpose."""

    goals: Texts = ()
    requirements: Texts = ()
    tech_stack: Texts = ()
    constraints: Texts = ()
    team_structure: Text = ""
    note: SkipJsonSchema[_Ours] = ""

    @classmethod
    def of_somebody_uncertain(cls) -> "Insights":
        """Nothing but a note that says so."""
        return cls.model_construct(note="The user is uncertain about this, and needs guidance.")

    @property
    def has_statements(self) -> bool:
        """False: there is nothing to check for conflicts, to score or to store."""
        return bool(self.as_dict().keys() - {"note"})

    def as_dict(self) -> dict[str, Any]:
        """What was found, by field, as v1 had it; `{}` for nothing."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items() if value}


class Interpretation(Answer):
    """One command that the user may have meant."""

    command: Text
    confidence: Share = 0.0
    reasoning: Text = ""
    args: Words = ()


class Interpretations(Answer):
    """The commands that the user may have meant, the best first."""

    LIST = "interpretations"

    interpretations: Several[Interpretation] = ()


class Categorized(Answer):
    """One insight, and the category it belongs to."""

    content: Text = ""
    category: Text = ""
    confidence: Share = 0.9


class Categorization(Answer):
    """The insights with their categories."""

    LIST = "specs"

    specs: Several[Categorized] = ()


class Verdict(Answer):
    """Whether a new statement contradicts one that stands."""

    new: Text = ""
    has_conflict: bool
    conflicting_with: Text = ""
    severity: Annotated[Severity, BeforeValidator(_severity)] = "medium"
    explanation: Text = ""
    suggestions: Texts = ()


class Verdicts(Answer):
    """One verdict for each new statement."""

    LIST = "verdicts"

    verdicts: Several[Verdict] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_one(cls, value: Any) -> Any:
        """A verdict that stands alone is a list of one."""
        return {"verdicts": [value]} if isinstance(value, dict) and "verdicts" not in value else value


class Roles(Answer):
    """Who should answer a question."""

    LIST = "roles"

    roles: Texts = ()


def texts_of(values: Iterable[object]) -> tuple[str, ...]:
    """Texts, trimmed, none empty, none twice, in their order."""
    found: tuple[str, ...] = _texts(list(values))
    return found
