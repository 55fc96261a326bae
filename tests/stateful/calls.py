"""Calls of the store as data: drawn by Hypothesis, printed as they are written, made on the store and on the model."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from socrates.errors import SocratesError
from socrates.repositories.projects import ProjectUpdate
from tests.stateful.model import Model


@dataclass(frozen=True)
class Call:
    """One method of one face, ``projects.create`` for instance, with its arguments."""

    name: str
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.named.items()]
        return f"{self.name}({', '.join([*map(repr, self.arguments), *named])})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """What Hypothesis prints."""
        printer.text(repr(self))

    def known_to(self, model: Model) -> "Call":
        """The same call, with the arguments that depend on what there is."""
        arguments = tuple(_known(argument, self, model) for argument in self.arguments)
        return Call(self.name, arguments, {name: _known(value, self, model) for name, value in self.named.items()})

    @property
    def face(self) -> str:
        return self.name.partition(".")[0]

    def texts(self) -> set[str]:
        """The texts among the arguments, and in the records that are given."""
        return set(_texts((*self.arguments, *self.named.values())))


@dataclass(frozen=True)
class VersionOf:
    """The version that a project has, or one that it doesn't have."""

    project_id: str
    off_by: int

    def known(self, _call: Call, model: Model) -> int:
        project = model.state.projects.get(self.project_id)
        return self.off_by + (project.version if project else 1)


@dataclass(frozen=True)
class Entry:
    """One entry of the whole list of which the call reads a page; None where the list is empty."""

    number: int

    def known(self, call: Call, model: Model) -> Any:
        whole = made_on_model(Call(call.name, call.arguments, {**call.named, "after": None, "limit": 10**9}), model)
        return whole.result[self.number % len(whole.result)] if whole.result else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        yield from (text for item in value for text in _texts(item))
    elif is_dataclass(value):
        yield from (text for each in fields(value) for text in _texts(getattr(value, each.name)))


def _known(value: Any, call: Call, model: Model) -> Any:
    if isinstance(value, VersionOf | Entry):
        return value.known(call, model)
    if isinstance(value, list):
        return [_known(item, call, model) for item in value]
    if isinstance(value, ProjectUpdate):
        return replace(value, expected_version=_known(value.expected_version, call, model))
    return value


@dataclass(frozen=True)
class Outcome:
    """What a call returned or raised."""

    result: Any = None
    error: SocratesError | None = None


async def made(call: Call, on: Any) -> Outcome:
    """The call, made on a store or a unit of work, of either kind."""
    face, method = call.name.split(".")
    try:
        result = getattr(getattr(on, face), method)(*call.arguments, **call.named)
        if inspect.isasyncgen(result):
            return Outcome(tuple([item async for item in result]))
        if inspect.isgenerator(result):
            return Outcome(tuple(result))
        return Outcome(await result if inspect.isawaitable(result) else result)
    except SocratesError as error:
        return Outcome(error=error)


def made_on_model(call: Call, model: Model, made_id: str | None = None) -> Outcome:
    """The call, made on the model; if it fails, the model may be half changed."""
    face, method = call.name.split(".")
    model.state.made_id = made_id
    arguments, named = _in_utc(call.arguments), {name: _in_utc(value) for name, value in call.named.items()}
    try:
        return Outcome(getattr(getattr(model, face), method)(*arguments, **named))
    except SocratesError as error:
        return Outcome(error=error)


def _in_utc(value: Any) -> Any:
    """Whatever zone a time has, UTC comes out. Free-form dicts keep theirs as they are."""
    if isinstance(value, datetime):
        try:
            return value.astimezone(UTC)
        except OverflowError:
            return value  # poison, at which the store did not look
    if isinstance(value, tuple | list):
        return type(value)(_in_utc(item) for item in value)
    if is_dataclass(value):
        return replace(value, **{each.name: _in_utc(getattr(value, each.name)) for each in fields(value)})
    return value


def exact(value: Any) -> Any:
    """`value` in a form that is equal only for equal types too: 1, 1.0 and True differ, and so do 0.5 and 0.50."""
    kind = type(value)
    if kind is str:
        return value
    if is_dataclass(kind):
        return kind, [exact(getattr(value, name)) for name in kind.__dataclass_fields__]
    if isinstance(value, dict):
        return kind, {exact(key): exact(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return kind, tuple(map(exact, value))
    if isinstance(value, set | frozenset):
        return kind, frozenset(map(exact, value))
    return kind, repr(value)


def assert_same(call: Call, expected: Outcome, actual: Outcome) -> None:
    """Both returned the same, or both raised the same. Errors are compared by what a program sees: kind and numbers."""
    if expected.error is None:
        assert actual.error is None, f"{call} raised {actual.error!r}, and should have returned {expected.result}"
        assert exact(actual.result) == exact(expected.result), (
            f"{call}:\n{actual.result}, and should be\n{expected.result}"
        )
    else:
        said = actual.error or actual.result
        assert isinstance(actual.error, type(expected.error)), f"{call}: {said!r}, and should be {expected.error!r}"
        for number in ("expected", "actual", "used", "limit", "retry_after"):
            assert getattr(actual.error, number, None) == getattr(expected.error, number, None), f"{call}: {number}"


class Key(tuple[str, ...]):
    """Arguments that name one record together."""

    __slots__ = ()


def key_of(kind: str, *otherwise: st.SearchStrategy[str]) -> st.SearchStrategy[Key]:
    """The key of a record of this kind: mostly of one that there is, or else of any."""
    any_key = st.tuples(*otherwise).map(Key)

    def likely(machine: Any) -> st.SearchStrategy[Key]:
        known = [Key(key) for key in machine.model.state.keys_of(kind)]
        return st.integers(0, 3).flatmap(lambda n: st.sampled_from(known) if n and known else any_key)

    return st.runner().flatmap(likely)


Given = tuple[tuple[Any, ...], Mapping[str, Any]]
"""Positional arguments and named ones."""


def takes(
    *arguments: st.SearchStrategy[Any], needs: Mapping[str, Any] | None = None, **options: Any
) -> st.SearchStrategy[Given]:
    """All of these arguments, what is named in `needs`, and any of the `options`. A tuple is several arguments."""
    named = st.fixed_dictionaries(dict(needs or {}), optional=options)
    return st.tuples(st.tuples(*arguments).map(_spread), named)


def _spread(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each for argument in arguments for each in (argument if type(argument) is Key else (argument,)))


def calls_of(methods: Mapping[str, st.SearchStrategy[Given]]) -> dict[str, st.SearchStrategy[Call]]:
    """The calls of each method, from what it takes."""
    return {name: _call(name, given) for name, given in methods.items()}


@st.composite
def _call(draw: st.DrawFn, name: str, given: st.SearchStrategy[Given]) -> Call:
    return Call(name, *draw(given))
