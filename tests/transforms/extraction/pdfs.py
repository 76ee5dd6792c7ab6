"""PDFs made for the tests: words at places, in Helvetica, a page after the other."""

from __future__ import annotations

Text = tuple[float, float, str]
"""x and y from the top left corner, and what stands there; `*` before it: bold."""


def pdf(*pages: list[Text], size: float = 9) -> bytes:
    """A PDF of A4 pages with these texts."""
    kids = " ".join(f"{5 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
    ]
    for index, texts in enumerate(pages):
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> "
            f"/Contents {6 + 2 * index} 0 R >>"
        )
        content = "".join(_shown(text, size) for text in texts)
        objects.append(f"<< /Length {len(content.encode('cp1252'))} >>\nstream\n{content}\nendstream")
    return _file(objects)


def _shown(text: Text, size: float) -> str:
    x, y, words = text
    font, words = ("F2", words[1:]) if words.startswith("*") and len(words) > 1 else ("F1", words)
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /{font} {size} Tf {x} {842 - y} Td ({escaped}) Tj ET\n"


def _file(objects: list[str]) -> bytes:
    made, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{each}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(made)}\n%%EOF\n"
    return made + end.encode()


def table(*rows: tuple[str, ...], at: tuple[float, ...] = (40, 220, 270, 310, 390), top: float = 150, step: float = 14) -> list[Text]:
    """Rows of cells at the same places; an empty cell is left out."""
    return [(x, top + step * index, cell) for index, row in enumerate(rows) for x, cell in zip(at, row, strict=False) if cell]
