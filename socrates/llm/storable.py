"""Texts from outside, made fit to be sent and stored."""


def storable(text: str) -> str:
    """The text without what neither JSON nor a database takes: NUL goes, lone surrogates become question marks."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
