"""Whether the condition of a rule holds of a message that is being written."""

from __future__ import annotations

from transforms.mapping.backward.rows import Rows
from transforms.mapping.conditions import Condition
from transforms.mapping.functions.registry import predicates
from transforms.mapping.places import Source
from transforms.mapping.reading import Reading


def holds(condition: Condition | None, rows: Rows, r: Reading) -> bool:
    """Whether it holds of the fields written so far."""
    if condition is None:
        return True
    kind, place = condition.kind, condition.source
    if kind == "not":
        return not holds(condition.inner[0], rows, r)
    if kind in ("all", "any"):
        return (all if kind == "all" else any)(holds(each, rows, r) for each in condition.inner)
    if kind == "option":
        return getattr(r.options, condition.segment, None) in condition.values
    text = _text(place, rows) if place else "".join("".join(told) for told in rows[condition.segment].fields.values()) if condition.segment in rows else ""
    if kind in ("absent", "nowhere"):
        return not text
    if kind == "repeats":
        return "~" in text
    if kind == "matches":
        return bool(text) and predicates()[condition.values[0]](text, r)
    return text.partition("^")[0] in condition.values if kind == "equals" else bool(text)


def made_to_hold(condition: Condition | None, rows: Rows, own: str) -> bool:
    """Write what the condition wants of fields that say nothing yet; whether anything was written."""
    wrote = False
    for each in condition.certain if condition else ():
        place = each.source
        if place and place.segment == own and not _text(place, rows):
            rows[own].put(place, str(each.values[0]))
            wrote = True
    return wrote


def _text(place: Source, rows: Rows) -> str:
    return rows[place.segment].read(place) if place.segment in rows else ""
