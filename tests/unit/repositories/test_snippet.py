import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates.repositories.snippet import RADIUS, snippet

LETTERS = st.text(st.sampled_from("aAbsSßẞİıiΣσςﬁŉΐÄä \0😀\u0301"), max_size=30)


@pytest.mark.parametrize(
    ("text", "needle", "expected"),
    [
        ("abc", "b", "abc"),
        ("", "b", ""),
        ("abc", "x", "abc"),
        ("0123456789", "x", "01234…"),
        ("0123456789", "5", "…34567…"),
        ("0123456789", "0", "01234…"),
        ("0123456789", "9", "…789"),
        ("ßßßßßßßßxßßßß", "x", "…ßßxßß…"),
        ("abcßdefg", "s", "…bcßde…"),
    ],
)
def test_it_shows_what_stands_around_the_first_hit(text: str, needle: str, expected: str) -> None:
    assert snippet(text, needle, radius=2) == expected


@given(before=LETTERS, hit=LETTERS.filter(bool), after=LETTERS, radius=st.integers(0, 8))
def test_it_holds_a_hit_and_nothing_but_the_text(before: str, hit: str, after: str, radius: int) -> None:
    text, needle = before + hit + after, hit.casefold()
    shown = snippet(text, needle, radius)
    inner = shown.removeprefix("…").removesuffix("…")
    assert inner in text
    assert needle in inner.casefold()
    assert len(inner) <= 2 * radius + len(needle)


@given(LETTERS, LETTERS.filter(bool))
def test_it_is_cut_only_where_something_is_left_out(text: str, needle: str) -> None:
    shown = snippet(text, needle.casefold())
    if len(text) <= RADIUS:
        assert shown == text


def test_it_is_cut_on_both_sides_of_a_hit_in_the_middle() -> None:
    text = "a" * 1000 + "NEEDLE" + "b" * 1000
    assert snippet(text, "needle") == "…" + "a" * RADIUS + "NEEDLE" + "b" * RADIUS + "…"
    assert snippet(text[900:1100], "needle") == "…" + "a" * RADIUS + "NEEDLE" + "b" * RADIUS + "…"


def test_the_first_of_several_hits_is_shown() -> None:
    text = "first hit " + "x" * 500 + " second hit"
    assert snippet(text, "hit").startswith("first hit xxx")


def test_places_are_counted_in_the_text_though_folding_makes_it_longer() -> None:
    text = "ßİﬁ" * 300 + "NEEDLE" + "ΐ" * 300
    assert snippet(text, "needle") == "…" + "ßİﬁ" * 20 + "NEEDLE" + "ΐ" * RADIUS + "…"
