"""The digest of a row's converted form: the same on every engine, another one for every other value."""

from decimal import Decimal

import pytest

from socrates.v1.digest import DIGEST_BYTES, digest, settled_decimal
from socrates.v1.layout import KNOWLEDGE_DOCUMENTS, LLM_USAGE, NOTE_TABLES, Kind, Row

USAGE: Row = ("u-1", "ada", "claude", "m", "2025-01-01 00:00:00.000000", 1, 2, 3, 4.5, "0.50", 1, None, None, "{}")
COST = 9
NOTE: Row = ("n-1", "p-1", "title", "content", "idea", None, "ada", "{}")


def of_usage(row: Row = USAGE) -> bytes:
    return digest({"llm_usage": [row]}, [LLM_USAGE])


def of_note(*tags: str) -> bytes:
    rows = {"project_notes": [NOTE], "project_note_tags": [("n-1", n, tag) for n, tag in enumerate(tags)]}
    return digest(rows, NOTE_TABLES)


def test_a_digest_is_what_it_was_yesterday() -> None:
    # Kept in databases: another form of it would make every old import look damaged.
    assert of_usage().hex() == "8bc663108d7ba221b6f3e2bcbcd5b423"
    assert len(of_usage()) == DIGEST_BYTES


@pytest.mark.parametrize("index", range(len(USAGE)))
def test_a_change_of_any_value_changes_it(index: int) -> None:
    kind = LLM_USAGE.columns[index][1]
    other: object = {Kind.INTEGER: 77, Kind.FLOAT: 77.5, Kind.DECIMAL: "77", Kind.FLAG: 0}.get(kind, "other")
    changed = (*USAGE[:index], other, *USAGE[index + 1 :])
    assert of_usage(changed) != of_usage()
    assert of_usage((*USAGE[:index], None, *USAGE[index + 1 :])) != of_usage() or USAGE[index] is None


def test_the_rows_of_child_tables_count_with_their_order() -> None:
    digests = {of_note(), of_note("a"), of_note("a", "b"), of_note("b", "a"), of_note("ab"), of_note("a", "")}
    assert len(digests) == 6


def test_a_missing_table_is_one_without_rows() -> None:
    assert digest({"project_notes": [NOTE]}, NOTE_TABLES) == of_note()


def test_bytes_count() -> None:
    def of(embedding: bytes | None) -> bytes:
        row = ("d", "p", "u", "f", 1, None, "c", embedding, None, "{}")
        return digest({"knowledge_documents": [row]}, [KNOWLEDGE_DOCUMENTS])

    assert len({of(None), of(b""), of(b"\x00"), of(b"\x00\x00")}) == 4


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1E+2", "100"),
        ("1.5E+3", "1500"),
        ("0E+2", "0"),
        ("0E-7", "0.0000000"),
        ("1E-10", "0.0000000001"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("1E+1500", "1" + "0" * 1500),
        ("1E+16000", "1" + "0" * 16_000),
    ],
)
def test_a_decimal_is_the_same_in_the_forms_that_engines_give_back(written: str, read: str) -> None:
    # PostgreSQL knows neither a positive exponent nor a negative zero.
    assert settled_decimal(written) == settled_decimal(read)
    assert of_usage((*USAGE[:COST], written, *USAGE[COST + 1 :])) == of_usage((*USAGE[:COST], read, *USAGE[COST + 1 :]))


@pytest.mark.parametrize(("one", "other"), [("0.5", "0.50"), ("1", "1.0"), ("100", "1.00E+2"), ("1", "-1")])
def test_decimals_of_different_digits_differ(one: str, other: str) -> None:
    assert (settled_decimal(one) == settled_decimal(other)) is (one == "100")


def test_a_decimal_may_come_as_such() -> None:
    assert settled_decimal(Decimal("0.50")) == "0.50"
    assert settled_decimal(None) is None


def test_a_huge_exponent_is_not_written_out() -> None:
    assert len(str(settled_decimal("1E+999999999"))) < 100
