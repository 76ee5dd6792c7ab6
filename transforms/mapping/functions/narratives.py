"""Text that a reader is to see beside the structured data, as a Narrative."""

from __future__ import annotations

from html import escape

from transforms.mapping.functions.registry import function
from transforms.mapping.functions.texts import text as as_text
from transforms.mapping.reading import Reading


@function("narrative", gives="Narrative", memo=True)
def narrative(text: str, r: Reading) -> dict[str, str] | None:
    """ST as Narrative: more than the structured data say."""
    said = as_text(text, r)
    return {"status": "additional", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(said, quote=False)}</div>'} if said else None
