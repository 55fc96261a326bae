"""One reader for every answer that should be JSON: it finds what is there, and fails in one way only."""

import json
import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from socrates.errors import LLMError
from socrates.llm.answers import Answer, Insights, Roles, Verdict, Verdicts
from socrates.llm.parsing import parse_json, read_as

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
objects = st.dictionaries(st.text(), values)
arrays = st.lists(values)
prose = st.text(st.characters(exclude_characters="{}[]`", exclude_categories=("Cs",)))

WRAPPINGS = [
    "{json}",
    "\ufeff{json}",
    "  {json}\n",
    "```json\n{json}\n```",
    "```\n{json}\n```",
    "```JSON  \r\n{json}\r\n```\r\n",
    "\n\n```json\n{json}```  ",
    "\ufeff```json\n{json}\n```",
    "Here it is:\n```json\n{json}\n```\nAnything else?",
    "Sure! {json} I hope this helps.",
    "```json\n{json}",
]


def kind_of(value: object) -> type[Any]:
    return dict if isinstance(value, dict) else list


@given(st.sampled_from(WRAPPINGS), objects | arrays, st.sampled_from([None, 2]), st.booleans())
def test_json_survives_what_models_put_around_it(
    wrapping: str, value: object, indent: int | None, ascii_only: bool
) -> None:
    text = wrapping.replace("{json}", json.dumps(value, indent=indent, ensure_ascii=ascii_only))
    assert parse_json(text, kind_of(value)) == value
    assert parse_json(text.replace("\n", "\r\n"), kind_of(value)) == value


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_each_wrapping_is_taken_away(wrapping: str) -> None:
    for value in ({"a": ["}", "```", {"b": "["}]}, ["]", "```", {"b": "{"}], {}, []):
        assert parse_json(wrapping.replace("{json}", json.dumps(value)), kind_of(value)) == value


@given(before=prose, value=objects | arrays, after=prose)
def test_json_survives_prose_before_and_after(before: str, value: object, after: str) -> None:
    assert parse_json(before + json.dumps(value) + after, kind_of(value)) == value


@given(
    st.text()
    | st.text('[]{}",:0123456789.eE-+ntf`\n\\ \ufeff')
    | st.lists(st.sampled_from(["```", "json", "\n", "{", "}", "[", "]", '"a"', ":", ",", "1e999", "NaN"])).map("".join)
)
def test_no_text_at_all_fails_in_any_other_way(text: str) -> None:
    for kind in (dict, list):
        assert failure(parse_json, text, kind) in {None, "PARSE_ERROR"}
    for schema in (Insights, Verdict, Verdicts, Roles):
        assert failure(read_as, schema, text) in {None, "PARSE_ERROR"}


def failure(read: Callable[..., object], *arguments: object) -> str | None:
    try:
        read(*arguments)
    except LLMError as error:
        return error.error_type
    return None


HUGE = [
    *("[" * 10**6, "{" * 10**6, "[]" * 500_000, "{}" * 500_000, "[" * 500_000 + "]" * 500_000),
    *('{"a":' * 200_000, '{"a":[' * 10**5, '{"goals": ' + "9" * 10**6 + "}", '{"goals": "' + "a" * 10**6),
    *("```" * 300_000, "```json\n" * 100_000, "``` \n" * 200_000 + "x", "`" * 10**6, " " * 10**6 + "`"),
    *("\n" * 10**6, "\\" * 10**6, '"' * 10**6),
]


@pytest.mark.parametrize("text", HUGE, ids=lambda text: f"{text[:8]!r}")
def test_a_million_characters_of_anything_take_no_time(text: str) -> None:
    began = time.thread_time()
    for kind in (dict, list):
        with pytest.raises(LLMError, match="holds no JSON"):
            parse_json(text, kind)
    with pytest.raises(LLMError):
        read_as(Verdicts, text)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize("text", ['[{"goals": ["a"]}]', "[1]", "5", '"{}"', "null", "true", "", "no idea"])
def test_json_of_another_kind_is_none(text: str) -> None:
    with pytest.raises(LLMError, match="holds no JSON object"):
        parse_json(text)
    with pytest.raises(LLMError, match="holds no JSON array"):
        parse_json('```json\r\n{"goals": ["a"]}\r\n```', list)


@pytest.mark.parametrize(
    "text", ['{"goals": ["a"], "more": {"x": 1}, "req', '```json\n{"goals": ["a"\n```', "{'a': 1}"]
)
def test_of_an_answer_that_is_cut_off_no_part_is_taken_for_the_whole(text: str) -> None:
    with pytest.raises(LLMError, match="holds no JSON object"):
        parse_json(text)


class Strict(Answer):
    """Of a family's own."""

    LIST: ClassVar[str | None] = "numbers"

    numbers: list[int]
    by_name: dict[str, int] = Field(default_factory=dict)


def test_numeric_texts_become_numbers_and_unknown_keys_go() -> None:
    assert read_as(Strict, '{"numbers": ["1", 2.0], "by_name": {"a": "3"}, "more": 4}') == Strict(
        numbers=[1, 2], by_name={"a": 3}
    )


@pytest.mark.parametrize("text", ["[1, 2]", "```json\n[1, 2]\n```", "These: [1, 2]", '{"numbers": [1, 2]}'])
def test_a_bare_array_is_taken_for_the_one_list(text: str) -> None:
    assert read_as(Strict, text).numbers == [1, 2]


def test_brackets_in_the_words_before_an_object_do_no_harm() -> None:
    assert read_as(Strict, 'See [1]: {"numbers": [1]}').numbers == [1]
    with pytest.raises(LLMError):
        read_as(Insights, '["a", "b"]')


def test_what_does_not_fit_is_told_by_field_and_without_the_answer() -> None:
    wrong = {"numbers": ["swordfish"] * 10_000, "by_name": {"swordfish": "swordfish"}}
    with pytest.raises(LLMError) as raised:
        read_as(Strict, json.dumps(wrong))
    assert str(raised.value) == "the model's answer does not fit what was asked for: numbers, by_name"
    assert raised.value.error_type == "PARSE_ERROR"
    assert raised.value.__cause__ is raised.value.__context__ is None
