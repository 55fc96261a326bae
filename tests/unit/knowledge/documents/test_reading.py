"""Texts come out of files of every type, and files that are made to do harm do none."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from socrates.errors import ConfigurationError, DocumentError, InvalidValueError
from socrates.knowledge.documents.reading import decoded, parsed, require_size, suffix_of
from tests.unit.knowledge.documents.made import (
    encrypted_pdf,
    pdf_of,
    pdf_of_streams,
    word_document,
    word_document_with,
)

LIMIT = 1_000_000
SECONDS = 60


@pytest.mark.parametrize("name", ["a.txt", "A.MD", "b.Code", "c.py", "d.js", "e.java", "f.cpp", "g.PDF", "h.docx"])
def test_the_type_is_the_suffix_in_any_case(name: str) -> None:
    assert suffix_of(name) == Path(name).suffix.lower()


@pytest.mark.parametrize("name", ["a", "a.exe", ".txt", "a.txt ", "txt", "a.doc"])
def test_other_types_are_refused(name: str) -> None:
    with pytest.raises(InvalidValueError, match="is of no type that can be read"):
        suffix_of(name)


def test_a_text_loses_its_byte_order_mark_and_what_is_no_utf_8() -> None:
    assert decoded("a.txt", b"\xef\xbb\xbfgr\xc3\xb6\xc3\x9fer, caf\xe9") == "größer, caf"


BINARY = {
    "random bytes": os.urandom(100_000),
    "random bytes without a NUL": os.urandom(100_000).replace(b"\0", b""),
    "UTF-16": "a text".encode("utf-16"),
    "Cyrillic of another encoding": "Срок возврата книги три недели".encode("cp1251"),
    "a NUL": b"a text\0",
}


@pytest.mark.parametrize("data", BINARY.values(), ids=BINARY.keys())
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^a.txt is no text in UTF-8"):
        decoded("a.txt", data)


@pytest.mark.parametrize("content", ["é" * 5, "é" * 5 + "\ud800", b"0123456789"])
def test_sizes_are_those_in_bytes(content: str | bytes) -> None:
    size = 10 + 3 * ("\ud800" in str(content))
    assert require_size("a.txt", content, size) == size
    with pytest.raises(InvalidValueError, match="larger than"):
        require_size("a.txt", content, size - 1)


async def test_the_pages_of_a_pdf_are_lines() -> None:
    assert await parsed("a.pdf", ".pdf", pdf_of("one.", "two."), LIMIT) == "one.\ntwo."


async def test_a_word_document_has_its_paragraphs_and_tables() -> None:
    data = word_document("one.", "größer €", table=("left", "right"))
    assert await parsed("a.docx", ".docx", data, LIMIT) == "one.\ngrößer €\nleft\nright"


async def test_a_pdf_that_needs_no_password_is_read() -> None:
    assert await parsed("a.pdf", ".pdf", encrypted_pdf(""), LIMIT) == "Loans end after three weeks."


async def test_a_pdf_that_needs_a_password_is_refused() -> None:
    with pytest.raises(DocumentError, match="is encrypted: save it without a password"):
        await parsed("a.pdf", ".pdf", encrypted_pdf("pass"), LIMIT)


DAMAGED = {
    "nothing.pdf": b"",
    "nothing.docx": b"",
    "a text.pdf": b"a text",
    "a text.docx": b"a text",
    "cut off.docx": word_document("one.")[:-100],
    "cut off.pdf": pdf_of("one.")[:200],
    "pages in a circle.pdf": pdf_of_streams(kids=b"2 0 R"),
    "lists in lists.pdf": pdf_of_streams(b"[" * 1_000_000),
    "lists in lists that are objects.pdf": pdf_of("one.").replace(b"/Type/Catalog", b"/A" + b"[" * 100_000),
    "elements in elements.docx": word_document_with(b"<w:p>" * 100_000),
}


@pytest.mark.parametrize("name", DAMAGED)
async def test_damaged_documents_are_refused(name: str) -> None:
    with pytest.raises(DocumentError, match=f"^{name} cannot be read: it is damaged, or not what its name says"):
        await parsed(name, Path(name).suffix, DAMAGED[name], LIMIT, SECONDS)


MANY_LINES = b"BT /F1 12 Tf 72 700 Td " + b"(%s) Tj " % (b"a" * 1_000) * 50 + b"ET"

BOMBS = {
    "megabytes of blanks.docx": lambda: word_document_with(b" " * 100_000_000),
    "a text that is too long.docx": lambda: word_document_with(
        b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % (b"a" * 1_100_000)
    ),
    "pages without end.pdf": lambda: pdf_of_streams(MANY_LINES, kids=b"4 0 R " * 1_000),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_what_unpacks_to_more_than_the_limit_is_refused(name: str) -> None:
    data = BOMBS[name]()
    assert len(data) < LIMIT
    with pytest.raises(InvalidValueError, match="A document may have 1 MB"):
        await parsed(name, Path(name).suffix, data, LIMIT, SECONDS)


async def test_a_stream_that_unpacks_to_gigabytes_is_refused() -> None:
    with pytest.raises((DocumentError, InvalidValueError), match="cannot be"):
        await parsed("a.pdf", ".pdf", pdf_of_streams(b"\0" * 200_000_000), LIMIT, SECONDS)


async def test_entities_that_grow_are_refused() -> None:
    entities = b'<!ENTITY a0 "%s">' % (b"a" * 1_000)
    for level in range(1, 10):
        entities += b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10)
    data = word_document_with(b"<w:p><w:r><w:t>loan &a9;</w:t></w:r></w:p>", b"<!DOCTYPE x [%s]>" % entities)
    with pytest.raises(DocumentError, match="it is damaged"):
        await parsed("a.docx", ".docx", data, LIMIT, SECONDS)


async def test_entities_do_not_read_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    entity = b'<!DOCTYPE x [<!ENTITY a SYSTEM "%s">]>' % (tmp_path / "secret").as_uri().encode()
    data = word_document_with(b"<w:p><w:r><w:t>loan &a;</w:t></w:r></w:p>", entity)
    assert (await parsed("a.docx", ".docx", data, LIMIT, SECONDS)).strip() == "loan"


WITHOUT_END = pdf_of_streams(b"q Q " * 10_000_000)


def children() -> set[str]:
    """The ids of the processes that this one started and that still run."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


async def test_what_takes_too_long_is_ended() -> None:
    before, begun = children(), time.perf_counter()
    with pytest.raises(InvalidValueError, match="takes more than 1 s"):
        await parsed("a.pdf", ".pdf", WITHOUT_END, LIMIT, seconds=1)
    assert time.perf_counter() - begun < 20
    assert children() <= before


async def test_who_is_cancelled_leaves_no_process() -> None:
    before = children()
    task = asyncio.create_task(parsed("a.pdf", ".pdf", WITHOUT_END, LIMIT))
    while not children() - before:  # noqa: ASYNC110 - a process sets no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() <= before


async def test_the_process_knows_no_setting_and_finds_no_module_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pypdf.py").write_text("raise SystemExit('somebody else put me here')")
    monkeypatch.chdir(tmp_path)
    assert await parsed("a.pdf", ".pdf", pdf_of("one."), LIMIT) == "one."
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/pypdf.py").write_text(
        "import os\nPdfReader = lambda _: 1 / ('SOCRATES_SECRET' in os.environ)"
    )
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    monkeypatch.setenv("SOCRATES_SECRET", "secret")
    with pytest.raises(DocumentError, match="ZeroDivisionError"):
        await parsed("a.pdf", ".pdf", pdf_of("one."), LIMIT)


MADE_UP = {
    "raise ModuleNotFoundError('pypdf')": (ConfigurationError, "pip install 'socrates"),
    "b'a' * 2_000_000_000": (InvalidValueError, "takes too much memory"),
    "import os; os.abort()": (DocumentError, "came to its end"),
}


@pytest.mark.parametrize("library", MADE_UP)
async def test_a_library_that_is_missing_or_fails_is_an_error_of_ours(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pypdf.py").write_text(library)
    monkeypatch.syspath_prepend(tmp_path)
    error, words = MADE_UP[library]
    with pytest.raises(error, match=words):
        await parsed("a.pdf", ".pdf", b"", LIMIT)
