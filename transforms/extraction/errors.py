"""Why a PDF cannot be read: a code for machines, a sentence for people, nothing of what the file says."""

from __future__ import annotations

from transforms.errors import TransformError

REASONS = {
    "empty": "the file is empty, or its pages are blank",
    "not_pdf": "this is no PDF",
    "damaged": "the PDF is damaged and cannot be read",
    "encrypted": "the PDF is encrypted and needs a password",
    "no_text": "the pages are images without a text layer: reading a scan needs OCR, which is not available",
    "too_large": "the file is larger than what is read",
    "too_many_pages": "the PDF has more pages than what is read",
    "too_much_text": "a page holds more characters than what is read",
    "too_slow": "reading the PDF took longer than allowed and was stopped",
    "crashed": "reading the PDF ended the reading process: the file is damaged, or needs more memory than allowed",
    "out_of_memory": "reading the PDF needed more memory than allowed",
}


class ExtractionError(TransformError):
    """A PDF that is not read.  `code` is one of REASONS."""

    def __init__(self, code: str) -> None:
        super().__init__(f"{REASONS[code]} ({code})")
        self.code = code
