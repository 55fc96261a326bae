"""Single values on a real PostgreSQL server: they are what SQLite holds, or go to quarantine with the reason."""

import random
import string
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from socrates.models import Base
from tests.support.migrate import refused
from tests.support.postgres import contents, import_file, query, relations, upgraded_on_sqlite, without_runs
from tests.support.v1_files import V1File

pytestmark = pytest.mark.postgres


def v1_file(directory: Path, fill: Callable[[V1File], object]) -> Path:
    with V1File(directory / "v1.db") as v1:
        fill(v1)
    return v1.path


def test_unicode_ids_and_texts_arrive_and_are_ordered_by_code_point(postgres_url: str, tmp_path: Path) -> None:
    ids = ["", " ", "A", "Zebra", "a", "a/b:c'd\"", "é", "e\u0301", "ß", "中", "\ufeff", "\U0001f600", "?$1%s"]
    v1 = v1_file(tmp_path, lambda v1: [v1.add_project(project_id=key, name=key) for key in ids])
    import_file(postgres_url, v1)
    assert query(postgres_url, "SELECT id, name FROM projects ORDER BY id") == [(key, key) for key in sorted(ids)]
    assert without_runs(contents(postgres_url)) == without_runs(upgraded_on_sqlite(v1))


def test_a_document_of_two_megabytes_arrives_whole(postgres_url: str, tmp_path: Path) -> None:
    content = "é\U0001f600\t\n'\\" * 250_000
    assert len(content.encode()) > 2_000_000

    def fill(v1: V1File) -> None:
        v1.add_project()
        v1.add_document(content=content, embedding=random.Random(1).randbytes(2_000_000))

    v1 = v1_file(tmp_path, fill)
    import_file(postgres_url, v1)
    assert query(postgres_url, "SELECT content FROM knowledge_documents") == [(content,)]
    assert without_runs(contents(postgres_url)) == without_runs(upgraded_on_sqlite(v1))


DECIMALS = [
    *("0.50", "-3.000", "1E+2", "1E+900", "0E+3", "0E-20", "1E-6000", "-0", "-0.00", "0E+5000"),
    "9" * 900 + ".10",
]


def test_decimals_have_the_value_and_digits_they_have_on_sqlite(postgres_url: str, tmp_path: Path) -> None:
    v1 = v1_file(tmp_path, lambda v1: [v1.add_pattern(confidence=Decimal(digits)) for digits in DECIMALS])
    import_file(postgres_url, v1)
    ours, theirs = contents(postgres_url), upgraded_on_sqlite(v1)
    assert ours["v1_import_digests"] == theirs["v1_import_digests"]
    stored, kept = (tables["behavior_patterns"] for tables in (ours, theirs))
    place = list(Base.metadata.tables["behavior_patterns"].columns.keys()).index("confidence")
    assert len(stored) == len(kept) == len(DECIMALS)
    for one_row, other_row in zip(stored, kept, strict=True):
        # NUMERIC knows no zero below zero, and no zero with an exponent; all others are the same to the last digit.
        one, other = Decimal(one_row[place][1]), Decimal(other_row[place][1])
        assert one == other
        assert one.is_zero() or str(one) == str(other)


def test_a_float_in_an_exact_column_keeps_its_shortest_decimal_form(postgres_url: str, tmp_path: Path) -> None:
    costs = [0.0123, -0.0, 1e-07, 5e-324, 1e300, 2.0, 0.30000000000000004]
    v1 = v1_file(tmp_path, lambda v1: [v1.add_usage(cost=cost, latency_ms=cost) for cost in costs])
    import_file(postgres_url, v1)
    sql = "SELECT cost::float8, latency_ms FROM llm_usage ORDER BY id"
    assert query(postgres_url, sql) == [(cost, cost) for cost in costs]


def test_numbers_that_no_column_holds_are_null_and_kept_as_on_sqlite(postgres_url: str, tmp_path: Path) -> None:
    def fill(v1: V1File) -> None:
        scores = {"a": float("nan"), "b": float("inf"), "c": {"current_score": float("-inf"), "spec_count": 2**63}}
        v1.add_project(progress=2**63, category_scores={"design": scores})
        v1.add_project(progress=-(2**63), phase_maturity_scores={"design": -0.0, "analysis": 1.7976931348623157e308})
        v1.add_usage(cost=float("nan"), input_tokens=10**30, output_tokens=2**63 - 1)
        v1.add_pattern(confidence=Decimal("NaN"))
        v1.add_pattern(confidence=Decimal("sNaN"))

    v1 = v1_file(tmp_path, fill)
    import_file(postgres_url, v1)
    assert query(postgres_url, "SELECT progress FROM projects ORDER BY id") == [(None,), (-(2**63),)]
    assert query(postgres_url, "SELECT cost, input_tokens, output_tokens FROM llm_usage") == [(None, None, 2**63 - 1)]
    assert without_runs(contents(postgres_url)) == without_runs(upgraded_on_sqlite(v1))


def test_the_first_and_the_last_moments_are_moments_and_not_infinity(postgres_url: str, tmp_path: Path) -> None:
    moments = [datetime.min, datetime(1, 1, 1, 0, 0, 1), datetime(9999, 12, 31), datetime.max]

    def fill(v1: V1File) -> None:
        for number, moment in enumerate(moments):
            v1.add_user(f"user {number}", subscription_end=moment, usage_reset_date=moment.replace(tzinfo=UTC))

    v1 = v1_file(tmp_path, fill)
    import_file(postgres_url, v1)
    form = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
    sql = f"SELECT {form.format('subscription_end')}, {form.format('usage_reset_date')} FROM users ORDER BY username"
    assert query(postgres_url, sql) == [(moment.isoformat(" ", "microseconds"),) * 2 for moment in moments]
    assert without_runs(contents(postgres_url)) == without_runs(upgraded_on_sqlite(v1))


def words(length: int) -> str:
    """Text that no compression makes short."""
    return "".join(random.Random(length).choices(string.ascii_letters + string.digits, k=length))


UNSTORABLE: dict[str, Callable[[V1File], object]] = {
    "NUL in a text": lambda v1: v1.add_project(name="a\x00b"),
    "NUL in an id": lambda v1: v1.add_project(project_id="a\x00b"),
    "NUL in a list": lambda v1: v1.add_project(requirements=["a\x00b"]),
    "lone surrogate": lambda v1: v1.add_project(goals="a\ud800b"),
    "a decimal of 17,000 places": lambda v1: v1.add_pattern(confidence=Decimal("1E-17000")),
    "a decimal of 200,000 digits": lambda v1: v1.add_pattern(confidence=Decimal("1E+200000")),
    "an id of 3,000 bytes": lambda v1: v1.add_project(project_id=words(3000)),
    "an id of 9,000 bytes": lambda v1: v1.add_project(project_id=words(9000)),
    "an owner of 3,000 bytes": lambda v1: v1.add_project(owner=words(3000)),
    "a member of 3,000 bytes": lambda v1: v1.add_project(collaborators=[words(3000)]),
    "a unique text of 3,000 bytes": lambda v1: v1.add_effectiveness(question_template_id=words(3000)),
    "a damaged row with an id of 3,000 bytes": lambda v1: v1.add_user(words(3000), blob=b"damage"),
}


# One of each that is found out at another place: a value, a key, what becomes a key, a row of the quarantine itself.
STOPPING = (
    "NUL in a text",
    "a decimal of 17,000 places",
    "an id of 3,000 bytes",
    "a member of 3,000 bytes",
    "a damaged row with an id of 3,000 bytes",
)


def between_projects(directory: Path, names: Iterable[str]) -> Path:
    """A v1 file with those of UNSTORABLE, and a project before them and one after."""

    def fill(v1: V1File) -> None:
        v1.add_project(project_id="before")
        for name in names:
            UNSTORABLE[name](v1)
        v1.add_project(project_id="zz after")

    return v1_file(directory, fill)


@pytest.mark.parametrize("name", STOPPING)
def test_what_postgresql_cannot_hold_stops_a_strict_import(postgres_url: str, tmp_path: Path, name: str) -> None:
    assert refused(import_file(postgres_url, between_projects(tmp_path, [name]), expected_status=2))
    assert relations(postgres_url) == set()


def test_what_postgresql_cannot_hold_goes_to_quarantine_else(postgres_url: str, tmp_path: Path) -> None:
    v1 = between_projects(tmp_path, UNSTORABLE)
    import_file(postgres_url, v1, expected_status=1, on_bad="quarantine")
    kept = query(postgres_url, "SELECT source_table, reason, data IS NOT NULL FROM v1_quarantine")
    assert Counter(table for table, *_ in kept) == {
        "projects": 8,
        "behavior_patterns": 2,
        "question_effectiveness": 1,
        "users": 1,
    }
    assert all(reason and whole for _, reason, whole in kept)
    assert query(postgres_url, "SELECT id FROM projects ORDER BY id") == [("before",), ("zz after",)]


def test_ids_of_512_bytes_are_held_everywhere(postgres_url: str, tmp_path: Path) -> None:
    long = words(512)

    def fill(v1: V1File) -> None:
        scores = {long: {long: {"category": long, "current_score": 1.0}}}
        v1.add_project(project_id=long, owner=long, category_scores=scores, pending_questions=[{"id": long}])
        v1.add_user(long)
        v1.add_note(note_id=long, project_id=long)
        v1.add_effectiveness(id=long, user_id=long, question_template_id=long)
        v1.add_document(id=long, project_id=long, user_id=long)
        v1.add_usage(id=long, user_id=long)
        v1.add_llm_config(id=long, blob=b"damage")

    v1 = v1_file(tmp_path, fill)
    import_file(postgres_url, v1, expected_status=1, on_bad="quarantine")
    in_place = upgraded_on_sqlite(v1, expected_status=1, on_bad="quarantine")
    assert without_runs(contents(postgres_url)) == without_runs(in_place)


def test_what_json_escapes_is_kept_in_json_columns(postgres_url: str, tmp_path: Path) -> None:
    def fill(v1: V1File) -> None:
        v1.add_project(further="a\x00b\ud800c", **{"k\x00\udfff": [float("nan"), 10**30, b"\x00", (1,), {2}]})
        v1.add_note(note_id="lost", project_id="a\x00b")
        v1.add_pattern(pattern_data={1: Decimal("1.50"), None: datetime.max, "$set": -0.0})

    v1 = v1_file(tmp_path, fill)
    import_file(postgres_url, v1)
    assert without_runs(contents(postgres_url)) == without_runs(upgraded_on_sqlite(v1))
