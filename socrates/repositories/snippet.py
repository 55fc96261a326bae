"""The part of a text around a search hit."""

RADIUS = 60
"""Characters shown on either side of the hit."""


def snippet(text: str, folded_needle: str, radius: int = RADIUS) -> str:
    """The part of `text` around the first place where it contains the case-folded needle, with … where it was cut.

    Folding can change the length (ß becomes ss), so places are counted in the folded text and taken back. A text that
    doesn't contain the needle gives its beginning.
    """
    start = max(0, _place(text, folded_needle) - radius)
    end = min(len(text), start + 2 * radius + len(folded_needle))
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def _place(text: str, folded_needle: str) -> int:
    folded_place = text.casefold().find(folded_needle)
    if folded_place <= 0 or text.isascii():
        return folded_place
    folded_length = 0
    for place, character in enumerate(text):
        folded_length += len(character.casefold())
        if folded_length > folded_place:
            return place
    return len(text)
