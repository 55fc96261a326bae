"""Documents made for tests: honest ones, and such as are made to do harm."""

import io
import zipfile
import zlib

import docx
from pypdf import PdfWriter

NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def sentences(number: int, words: int = 10, about: str = "loan") -> str:
    """A text of so many sentences, each different, of so many words."""
    return " ".join(f"{about}{place}" + " word" * (words - 1) + "." for place in range(number))


def pdf_of(*lines: str) -> bytes:
    """A PDF with one line of text on each page."""
    return pdf_of_streams(*(f"BT /F1 12 Tf 72 700 Td ({line}) Tj ET".encode() for line in lines))


def pdf_of_streams(*streams: bytes, kids: bytes | None = None) -> bytes:
    """A PDF whose pages have these contents; `kids` lists other pages than that."""
    pages = [(4 + 2 * place, 5 + 2 * place) for place in range(len(streams))]
    listed = b" ".join(b"%d 0 R" % page for page, _ in pages) if kids is None else kids
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Count %d/Kids[%s]>>" % (max(1, len(pages)), listed),
        3: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    for (page, content), stream in zip(pages, streams, strict=True):
        packed = zlib.compress(stream, 9)
        objects[page] = b"<</Type/Page/Parent 2 0 R/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>" % content
        objects[content] = b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed)
    data, places = b"%PDF-1.4\n", []
    for number, value in objects.items():
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return data + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        len(data),
    )


def encrypted_pdf(password: str) -> bytes:
    """A PDF that this password opens; with an empty one anybody can read it."""
    writer = PdfWriter(clone_from=io.BytesIO(pdf_of("Loans end after three weeks.")))
    writer.encrypt(user_password=password, owner_password="the owner's", algorithm="RC4-128")
    return _written(writer)


def word_document(*paragraphs: str, table: tuple[str, ...] = ()) -> bytes:
    """A Word document with these paragraphs, and below them a table of one row."""
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        for cell, text in zip(document.add_table(1, len(table)).rows[0].cells, table, strict=True):
            cell.text = text
    return _written(document)


def word_document_with(body: bytes, before: bytes = b"") -> bytes:
    """A Word document whose text is this XML, and with this before it."""
    main = b'<?xml version="1.0"?>%s<w:document xmlns:w="%s"><w:body>%s</w:body></w:document>'
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word_document())) as plain, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in plain.namelist():
            is_main = name == "word/document.xml"
            new.writestr(name, main % (before, NAMESPACE.encode(), body) if is_main else plain.read(name))
    return made.getvalue()


def _written(document: PdfWriter | docx.document.Document) -> bytes:
    made = io.BytesIO()
    (document.write if isinstance(document, PdfWriter) else document.save)(made)
    return made.getvalue()
