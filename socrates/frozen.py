"""Dicts and lists that cannot be changed: what the free-form fields of views hold.

They behave as what they are made of: a FrozenDict is a dict and a FrozenList a tuple, for `json`, for comparison and
for `socrates.tagged_json`, which writes a FrozenList as the list it was. A real tuple stays a tuple.
"""

from collections.abc import Iterable
from typing import Any, NoReturn


class FrozenDict(dict[Any, Any]):
    """A dict whose changing methods raise TypeError."""

    __slots__ = ()

    def _refuse(self, *_arguments: Any, **_named: Any) -> NoReturn:
        raise TypeError("this dict belongs to a view and cannot be changed; make a copy with dict(…)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type["FrozenDict"], tuple[dict[Any, Any]]]:
        return FrozenDict, (dict(self),)


class FrozenList(tuple[Any, ...]):
    """A list that was frozen. It equals a tuple of the same items."""

    __slots__ = ()


def freeze(value: Any) -> Any:
    """`value` with every dict, list and set in it, however deep, replaced by one that cannot be changed."""
    if isinstance(value, dict):
        return FrozenDict((key, freeze(item)) for key, item in value.items())
    if isinstance(value, list):
        return FrozenList(freeze(item) for item in value)
    if type(value) is tuple:
        return tuple(freeze(item) for item in value)
    if isinstance(value, set | frozenset):
        return frozenset(value)
    return value


def texts(values: Iterable[str] | None) -> tuple[str, ...]:
    """A list of texts as it leaves the database."""
    return tuple(values or ())
