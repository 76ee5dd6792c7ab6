"""What a result is (rules 2, 8, 12, 14, 17): the keys things are known by for ever, and what one rule line cannot say.

Keys are made of the message as received: raw texts of numbers and codes, with the authority's URI or, where the message
names none, its sender.  Nothing here writes elements but references between Observations and marks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transforms.mapping.conversion import NULL, Conversion

BETWEEN = "\x1f"  # joins the parts of a key; no field holds it
PERSONS = ("MR", "PI", "PT", "NI", "NH", "NIIP", "SS", "JHN", "PE", "")  # CX.5, best first; '' is one that says nothing
NEVER = ("AN", "VN", "BC", "BA", "AC")  # accounts and visits


@dataclass(frozen=True)
class Identity:
    """How a kind of thing is known: what its function must see, and what its answer means.

    Owned: a key, the UUID is made of it, '' for none.  Shared: (system, value), or None.  `counted`: equal keys get
    ordinals; else they are one thing.
    """

    call: Callable[..., Any]
    segments: tuple[str, ...]
    links: tuple[str, ...] = ()
    owned: bool = True
    counted: bool = False
    quick: str = ""  # the key of the usual case as an expression, false where the function must be asked
    reads: tuple[tuple[str, int], ...] = ()  # what the key is made of
    declared: bool = False  # by a map


# numbers with their authorities


def system_of(conversion: Conversion, parts: list[str]) -> str:
    """The URI for HD components as they stand in the message."""
    return conversion.assigner(tuple(parts))


def first(conversion: Conversion, text: str) -> str:
    return text.partition(conversion.repetition)[0] if conversion.repetition in text else text


def entity(conversion: Conversion, text: str) -> str:
    """An EI as part of a key: authority (else sender) and number; '' if there is no number."""
    text = first(conversion, text)
    if not text or text == NULL:
        return ""
    parts = text.split(conversion.component)
    if not parts[0] or parts[0] == NULL:
        return ""
    system = system_of(conversion, parts[1:4]) if len(parts) > 1 else ""
    return f"{system or BETWEEN.join(conversion.sender)}{BETWEEN}{parts[0]}"


def own_code(conversion: Conversion, text: str) -> str:
    """The sender's code and its system of a CWE, as part of a key; its text where it has no code."""
    known = conversion.codes
    code = known.get(text)
    if code is None:
        parts = [*first(conversion, text).split(conversion.component), "", ""]
        code = f"{parts[0]}{BETWEEN}{parts[2]}" if parts[0] and parts[0] != NULL else f"{BETWEEN}{parts[1]}" if parts[1] else ""
        if len(known) > 10_000:
            known.clear()
        known[text] = code
    return code


def counted(conversion: Conversion, key: str) -> str:
    """`key` with its ordinal among equal ones of the message."""
    ordinals = conversion.ordinals
    count = ordinals[key] = ordinals.get(key, 0) + 1
    return key if count == 1 else f"{key}{BETWEEN}{count}"


def of_message(conversion: Conversion, node: int, position: int) -> str:
    """The key of what has no number: sender, control id and place; survives resends, cannot be corrected."""
    conversion.weak.append(node)
    header = conversion.rows[0]
    return BETWEEN.join(("message", *conversion.sender, header[10], str(position)))


# owned things


def report(conversion: Conversion, node: int, obr: int, orc: int, spm: int) -> str:
    """Rule 2: OBR-3, else ORC-3, OBR-2, ORC-2, SPM-2 with OBR-7; and OBR-4's own code."""
    rows = conversion.rows
    request, common = rows[obr], rows[orc]
    number = entity(conversion, request[3]) or entity(conversion, common[3])
    number = number or entity(conversion, request[2]) or entity(conversion, common[2])
    if not number and (sample := specimen(conversion, node, spm)) and request[7]:
        number = f"{sample}{BETWEEN}{request[7]}"
    if not number:
        return of_message(conversion, node, obr)
    if conversion.options.filler_numbers == "recycled":
        number += BETWEEN + request[7][:8]
    return counted(conversion, f"report{BETWEEN}{number}{BETWEEN}{own_code(conversion, request[4])}")


def observation(conversion: Conversion, node: int, obx: int, report_node: int) -> str:
    """Rule 2: OBX-21; else the report's key, OBX-3's own code, OBX-4."""
    fields = conversion.rows[obx]
    if fields[21] and (number := entity(conversion, fields[21])):
        return counted(conversion, f"observation{BETWEEN}{number}")
    around = conversion.keys[report_node]
    code = conversion.codes.get(fields[3]) or own_code(conversion, fields[3])
    if not code or not around:
        return of_message(conversion, node, obx)
    if conversion.weak and report_node in conversion.weak:
        conversion.weak.append(node)
    key = f"{around}{BETWEEN}{code}{BETWEEN}{fields[4]}"
    if key in conversion.ordinals:
        return counted(conversion, key)
    conversion.ordinals[key] = 1
    return key


def specimen_observation(conversion: Conversion, node: int, obx: int, spm: int, report_node: int) -> str:
    """What is said about a specimen is known by the specimen, else as a result is."""
    around = specimen(conversion, node, spm)
    code = own_code(conversion, conversion.rows[obx][3])
    if not around or not code or conversion.rows[obx][21]:
        return observation(conversion, node, obx, report_node)
    return counted(conversion, f"{around}{BETWEEN}{code}{BETWEEN}{conversion.rows[obx][4]}")


def document(conversion: Conversion, node: int, obx: int, report_node: int) -> str:
    """A document is known as the observation it came as."""
    return "document" + BETWEEN + observation(conversion, node, obx, report_node)


def specimen(conversion: Conversion, node: int, spm: int) -> str:
    """Rule 2: SPM-2, both parts."""
    text = first(conversion, conversion.rows[spm][2])
    if not text or text == NULL:
        return ""
    parts = [assigned(conversion, each) for each in text.split(conversion.component)[:2]]
    return BETWEEN.join(("specimen", *parts)) if any(parts) else ""


def assigned(conversion: Conversion, text: str) -> str:
    """One half of an EIP: its subcomponents are an EI's components."""
    parts = text.split(conversion.subcomponent)
    if not parts[0] or parts[0] == NULL:
        return ""
    system = system_of(conversion, parts[1:4]) if len(parts) > 1 else ""
    return f"{system or BETWEEN.join(conversion.sender)}{BETWEEN}{parts[0]}"


def provenance(conversion: Conversion, node: int, pid: int) -> str:
    """One for each part of the message: sender, control id, place."""
    header = conversion.rows[0]
    return BETWEEN.join(("provenance", *conversion.sender, header[10], str(pid)))


# shared things


def numbered(conversion: Conversion, text: str) -> tuple[str, str, str] | None:
    """A CX as (system, value, type); None without a number or an authority."""
    parts = text.split(conversion.component)
    if not parts[0] or parts[0] == NULL:
        return None
    system = system_of(conversion, parts[3].split(conversion.subcomponent) if len(parts) > 3 else [""])
    return (system, conversion.text(parts[0]).strip(), parts[4] if len(parts) > 4 else "") if system else None


def patient(conversion: Conversion, node: int, pid: int) -> tuple[str, str] | None:
    """Rule 8: by declared authority, then by type; never an account, never PID-18 or 19; PID-2 and 4 only in 2.1 and 2.2."""
    fields = conversion.rows[pid]
    texts = fields[3].split(conversion.repetition)
    if conversion.version in ("2.1", "2.2"):
        texts += [fields[2], fields[4]]
    found = chosen(conversion, texts)
    aliases = conversion.context.aliases
    return aliases.survivor("Patient", found) if aliases and found else found


def chosen(conversion: Conversion, texts: list[str]) -> tuple[str, str] | None:
    """The number that stands for a person, of several (CX)."""
    found = [each for each in (numbered(conversion, text) for text in texts if text) if each is not None]
    if len(found) > 1 or found and found[0][2] in NEVER:
        wanted = conversion.context.identity.patient
        found = sorted((each for each in found if each[2] not in NEVER), key=lambda each: _preference(each, wanted))
    return found[0][:2] if found else None


def _preference(numbered: tuple[str, str, str], wanted: tuple[str, ...]) -> tuple[int, int]:
    system, _, kind = numbered
    declared = wanted.index(system) if system in wanted else wanted.index(kind) if kind in wanted else len(wanted)
    national = kind[:2] == "NN" and len(kind) > 2
    return declared, PERSONS.index("NI" if national else kind) if national or kind in PERSONS else len(PERSONS)


def encounter(conversion: Conversion, node: int, pv1: int) -> tuple[str, str] | None:
    """PV1-19 with its authority."""
    text = conversion.rows[pv1][19]
    found = numbered(conversion, first(conversion, text)) if text else None
    aliases = conversion.context.aliases
    return aliases.survivor("Encounter", found[:2]) if aliases and found else found[:2] if found else None


def order(conversion: Conversion, node: int, obr: int, orc: int) -> tuple[str, str] | None:
    """The placer's number with its authority: OBR-2, else ORC-2."""
    return _with_authority(conversion, conversion.rows[obr][2]) or _with_authority(conversion, conversion.rows[orc][2])


def _with_authority(conversion: Conversion, text: str) -> tuple[str, str] | None:
    """An EI as (system, value); None without a number or an authority."""
    text = first(conversion, text)
    if text and conversion.component in text:
        parts = text.split(conversion.component)
        if parts[0] and parts[0] != NULL and (system := system_of(conversion, parts[1:4])):
            return system, conversion.text(parts[0]).strip()
    return None


def placed_order(conversion: Conversion, node: int, obr: int, orc: int) -> tuple[str, str]:
    """An order as its own messages know it: the placer's number, else the filler's; without an authority ('', a key of ours)."""
    request, common = conversion.rows[obr], conversion.rows[orc]
    if known := order(conversion, node, obr, orc):
        return known
    number = entity(conversion, request[2]) or entity(conversion, common[2])
    if not number:
        for text in (request[3], common[3]):
            if known := _with_authority(conversion, text):
                return known
        number = entity(conversion, request[3]) or entity(conversion, common[3])
    return "", BETWEEN.join(("order", number)) if number else of_message(conversion, node, orc if orc >= 0 else obr)


def nothing(conversion: Conversion, node: int) -> None:
    """Known by no number: it stays inside what refers to it."""
    return None


def by_identifier(conversion: Conversion, node: int) -> tuple[str, str] | None:
    """The first of its identifiers that has a system."""
    listed = (conversion.outs[node] or {}).get("identifier", ())
    for each in (listed,) if isinstance(listed, dict) else listed:
        if each.get("system") and each.get("value"):
            return each["system"], each["value"]
    return None


def by_number(conversion: Conversion, node: int) -> tuple[str, str]:
    """The same; without an authority a key of ours: the sender and the first number (master files)."""
    if known := by_identifier(conversion, node):
        return known
    listed = (conversion.outs[node] or {}).get("identifier", ())
    number = next((each["value"] for each in listed if each.get("value")), "")
    return "", BETWEEN.join(("number", *conversion.sender, number)) if number else of_message(conversion, node, node)


SAME = ("", "the same")
"""Known by the very number of what remains: there is no second thing, and nothing more is said."""


def prior_patient(conversion: Conversion, node: int, mrg: int, pid: int) -> tuple[str, str] | None:
    """The patient that was: MRG-1, chosen as PID-3 is (rule 8)."""
    found = chosen(conversion, conversion.rows[mrg][1].split(conversion.repetition))
    return SAME if found and found == patient(conversion, node, pid) else found


def prior_encounter(conversion: Conversion, node: int, mrg: int, pv1: int) -> tuple[str, str] | None:
    """The visit that was: MRG-5 with its authority."""
    found, now = (numbered(conversion, first(conversion, text)) if text else None for text in (conversion.rows[mrg][5], conversion.rows[pv1][19]))
    return None if found is None else SAME if now and found[:2] == now[:2] else found[:2]


PRIOR = (prior_patient, prior_encounter)
"""Identities that may be SAME."""

_RESULT = (("OBX", 21), ("OBX", 3), ("OBX", 4))
_QUICK = 'f"{AROUND}\x1f{c}\x1f{OBX[4]}" if AROUND and not OBX[21] and not weak and (c := CODES.get(OBX[3])) else ""'

IDENTITIES: dict[str, Identity] = {
    "report": Identity(report, ("OBR", "ORC", "SPM"), counted=True, reads=(("OBR", 3), ("ORC", 3), ("OBR", 2), ("ORC", 2), ("OBR", 4))),
    "observation": Identity(observation, ("OBX",), ("report",), counted=True, quick=_QUICK, reads=_RESULT),
    "specimen_observation": Identity(specimen_observation, ("OBX", "SPM"), ("report",), counted=True, reads=(("SPM", 2), *_RESULT)),
    "document": Identity(document, ("OBX",), ("report",), counted=True, reads=_RESULT),
    "specimen": Identity(specimen, ("SPM",), reads=(("SPM", 2),)),
    "provenance": Identity(provenance, ("PID",)),
    "patient": Identity(patient, ("PID",), owned=False, reads=(("PID", 3),)),
    "encounter": Identity(encounter, ("PV1",), owned=False, reads=(("PV1", 19),)),
    "order": Identity(order, ("OBR", "ORC"), owned=False, reads=(("OBR", 2), ("ORC", 2))),
    "placed_order": Identity(placed_order, ("OBR", "ORC"), owned=False, reads=(("OBR", 2), ("ORC", 2), ("OBR", 3), ("ORC", 3))),
    "prior_patient": Identity(prior_patient, ("MRG", "PID"), owned=False, reads=(("MRG", 1),)),
    "prior_encounter": Identity(prior_encounter, ("MRG", "PV1"), owned=False, reads=(("MRG", 5),)),
    "by_identifier": Identity(by_identifier, (), owned=False),
    "by_number": Identity(by_number, (), owned=False),
    "nothing": Identity(nothing, (), owned=False),
    "alone": Identity(nothing, (), owned=False, counted=True),  # nothing refers to it: a map's own test
}

BY_TYPE = {
    "Patient": "patient",
    "Encounter": "encounter",
    "ServiceRequest": "order",
    "DiagnosticReport": "report",
    "Observation": "observation",
    "DocumentReference": "document",
    "Specimen": "specimen",
    "Provenance": "provenance",
}
"""How a resource is identified where a make does not say."""
