"""Whatever records a v1 file holds, the import agrees with a second, independent conversion of them."""

import os
import shutil
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.expected_rows import assert_imported
from tests.support.migrate import upgrade
from tests.support.v1_files import V1File
from tests.support.v1_strategies import DOCUMENT, EFFECTIVENESS, LLM_CONFIG, NOTE, PATTERN, PROJECT, USAGE, USER

EXAMPLES = 500 if os.environ.get("SOCRATES_LONG") == "1" else 25

DATA = st.fixed_dictionaries(
    {
        "projects": st.lists(PROJECT, min_size=1, max_size=3),
        "users": st.lists(USER, min_size=1, max_size=3),
        "notes": st.lists(NOTE, max_size=3),
        "effectiveness": st.lists(EFFECTIVENESS, max_size=3),
        "patterns": st.lists(PATTERN, max_size=3),
        "documents": st.lists(DOCUMENT, max_size=2),
        "configurations": st.lists(LLM_CONFIG, max_size=2),
        "calls": st.lists(USAGE, max_size=2),
    }
)


def write(path: Path, data: dict[str, list[dict[str, Any]]]) -> None:
    with V1File(path) as v1:
        for project in data["projects"]:
            v1.add_project(**project)
        for number, user in enumerate(data["users"]):
            v1.add_user(f"user-{number}", **user)
        for note in data["notes"]:
            v1.add_note(**note)
        v1.add_note(project_id="gone")
        for record in data["effectiveness"]:
            v1.add_effectiveness(**record)
        for record in data["patterns"]:
            v1.add_pattern(**record)
        for record in data["documents"]:
            v1.add_document(**record)
        for record in data["configurations"]:
            v1.add_llm_config(**record)
        for record in data["calls"]:
            v1.add_usage(**record)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=DATA)
def test_any_records_import_as_the_specification_says(
    tmp_path_factory: Any, data: dict[str, list[dict[str, Any]]]
) -> None:
    directory = tmp_path_factory.mktemp("property")
    path, original = directory / "projects.db", directory / "original.db"
    write(path, data)
    shutil.copyfile(path, original)
    upgrade(path)
    assert_imported(original, path)
    shutil.rmtree(directory)
