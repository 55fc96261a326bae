"""Sorting what was found in an answer into the categories that a phase is scored by."""

from collections.abc import Iterable, Mapping, Sequence

from socrates.drafts import NewSpec
from socrates.llm.answers import Categorized, Insights, texts_of
from socrates.rules.conflicts import as_compared

Fields = Mapping[str, tuple[str, ...]]
"""What was found, by field, no field without statements."""

_CATEGORY_OF = {"technology": "tech_stack", "budget": "constraints"}
"""Of fields that are not called like their category (agents, 5.3)."""

_BY_FIELD = 0.7
"""Confidence of a category that follows from the field alone (llm-client, operation 13)."""

_VALUE = 1.0


def fields_of(insights: Insights | Mapping[str, object]) -> Fields:
    """The statements of each field; a note is none."""
    given = insights.as_dict() if isinstance(insights, Insights) else insights
    found = {
        name: texts_of(value if isinstance(value, list | tuple) else [value])
        for name, value in given.items()
        if name != "note"
    }
    return {name: values for name, values in found.items() if values}


def specs_of(answer: Iterable[Categorized], fields: Fields, categories: Sequence[str]) -> tuple[NewSpec, ...]:
    """What the model sorted, each content once; without content or with another category it is dropped.

    There are no more of them than statements: each adds to the score, so a model that is talked into repeating one in
    other words would raise it.
    """
    valid = {category.casefold(): category for category in categories}
    specs: dict[str, NewSpec] = {}
    for found in answer:
        category = valid.get(found.category.casefold())
        if found.content and category:
            source = _source_field(found.content, fields)
            specs.setdefault(found.content, NewSpec(category, found.content, found.confidence, _VALUE, source))
    return tuple(specs.values())[: sum(map(len, fields.values()))]


def specs_by_field(fields: Fields, categories: Sequence[str]) -> tuple[NewSpec, ...]:
    """Each statement in the category of its field; a field that fits no category is left out."""
    return tuple(
        NewSpec(category, content, _BY_FIELD, _VALUE, field)
        for field, values in fields.items()
        for category in _categories_of(field, categories)
        for content in values
    )


def _source_field(content: str, fields: Fields) -> str:
    """The field that has a statement which occurs in the content."""
    said = as_compared(content)
    named = (name for name, values in fields.items() for value in values if as_compared(value) in said)
    return next(named, "unknown")


def _categories_of(field: str, categories: Sequence[str]) -> Sequence[str]:
    """The field's category: its own, else the first whose name holds the field's; or none."""
    own = _CATEGORY_OF.get(field, field)
    if own in categories:
        return [own]
    return [category for category in categories if field.lower() in category.lower()][:1]
