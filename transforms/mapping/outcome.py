"""After the makes ran: what hangs together across orders (rule 17), which patient's share may leave, and what the register must know.

A part is one patient's share (rule 12).  Its lane is the chosen patient's identity; without a usable one it is held (rule 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from transforms.document import Part, ReportFact
from transforms.fhir.elements import children
from transforms.mapping.arrangement import column, link_column
from transforms.mapping.definition import Make
from transforms.mapping.documents import share_documents
from transforms.mapping.keys import Declared
from transforms.mapping.making import Module
from transforms.mapping.moments import comparable
from transforms.mapping.preparation import Steps
from transforms.mapping.targets import json_names
from transforms.mapping.conversion import NULL, Conversion

RANKS = {
    "registered": 1,
    "partial": 2,
    "preliminary": 3,
    "final": 4,
    "amended": 5,
    "corrected": 5,
    "appended": 5,
    "cancelled": 6,
    "entered-in-error": 7,
}
"""How far a report's status has gone; unknown is 0."""

MESSAGE_ONLY = {"tag": [{"code": "message_only", "display": "identity: message_only"}]}
"""Marks what is known only by its place in its message: it survives resends and cannot be corrected."""

FINAL = ("F", "C")
SPECIMEN = 33  # the OBX field that names the specimen (2.9; senders of older versions use it, too)


@dataclass(frozen=True)
class _Reports:
    """The make of reports and of the observations they list."""

    index: int
    obr: int  # columns of a report's step
    patient: int
    results: int
    observations: int  # index of the make
    obx: int  # column of its step


class Outcome:
    """What is decided at the end of a conversion with a module."""

    def __init__(self, module: Module, *, optional: bool = False) -> None:
        """`optional`: what is about no patient may leave."""
        self._sites, self._optional = module.sites, optional
        self._names = {site.name: index for index, site in enumerate(module.sites)}
        self._patient = next((i for i, make in enumerate(module.makes) if make.type == "Patient" and not make.into), -1)
        self._documents = next((i for i, make in enumerate(module.makes) if make.type == "DocumentReference" and not make.into), -1)
        self._reports = self._find_reports(module)
        self._changing = [(index, make.type, _whose(make)) for index, make in enumerate(module.makes) if _overwrites(make)]

    def _find_reports(self, module: Module) -> _Reports | None:
        for index, make in enumerate(module.makes):
            listed = next((wanted.removesuffix("[]") for name, wanted in make.link if name == "result"), "")
            if make.type == "DiagnosticReport" and make.identify in ("", "report") and not make.into and listed in self._names:
                site, other = module.sites[index], self._names[listed]
                patient = next((name for name, wanted in make.link if name == "subject"), "")
                owner = dict(make.link).get(patient, "")
                return _Reports(
                    index, column(site, "OBR"), link_column(site, owner, False), link_column(site, listed, True),
                    other, column(module.sites[other], "OBX"),
                )  # fmt: skip
        return None

    def __call__(self, conversion: Conversion, steps: Steps) -> tuple[Part, ...]:
        """Mark, tie, and say what parts there are."""
        for node in conversion.weak:
            if (out := conversion.outs[node]) is not None and "meta" not in out:
                out["meta"] = MESSAGE_ONLY
        if self._documents >= 0 and steps[self._documents]:
            made = [conversion.outs[step[0]] for step in steps[self._documents]]
            share_documents(conversion, [each for each in made if each is not None])
        reports = self._reports
        if reports is not None:
            rows = conversion.rows
            for step in steps[reports.index]:
                if rows[step[reports.obr]][26] and rows[step[reports.obr]][29]:
                    self._derive(conversion, steps, step)
            if max(conversion.lengths) > SPECIMEN:
                self._choose_specimens(conversion, steps)
        return self._parts(conversion, steps)

    # specimens (rule 16)

    def _choose_specimens(self, conversion: Conversion, steps: Steps) -> None:
        """An Observation whose OBX names its specimen has that one, whatever stands around it."""
        reports = self._reports
        if "specimen" not in self._names:
            return
        index = self._names["specimen"]
        at = column(self._sites[index], "SPM")
        for step in steps[reports.observations]:
            row, out = conversion.rows[step[reports.obx]], conversion.outs[step[0]]
            if conversion.lengths[step[reports.obx]] <= SPECIMEN or not row[SPECIMEN] or out is None:
                continue
            wanted = numbers(conversion, row[SPECIMEN])
            found = [each for each in steps[index] if each[1] == step[1] and wanted & numbers(conversion, conversion.rows[each[at]][2])]
            references = {conversion.refs[each[0]]["reference"] for each in found if conversion.refs[each[0]] is not None}
            if len(references) == 1:
                out["specimen"] = {"reference": references.pop()}
                conversion.used[step[reports.obx]] |= 1 << SPECIMEN

    # parents (rule 17)

    def _derive(self, conversion: Conversion, steps: Steps, child: tuple[Any, ...]) -> None:
        """Tie the Observations of a child order to the parent's Observation that OBR-26 and OBR-29 name."""
        reports = self._reports
        request = conversion.rows[child[reports.obr]]
        parent = self._parent(conversion, steps, child, request[29])
        if parent is None:
            return
        pieces = request[26].partition(conversion.repetition)[0].split(conversion.component)
        code = pieces[0].split(conversion.subcomponent)[0]
        sub_id = pieces[1] if len(pieces) > 1 else ""
        reference = self._observation(conversion, steps, parent, code, sub_id)
        if reference is None:
            return
        conversion.used[child[reports.obr]] |= 1 << 26 | 1 << 29
        for node in child[reports.results]:
            out = conversion.outs[node]
            if out is not None and conversion.refs[node] is not None:
                out["derivedFrom"] = [*out.get("derivedFrom", ()), reference]

    def _parent(self, conversion: Conversion, steps: Steps, child: tuple[Any, ...], text: str) -> tuple[Any, ...] | None:
        """The one other order of the message with the parent's placer or filler number."""
        numbers = [each.split(conversion.subcomponent)[0] for each in text.partition(conversion.repetition)[0].split(conversion.component)]
        placer, filler = (*numbers, "", "")[:2]
        obr = self._reports.obr
        found = []
        for step in steps[self._reports.index]:
            row = conversion.rows[step[obr]]
            own = [row[number].split(conversion.component)[0] for number in (2, 3)]
            if step is not child and step[1] == child[1] and (filler and filler == own[1] or not filler and placer and placer == own[0]):
                found.append(step)
        return found[0] if len(found) == 1 else None

    def _observation(self, conversion: Conversion, steps: Steps, parent: tuple[Any, ...], code: str, sub_id: str) -> dict[str, Any] | None:
        """A reference to the parent's only Observation with that code and sub-id."""
        reports = self._reports
        nodes = set(parent[reports.results])
        found = []
        for step in steps[reports.observations]:
            row = conversion.rows[step[reports.obx]]
            if step[0] in nodes and row[3].split(conversion.component)[0] == code and row[4] == sub_id and conversion.refs[step[0]] is not None:
                found.append(conversion.refs[step[0]])
        return found[0] if len(found) == 1 else None

    # parts

    def _parts(self, conversion: Conversion, steps: Steps) -> tuple[Part, ...]:
        count = len(conversion.plan.parts)
        patients: list[str | None] = [None] * count
        for step in steps[self._patient] if self._patient >= 0 else ():
            patients[step[1]] = patients[step[1]] or conversion.ids[step[0]]
        facts: list[list[ReportFact]] = [[] for _ in patients]
        if self._reports is not None:
            odd = self._odd(conversion, steps) if conversion.odd else {}
            for step in steps[self._reports.index]:
                if conversion.ids[step[0]]:
                    facts[step[1]].append(self._fact(conversion, step, patients[step[1]] or "", odd))
        if self._changing:
            self._overwritten(conversion, steps, patients, facts)
        return tuple([self._part(conversion, index, patients[index], facts[index], count) for index in range(count)])

    def _part(self, conversion: Conversion, index: int, patient: str | None, facts: list[ReportFact], count: int) -> Part:
        free = patient or self._patient < 0 or patient is None and self._optional or conversion.options.no_patient_id != "hold"
        held = "" if free else "no_patient_id"
        return Part(patient or (facts[0].key if facts else ""), tuple(facts), None if count == 1 else _entries(conversion, index), held)

    def _fact(self, conversion: Conversion, step: tuple[Any, ...], patient: str, odd: dict[int, str]) -> ReportFact:
        ids, reports = conversion.ids, self._reports
        row, header = conversion.rows[step[reports.obr]], conversion.rows[0]
        nodes = step[reports.results]
        stamp = row[22] if row[22] and row[22] != NULL else header[7]
        uid = ids[step[0]]
        return ReportFact(
            uid,
            patient,
            comparable(stamp, conversion.offset, conversion.zone),
            RANKS.get(conversion.outs[step[0]].get("status", ""), 0),
            uid,
            tuple([id for node in nodes if (id := ids[node])]),
            tuple([ids[node] for node in nodes if odd.get(node) == "emptied"]) if odd else (),
            tuple([ids[node] for node in nodes if odd.get(node) == "status"]) if odd else (),
        )

    def _overwritten(self, conversion: Conversion, steps: Steps, patients: list[str | None], facts: list[list[ReportFact]]) -> None:
        """A fact for everything that a later message overwrites: an older one that comes late must not (rule 3)."""
        rows, names, ids = conversion.rows, conversion.plan.names, conversion.ids
        event = rows[names.index("EVN")] if "EVN" in names else []
        stamp = event[2] if len(event) > 2 and event[2] and event[2] != NULL else rows[0][7]
        time = comparable(stamp, conversion.offset, conversion.zone)
        weak, ids = conversion.weak, conversion.ids
        for index, kind, owned in self._changing:
            for step in steps[index]:
                node, part = step[0], step[1]
                if (uid := ids[node]) and node not in weak:
                    removed = self._removed(conversion, node, kind) if conversion.removed else ()
                    facts[part].append(ReportFact(uid, (patients[part] or "") if owned else "", time, 0, uid, (), removed=removed))

    def _removed(self, conversion: Conversion, node: int, kind: str) -> tuple[str, ...]:
        """The elements that are no longer so; not where another field gives them all the same."""
        out = conversion.outs[node] or {}
        found = dict.fromkeys(name for at, name in conversion.removed if at == node)
        return tuple(name for name in found if out.keys().isdisjoint(json_names(kind, name)))

    def _odd(self, conversion: Conversion, steps: Steps) -> dict[int, str]:
        """Nodes of Observations that say only a status (OBX-11 `U`), or nothing though final."""
        reports, rows, originals = self._reports, conversion.rows, conversion.originals
        at = reports.obx
        odd = {}
        for step in steps[reports.observations]:
            row = rows[step[at]]
            if row[11] == "U":
                odd[step[0]] = "status"
            elif not row[5] and row[11] in FINAL and not originals.get(step[at], row)[5]:
                odd[step[0]] = "emptied"
        return odd


def _overwrites(make: Make) -> bool:
    """Later messages overwrite what it makes: it is updated, or put under the id of a key that the map declares."""
    return bool(make.verb) or isinstance(make.identify, Declared)


def _whose(make: Make) -> bool:
    """Whether it stays the patient's it was first known for: a number that comes back for another one is then noticed.

    Not where the key begins with what it belongs to, for that is asked about itself; nor where the message says that it moves.
    """
    declared = isinstance(make.identify, Declared) and bool(make.identify.of)
    return make.verb != "move" and not declared and not {"subject", "patient"}.isdisjoint(children(make.type))


def numbers(conversion: Conversion, text: str) -> set[str]:
    """The numbers of an EIP, without their authorities."""
    parts = text.partition(conversion.repetition)[0].split(conversion.component)[:2]
    return {number for part in parts if (number := part.split(conversion.subcomponent)[0]) and number != NULL}


def _entries(conversion: Conversion, part: int) -> tuple[int, ...]:
    """The entries of one part: what its makes made, and what that refers to."""
    plan, urls = conversion.plan, {entry["fullUrl"]: index for index, entry in enumerate(conversion.entries)}
    start = [ref["reference"] for node, ref in enumerate(conversion.refs[:-1]) if ref is not None and plan.part_of[node] == part]
    seen: set[int] = set()
    while start:
        url = start.pop()
        index = urls.get(url)
        if index is not None and index not in seen:
            seen.add(index)
            start += _references(conversion.entries[index]["resource"])
    return tuple(sorted(seen))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("reference", "url") and isinstance(each, str):
                yield each
            else:
                yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
