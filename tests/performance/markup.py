"""HTML and SVG whose texts cannot break out: every string is escaped unless `tag` made it."""

from html import escape


class Markup(str):
    """A piece of a page that may stand in it as it is."""

    __slots__ = ()


VOID = frozenset({"meta", "br"})
"""Elements of HTML that have no end."""


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """Return an element. Children that are no Markup are escaped, as is every attribute.

    Of an attribute's name a trailing underscore is dropped and others become hyphens. None and False leave it out,
    True gives it no value.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(*children)}</{name}>")


def join(*pieces: str) -> Markup:
    """Return pieces beside each other, escaped where they are no Markup."""
    return Markup("".join(piece if isinstance(piece, Markup) else escape(piece) for piece in pieces))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
