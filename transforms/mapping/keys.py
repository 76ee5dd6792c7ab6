"""Keys that a map declares (rule 2): what a thing is known by for ever, out of fields of the message as received.

    identify: { by: [DG1-20, [DG1-3, DG1-6]], of: encounter }

Of the alternatives in `by` the first whose first field says something is taken.  A number counts with its authority (else
its sender), a code with its system, anything else as it stands.  `of` names the makes whose identity the key begins with: the
first that has one.  What nothing is said of, or what belongs to something that has no identity, is known by its message and its
place in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transforms.errors import Problem
from transforms.hl7.names import field_type
from transforms.mapping.conversion import NULL, Conversion
from transforms.mapping.places import Source, Spot, source
from transforms.mapping.results import BETWEEN, Identity, assigned, counted, entity, first, of_message, own_code, system_of

CODES = ("CE", "CWE", "CNE", "CF")


@dataclass(frozen=True)
class Declared:
    """What `identify` says.  `once`: equal keys are one thing, else they get ordinals."""

    spot: Spot
    by: tuple[tuple[Source, ...], ...] = ()
    of: tuple[str, ...] = ()
    once: bool = False

    @property
    def places(self) -> tuple[Source, ...]:
        """All the fields it may be made of."""
        return tuple(dict.fromkeys(place for alternative in self.by for place in alternative))


def read_declared(value: Any, spot: Spot, problems: list[Problem]) -> Declared | str:
    """The value of `identify`: a name, or a declaration; what is wrong goes to `problems`."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or not value.get("by"):
        problems.append(spot.problem("identify", "An identity is a name, or a mapping such as `{ by: [DG1-20, [DG1-3, DG1-6]], of: encounter }`."))
        return ""
    for key in value:
        if key not in ("by", "of", "once"):
            problems.append(spot.at(key).problem("unknown_key", f"`{key}` is not known here; there are by, of and once.", key=True))
    listed = value["by"] if isinstance(value["by"], list) else [value["by"]]
    by = tuple(_alternative(each, spot.at("by", index) if isinstance(value["by"], list) else spot.at("by"), problems) for index, each in enumerate(listed))
    of = value.get("of", ())
    if not isinstance(value.get("once", False), bool):
        problems.append(spot.at("once").problem("wrong_type", "`once` is true or false."))
    return Declared(spot, tuple(each for each in by if each), (of,) if isinstance(of, str) else tuple(of), value.get("once") is True)


def _alternative(value: Any, spot: Spot, problems: list[Problem]) -> tuple[Source, ...]:
    texts = value if isinstance(value, list) else [value]
    found = [(text, source(text) if isinstance(text, str) else None) for text in texts]
    for text, place in found:
        if place is None:
            problems.append(spot.problem("no_path", f"`{text}` is no field; write it as DG1-20 or PV1-3.4."))
    return tuple(place for _, place in found if place is not None)


def identity_of(declared: Declared, kind: str, own: tuple[str, ...]) -> Identity:
    """The identity of things of a resource type that a make's own segments and these fields make."""
    segments = tuple(dict.fromkeys((*own, *(place.segment for place in declared.places))))
    read = [[(segments.index(place.segment), *_reader(place)) for place in each] for each in declared.by]
    alternatives = tuple((tuple(each[:3] for each in fields), all(certain for *_, certain in fields)) for fields in read)
    call = _key(kind, alternatives, len(segments), declared.of, declared.once)
    return Identity(
        call,
        segments,
        declared.of,
        counted=not declared.once,
        reads=tuple((place.segment, place.field) for place in declared.places),
        declared=True,
    )


def _key(kind: str, alternatives: tuple[Any, ...], count: int, of: tuple[str, ...], once: bool) -> Callable[..., str]:
    """A function from a conversion, a node, positions of segments and nodes of links to the key."""

    def key(conversion: Conversion, node: int, *seen: int) -> str:
        positions, links = seen[:count], seen[count:]
        around = next((found for link in links if link >= 0 and (found := conversion.ids[link])), "")
        said = _said(conversion, alternatives, positions) if around or not of else None
        if said is None:
            own = next((each for each in positions if each >= 0), node)
            return f"{kind}{BETWEEN}{of_message(conversion, node, own)}"
        if any(link >= 0 and link in conversion.weak for link in links):
            conversion.weak.append(node)
        values, certain = said
        around = around or ("" if certain else BETWEEN.join(conversion.sender))
        found = BETWEEN.join((kind, around, *values))
        return found if once else counted(conversion, found)

    return key


def _said(conversion: Conversion, alternatives: tuple[Any, ...], positions: tuple[int, ...]) -> tuple[list[str], bool] | None:
    """The values of the first alternative whose first field says something, and whether all of them are numbers with an authority or sender."""
    for fields, certain in alternatives:
        index, place, read = fields[0]
        if first_said := read(conversion, _text(conversion, positions[index], place)):
            others = [read(conversion, _text(conversion, positions[index], place)) for index, place, read in fields[1:]]
            return [first_said, *others], certain
    return None


def _text(conversion: Conversion, position: int, place: Source) -> str:
    """What a place says, as received: its first repetition, or the part of that."""
    text = conversion.rows[position][place.field] if position >= 0 else ""
    if not text:
        return ""
    if conversion.repetition in text:
        text = first(conversion, text)
    if place.component:
        text = _nth(text, conversion.component, place.component)
    if place.subcomponent:
        text = _nth(text, conversion.subcomponent, place.subcomponent)
    return "" if text == NULL else text


def _nth(text: str, separator: str, number: int) -> str:
    parts = text.split(separator, number)
    return parts[number - 1] if len(parts) >= number else ""


def _reader(place: Source) -> tuple[Source, Callable[[Conversion, str], str], bool]:
    """How a place's text becomes part of a key, and whether that names who assigned it."""
    kind = "" if place.component else field_type(place.segment, place.field)
    if kind == "EI":
        return place, entity, True
    if kind == "EIP":
        return place, _pair, True
    if kind == "CX":
        return place, _numbered, True
    return place, own_code if kind in CODES else _plain, False


def _plain(conversion: Conversion, text: str) -> str:
    return text.strip() if text.strip(conversion.component + conversion.subcomponent) else ""


def _pair(conversion: Conversion, text: str) -> str:
    """An EIP: both parts with their authorities."""
    parts = [assigned(conversion, each) for each in text.split(conversion.component)[:2]]
    return BETWEEN.join(parts) if any(parts) else ""


def _numbered(conversion: Conversion, text: str) -> str:
    """A CX: its authority (else the sender) and number."""
    parts = text.split(conversion.component)
    if not parts[0] or parts[0] == NULL:
        return ""
    system = system_of(conversion, parts[3].split(conversion.subcomponent)) if len(parts) > 3 else ""
    return f"{system or BETWEEN.join(conversion.sender)}{BETWEEN}{parts[0]}"
