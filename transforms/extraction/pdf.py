"""From the bytes of a PDF to pages of words, by pypdfium2.  Not thread-safe: one call at a time in a process.

Scripts, forms and attachments inside the PDF are neither run nor opened.  Boxes are PDFium's loose character boxes: all
characters of a line have one height, so that lines hold together.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from transforms.extraction.errors import ExtractionError
from transforms.extraction.page import Box, Page, Word, box_of

BOLD = 600  # font weight from which text is bold
SLANTED = 0.1  # radians: text turned by more is a watermark or a margin note
HYPHENS = str.maketrans({"\u00ad": "-", "\u2010": "-", "\u2011": "-", "\u2212": "-", "\ufffe": "-", "\u00a0": " ", "\u03bc": "\u00b5"})


@dataclass(frozen=True)
class Limits:
    """How much of a PDF is read."""

    bytes: int = 50 * 2**20
    pages: int = 200
    characters: int = 60_000  # of one page


def read(content: bytes, limits: Limits = Limits()) -> Iterator[Page]:
    """The pages of a PDF, one after the other."""
    if not content.strip():
        raise ExtractionError("empty")
    if len(content) > limits.bytes:
        raise ExtractionError("too_large")
    if b"%PDF-" not in content[:1024]:
        raise ExtractionError("not_pdf")
    document = _opened(content)
    try:
        if len(document) > limits.pages:
            raise ExtractionError("too_many_pages")
        yield from _pages(document, limits)
    except pypdfium2.PdfiumError as error:
        raise ExtractionError("damaged") from error
    finally:
        document.close()


def _opened(content: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
        raise ExtractionError("encrypted" if locked else "damaged") from error


def _pages(document: pypdfium2.PdfDocument, limits: Limits) -> Iterator[Page]:
    words = pictures = 0
    for index in range(len(document)):
        page = document[index]
        made = _page(page, index + 1, limits)
        words += len(made.words)
        pictures += not made.words and any(each.type == pdfium.FPDF_PAGEOBJ_IMAGE for each in page.get_objects(max_depth=3))
        page.close()
        yield made
    if not words:
        raise ExtractionError("no_text" if pictures else "empty")


def _page(page: pypdfium2.PdfPage, number: int, limits: Limits) -> Page:
    text = page.get_textpage()
    try:
        if text.count_chars() > limits.characters:
            raise ExtractionError("too_much_text")
        left, bottom, right, top = page.get_bbox()
        turn = _Turn(page.get_rotation(), left, bottom, right, top)
        width, height = (top - bottom, right - left) if turn.quarter % 2 else (right - left, top - bottom)
        return Page(number, width, height, tuple(_words(text, turn)))
    finally:
        text.close()


@dataclass(frozen=True)
class _Turn:
    """From the page's own coordinates to those of the page as shown."""

    rotation: int
    left: float
    bottom: float
    right: float
    top: float

    @property
    def quarter(self) -> int:
        return self.rotation // 90

    def shown(self, x: float, y: float) -> tuple[float, float]:
        if self.rotation == 90:
            return y - self.bottom, x - self.left
        if self.rotation == 180:
            return self.right - x, y - self.bottom
        if self.rotation == 270:
            return self.top - y, self.right - x
        return x - self.left, self.top - y

    def box(self, found: pdfium.FS_RECTF) -> Box:
        x0, y0 = self.shown(found.left, found.bottom)
        x1, y1 = self.shown(found.right, found.top)
        return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _words(text: pypdfium2.PdfTextPage, turn: _Turn) -> Iterator[Word]:
    """Characters in the order of the content, cut at blanks and where the next one stands elsewhere."""
    held: list[tuple[str, Box]] = []
    first = 0
    rectangle = pdfium.FS_RECTF()
    for index in range(text.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text, index)
        character = chr(code).translate(HYPHENS) if code else " "
        if character.isspace() or not character.isprintable():
            box = None
        else:
            pdfium.FPDFText_GetLooseCharBox(text, index, rectangle)
            box = turn.box(rectangle)
        if held and (box is None or not _adjoins(held[-1][1], box)):
            yield from _word(text, held, first, turn)
            held = []
        if box is not None:
            first = first if held else index
            held.append((character, box))
    if held:
        yield from _word(text, held, first, turn)


def _adjoins(one: Box, other: Box) -> bool:
    size = max(one.height, other.height, 1.0)
    return -0.5 * size < other.left - one.right < 0.17 * size and abs(one.bottom - other.bottom) < 0.6 * size


def _word(text: pypdfium2.PdfTextPage, held: list[tuple[str, Box]], first: int, turn: _Turn) -> Iterator[Word]:
    angle = (pdfium.FPDFText_GetCharAngle(text, first) - math.radians(turn.rotation)) % (2 * math.pi)
    if min(angle, 2 * math.pi - angle) < SLANTED:
        yield Word("".join(character for character, _ in held), box_of(box for _, box in held), _bold(text, first))


def _bold(text: pypdfium2.PdfTextPage, index: int) -> bool:
    if pdfium.FPDFText_GetFontWeight(text, index) >= BOLD:
        return True
    name, flags = ctypes.create_string_buffer(96), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text, index, name, len(name), flags)
    return b"bold" in name.value.lower()
