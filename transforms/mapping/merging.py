"""What a message merges (rule 8): which prior number stands for which surviving one from now on, and how that is taken back.

Read from the message itself, whatever its map makes of it: MRG-1 into PID-3, and MRG-5 into PV1-19.  A number without an authority
stands for nothing outside its sender's own system, and is not merged.  What would close a circle, or would send a number two ways,
is refused: which of the two is right, a person has to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from transforms.document import Aliases, Context, Identity, Known, Merge
from transforms.errors import ErrorCode, MessageError
from transforms.hl7.message import Message, Segment
from transforms.hl7.path import parse_path
from transforms.mapping.identity import criterion, namer
from transforms.mapping.options import MapOptions
from transforms.mapping.reading import Reading
from transforms.mapping.results import NEVER, chosen, numbered

PATIENTS = frozenset({"A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"})
"""Events that merge or change patient numbers.  (A43 moves identifiers between persons: the numbers stay what they are.)"""
VISITS = frozenset({"A06", "A07", "A42", "A45", "A50", "A51"})
"""Events that may name the visit's earlier number."""
EVENTS = PATIENTS | VISITS
"""Events that may merge something."""
MOVES = frozenset({"A17", "A24", "A35", "A37", "A41", "A43", "A44", "A48", "A49"})
"""Events about two patients who both stay who they are: accounts and identifiers moved, links, beds exchanged."""
JOINING = EVENTS | MOVES
"""Events whose deliveries take the lanes of all patients they name."""
FIELDS = 20  # of PV1 that are looked at


def told(message: Message, context: Context) -> list[tuple[Merge, str]]:
    """What a message says that it merges, each with its place."""
    event = message.get("MSH-9.2") or message.get("EVN-1") or ""
    if event not in EVENTS or message.first("MRG") is None:
        return []
    return list(_said(message, event, _reading(message, context)))


def _reading(message: Message, context: Context) -> Reading:
    sender, version = (message.get("MSH-3.1") or "", message.get("MSH-4.1") or ""), message.get("MSH-12.1") or ""
    return Reading(message.delimiters, context, MapOptions(), sender=sender, version=version, codec=message.encoding)


def merges_of(message: Message, context: Context) -> tuple[Merge, ...]:
    """What a message merges that is not merged yet.  MessageError (DUPLICATE_KEY) where that cannot be."""
    found: list[Merge] = []
    for merge, place in told(message, context):
        known = after(context.aliases, found)
        prior, survivor = known.survivor(merge.kind, merge.prior), known.survivor(merge.kind, merge.survivor)
        if prior == survivor and prior != merge.prior:
            continue  # it is merged already
        if survivor == merge.prior:
            why = "the surviving number was merged into this one: undo that merge first"
            raise MessageError(ErrorCode.DUPLICATE_KEY, place, why)
        if prior != merge.prior:
            raise MessageError(ErrorCode.DUPLICATE_KEY, place, "the number is merged into another one already: undo that merge first")
        found.append(merge)
    return tuple(found)


def after(aliases: Aliases, merges: Iterable[Merge], version: int | None = None) -> Aliases:
    """`aliases` with more merges in force, in their order."""
    merges = list(merges)
    if not merges:
        return aliases
    into, replaced, lanes = dict(aliases.into), dict(aliases.replaced), dict(aliases.lanes)
    found = Aliases(aliases.version if version is None else version, into, replaced, lanes)
    for each in merges:
        target = found.survivor(each.kind, each.survivor)
        into[each.kind, *each.prior] = each.survivor
        replaced[each.kind, *target] = (*replaced.get((each.kind, *target), ()), each.prior)
        if each.prior_lane and found.lane(each.lane) != each.prior_lane:
            lanes[each.prior_lane] = each.lane
    return found


def _said(message: Message, event: str, reading: Reading) -> Iterator[tuple[Merge, str]]:
    """What each MRG says, with its place: of the PID before it, and of the PV1 after it."""
    person: Segment | None = None
    merge: Segment | None = None
    for segment in message.segments:
        if segment.name == "PID":
            person, merge = segment, None
        elif segment.name == "MRG":
            merge = segment
            if event in PATIENTS and person is not None:
                yield from _patients(person, merge, event, reading)
        elif segment.name == "PV1" and merge is not None and event in VISITS:
            yield from _visit(segment, merge, event, reading)
            merge = None


def _patients(person: Segment, merge: Segment, event: str, reading: Reading) -> Iterator[tuple[Merge, str]]:
    """Each prior number goes into the survivor's of the same authority, else into the one that is chosen for the survivor.

    Some senders go on listing the prior number among the survivor's own.
    """
    priors = {_number(text, reading) for text in merge.repetitions(1)}
    texts = [text for text in _numbers_of(person, reading) if _number(text, reading) not in priors]
    best = chosen(reading, texts)  # type: ignore[arg-type]  # what it needs of a Conversion is a Reading's
    own = {known: text for text in texts if (known := _number(text, reading)) is not None}
    by_system: dict[str, list[Known]] = {}
    for known in own:
        by_system.setdefault(known[0], []).append(known)
    for text in merge.repetitions(1):
        prior = _number(text, reading) if text else None
        if prior is None or best is None:
            continue
        same = by_system.get(prior[0], [])
        survivor = best if best in same or len(same) != 1 else same[0]
        yield Merge("Patient", event, prior, survivor, _lane(text, reading), _lane(own[survivor], reading)), f"{merge.place}-1"


def _visit(visit: Segment, merge: Segment, event: str, reading: Reading) -> Iterator[tuple[Merge, str]]:
    texts = [*visit.repetitions(19), ""][0], [*merge.repetitions(5), ""][0]
    survivor, prior = (numbered(reading, text) for text in texts)  # type: ignore[arg-type]
    if survivor is not None and prior is not None and prior[:2] != survivor[:2]:
        yield Merge("Encounter", event, prior[:2], survivor[:2]), f"{merge.place}-5"


def _numbers_of(person: Segment, reading: Reading) -> list[str]:
    """What PID calls a patient; PID-2 and 4 only in 2.1 and 2.2."""
    early = [text for field in (2, 4) for text in person.repetitions(field)] if reading.version in ("2.1", "2.2") else []
    return [text for text in (*person.repetitions(3), *early) if text]


def _number(text: str, reading: Reading) -> Known | None:
    """A CX that names a person, as (system, value)."""
    found = numbered(reading, text)  # type: ignore[arg-type]
    return found[:2] if found is not None and found[2] not in NEVER else None


def _lane(text: str, reading: Reading) -> str:
    parts = [*text.split(reading.component), "", "", ""]
    return f"{parts[0]}^{parts[3].split(reading.subcomponent)[0]}"


# lanes


def people(message: Message, context: Context) -> list[tuple[Known, str]]:
    """All patients that a message names, as numbers and as lanes: PID-3 as it stands now, MRG-1 as it was."""
    reading, found = _reading(message, context), dict[Known, str]()
    for segment in message.segments:
        if segment.name == "PID" and (known := chosen(reading, _numbers_of(segment, reading))) is not None:  # type: ignore[arg-type]
            found.setdefault(context.aliases.survivor("Patient", known), "")
            found |= {known: _lane(text, reading) for text in _numbers_of(segment, reading) if _number(text, reading) == known}
        elif segment.name == "MRG":
            found |= {known: _lane(text, reading) for text in segment.repetitions(1) if text and (known := _number(text, reading))}
    return list(found.items())


def lanes_of(people: Sequence[tuple[Known, str]], identity: Identity) -> tuple[str, ...]:
    """The lanes that maps give patients: their ids."""
    name = namer(identity.secret)
    return tuple([name(f"Patient|{system}|{value}") for (system, value), _ in people])


def prior_path(path: str) -> str:
    """Where a merge message has for the prior patient what stands at `path` for the survivor: MRG-1 for PID-3; '' for nowhere."""
    asked = parse_path(path)
    return "MRG-1" + path[len("PID-3") :] if asked.segment == "PID" and asked.field == 3 and path.startswith("PID-3") else ""


# taking it back


def undoing(merges: Sequence[Merge], identity: Identity) -> dict[str, Any]:
    """A transaction that takes merges back at a receiver: what they wrote about each other is deleted, the prior is active again.

    FHIRPath Patch: nothing else of the resources changes.  What an Encounter's status was before is not known.
    """
    name = namer(identity.secret)
    entries: list[dict[str, Any]] = []
    for each in merges:
        if each.kind == "Patient":
            again = _replace("Patient.active", "valueBoolean", True)
            entries.append(_patch(name, each.kind, each.prior, [again, *_unlink(name, "replaced-by", each.survivor)]))
            entries.append(_patch(name, each.kind, each.survivor, _unlink(name, "replaces", each.prior)))
        else:
            status = _replace("Encounter.status", "valueCode", "unknown")
            entries.append(_patch(name, each.kind, each.prior, [status, _delete("Encounter.partOf")]))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _patch(name: Any, kind: str, known: Known, operations: list[dict[str, Any]]) -> dict[str, Any]:
    resource = {"resourceType": "Parameters", "parameter": operations}
    request = {"method": "PATCH", "url": f"{kind}?{criterion(*known)}"}
    return {"fullUrl": f"urn:uuid:{name(f'{kind}|{known[0]}|{known[1]}')}", "resource": resource, "request": request}


def _replace(path: str, element: str, value: object) -> dict[str, Any]:
    return _operation({"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": path}, {"name": "value", element: value})


def _delete(path: str) -> dict[str, Any]:
    return _operation({"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": path})


def _unlink(name: Any, kind: str, other: Known) -> list[dict[str, Any]]:
    """Delete a Patient's links of a type to the patient of a number, by reference and by identifier."""
    system, value = (each.replace("\\", "\\\\").replace("'", "\\'") for each in other)
    reference = f"urn:uuid:{name(f'Patient|{other[0]}|{other[1]}')}"
    wanted = (f"other.reference = '{reference}'", f"other.identifier.system = '{system}' and other.identifier.value = '{value}'")
    return [_delete(f"Patient.link.where(type = '{kind}' and {each})") for each in wanted]


def _operation(*part: dict[str, Any]) -> dict[str, Any]:
    return {"name": "operation", "part": list(part)}
