"""Every view is frozen, holds no list, can be sent, and keeps secrets out of its text."""

import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from socrates import personal, views
from socrates.frozen import FrozenDict, freeze

VIEWS = [
    each
    for module in (views, personal)
    for each in vars(module).values()
    if isinstance(each, type) and each.__module__.startswith(module.__name__)
]
SCALARS = {str, int, float, bool, bytes, datetime, date, Decimal, type(None)}
SECRETS = {"passcode_hash", "encrypted_key", "key_hash"}
AT = datetime(2026, 1, 2, tzinfo=UTC)
EXAMPLES: dict[Any, Any] = {
    str: "text", int: 1, float: 1.5, bool: True, bytes: b"\0", datetime: AT, date: AT.date(), Decimal: Decimal("0.50"),
    FrozenDict: freeze({"a": [1, {"b": {2}}], 5: (AT,)}),
}  # fmt: skip


def parts(kind: Any) -> list[Any]:
    """The types that a union or a tuple is made of."""
    if get_origin(kind) in (UnionType, Union, tuple):
        return [part for each in get_args(kind) if each is not ... for part in parts(each)]
    if get_origin(kind) is Literal:
        return [type(value) for value in get_args(kind)]
    return [kind]


def example(kind: Any) -> Any:
    """A value of a field's type."""
    if kind in VIEWS:
        return kind(**{name: example(each) for name, each in get_type_hints(kind).items()})
    if get_origin(kind) is tuple:
        return tuple(example(each) for each in get_args(kind) if each is not ...)
    if get_origin(kind) in (UnionType, Union):
        return example(next(each for each in get_args(kind) if each is not type(None)))
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    return EXAMPLES[kind]


def walk(value: Any) -> Any:
    yield value
    if is_dataclass(value):
        for field in fields(value):
            yield from walk(getattr(value, field.name))
    elif isinstance(value, dict):
        for pair in value.items():
            yield from walk(pair)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from walk(item)


def test_there_are_views() -> None:
    assert {views.ProjectSummary, views.ProjectDetails, views.Message, views.User, views.StoredKey} <= set(VIEWS)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_frozen_has_slots_and_a_docstring(view: type[Any]) -> None:
    assert "__slots__" in vars(view)
    assert view.__doc__
    assert not view.__doc__.startswith(view.__name__ + "(")
    made = example(view)
    assert not hasattr(made, "__dict__")
    for field in fields(view):
        with pytest.raises(FrozenInstanceError):
            setattr(made, field.name, getattr(made, field.name))


@pytest.mark.parametrize("view", VIEWS)
def test_the_types_of_its_fields_cannot_change(view: type[Any]) -> None:
    for name, kind in get_type_hints(view).items():
        assert set(parts(kind)) <= SCALARS | {FrozenDict} | set(VIEWS), name


@pytest.mark.parametrize("view", VIEWS)
def test_no_list_dict_or_set_lies_inside(view: type[Any]) -> None:
    assert {type(each) for each in walk(example(view))}.isdisjoint({list, dict, set})


@pytest.mark.parametrize("view", VIEWS)
def test_it_can_be_sent_compared_and_replaced(view: type[Any]) -> None:
    made = example(view)
    sent = pickle.loads(pickle.dumps(made))
    assert sent == made
    assert [type(each) for each in walk(sent)] == [type(each) for each in walk(made)]
    first = fields(view)[0].name
    assert replace(made, **{first: None}) != made


@pytest.mark.parametrize("view", VIEWS)
def test_it_is_hashable_where_no_dict_is_inside(view: type[Any]) -> None:
    made = example(view)
    if any(isinstance(each, dict) for each in walk(made)):
        with pytest.raises(TypeError, match="unhashable"):
            hash(made)
    else:
        assert hash(made) == hash(example(view))


def test_the_views_of_lists_are_hashable() -> None:
    assert len({example(views.ProjectSummary), example(views.ProjectSummary)}) == 1
    assert len({example(views.PhaseScore), example(views.PhaseScore)}) == 1


@pytest.mark.parametrize("view", VIEWS)
def test_a_secret_is_not_in_its_text(view: type[Any]) -> None:
    made = example(view)
    secrets = [field.name for field in fields(view) if field.name in SECRETS]
    told = replace(made, **dict.fromkeys(secrets, "s3cret"))
    assert "s3cret" not in repr(told)
    assert "s3cret" not in str(told)
    assert "s3cret" not in f"{told}"
    assert not any(name in repr(told) for name in secrets)


def test_secrets_there_are() -> None:
    found = {field.name for view in VIEWS for field in fields(view) if not field.repr}
    assert found >= SECRETS
    assert found <= SECRETS | {"embedding", "vector", "vectors"}


def test_every_field_that_sounds_secret_is_kept_out_of_the_text() -> None:
    for view in VIEWS:
        for field in fields(view):
            if any(word in field.name for word in ("hash", "encrypted", "passcode", "secret", "password")):
                assert not field.repr, (view, field.name)


def test_details_tell_the_id_and_version_of_their_summary() -> None:
    details = example(views.ProjectDetails)
    assert (details.id, details.version) == (details.summary.id, details.summary.version)


def test_the_walk_finds_a_list() -> None:
    @dataclass(frozen=True)
    class Wrong:
        things: list[int]

    assert list in {type(each) for each in walk(Wrong([1]))}
    assert not set(parts(get_type_hints(Wrong)["things"])) <= SCALARS
