"""V20: very large values come through, and memory does not grow with the file."""

import os
from pathlib import Path

from tests.support.migrate import alembic_subprocess, rows, value
from tests.support.v1_files import V1File, generated_v1_file

MEGABYTE = 2**20
PROCESS_ITSELF = 150 * MEGABYTE


def test_a_document_of_ten_megabytes_comes_through_with_bounded_memory(tmp_path: Path) -> None:
    content = "Bücher " * (10 * MEGABYTE // 8)
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_document(content=content, embedding=os.urandom(MEGABYTE))
    blob_size = value(v1.path, "SELECT length(data) FROM knowledge_documents")
    outcome = alembic_subprocess(v1.path, "upgrade", "head", v1_timezone="UTC")
    assert outcome.status == 0, outcome
    assert value(v1.path, "SELECT content FROM knowledge_documents") == content
    assert outcome.peak_memory < PROCESS_ITSELF + 64 * MEGABYTE + 8 * blob_size


def test_a_history_of_a_hundred_thousand_messages_comes_through_with_bounded_memory(tmp_path: Path) -> None:
    messages = 100_000
    path = generated_v1_file(tmp_path / "projects.db", projects=1, messages=messages)
    blob_size = value(path, "SELECT length(data) FROM projects")
    outcome = alembic_subprocess(path, "upgrade", "head", v1_timezone="UTC")
    assert outcome.status == 0, outcome
    query = "SELECT count(*), min(position), max(position) FROM conversation_messages"
    assert rows(path, query) == [(messages, 0, messages - 1)]
    assert value(path, "SELECT message_count FROM projects") == messages
    assert outcome.peak_memory < PROCESS_ITSELF + 64 * MEGABYTE + 8 * blob_size


def test_memory_does_not_grow_with_the_number_of_large_documents(tmp_path: Path) -> None:
    peaks = []
    for documents in (2, 16):
        with V1File(tmp_path / f"{documents}.db") as v1:
            v1.add_project()
            for number in range(documents):
                v1.add_document(content=f"{number % 10} " * (2 * MEGABYTE))
        outcome = alembic_subprocess(v1.path, "upgrade", "head", v1_timezone="UTC")
        assert outcome.status == 0, outcome
        peaks.append(outcome.peak_memory)
    assert peaks[1] - peaks[0] < 24 * MEGABYTE
