"""Text, numbers and indicators as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transforms.mapping.backward.registry import Proposal, inverse, said, value_and_beside
from transforms.mapping.backward.writing import Writing


@inverse("", "text", "line", "markdown", "code", "display", "joined_text", "identifier_value", "organization_name", "application_name")
@inverse("integer", "positive_integer")
def plain(value: Any, w: Writing, separator: str = " ") -> Iterator[Proposal]:
    """What is written as it is said."""
    text, _ = value_and_beside(value)
    if isinstance(text, (str, int)) and not isinstance(text, bool) and "\n" not in str(text):
        yield said(str(text))


@inverse("boolean")
def indicator(value: Any, w: Writing) -> Iterator[Proposal]:
    """Y or N."""
    told, _ = value_and_beside(value)
    if isinstance(told, bool):
        yield said("Y" if told else "N")


@inverse("address_text")
def address_text(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """A place written as it comes."""
    if "text" in value:
        yield said(value["text"])


@inverse("district")
def district(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """A county alone."""
    if set(value) == {"district"}:
        yield said(value["district"])


@inverse("name_text")
def name_text(value: Any, w: Writing) -> Iterator[Proposal]:
    """A name in one line: its last word is the family's, as it is read."""
    if isinstance(value, str):
        given, _, family = value.rpartition(" ")
        yield said(family, given) if given else said(family)


@inverse("sub_id")
def sub_id(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """OBX-4 from its extension."""
    names = ("original-sub-identifier", "group", "sequence", "identifier")
    told = {each.get("url"): each for each in value.get("extension", ())}
    parts = [str(told.get(name, {}).get("valueString", told.get(name, {}).get("valueDecimal", ""))) for name in names]
    yield said(*parts)
