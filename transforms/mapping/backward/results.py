"""Results as ORU^R01: which resource goes into which segments of which group, and by which maps.

The groups are ORU_R01's; of a resource the maps of its segments run backwards.  Nothing here knows an element of a resource but
those that say what hangs together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.mapping.backward.elements import Entries, Json
from transforms.mapping.backward.rows import Group, Row, numbered
from transforms.mapping.backward.rules import Backwards
from transforms.mapping.backward.writing import Writing
from transforms.mapping.definition import SegmentMap

NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"
SHARED = ("status", "effectiveDateTime", "effectivePeriod", "issued")  # what a component has of its Observation
FUNCTION = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"


@dataclass
class Results:
    """Writes the groups of one message."""

    entries: Entries
    backwards: Backwards
    maps: Mapping[str, SegmentMap]
    writing: Writing
    root: Group = field(default_factory=Group)

    def begin(self, header: Row) -> None:
        """Write into MSH (and SFT) who the Bundle says has sent it, and to whom."""
        self._header = header
        for each in self.entries.of_type("MessageHeader")[:1]:
            self._run(each, {"MSH": header}, "MSH_MessageHeader")
        for provenance in self.entries.of_type("Provenance")[:1]:
            self._run(provenance, {"MSH": header}, "MSH_Provenance")
            for agent in provenance.get("agent", ()):
                self._software(self.entries.followed(agent.get("who"), provenance))

    def write(self) -> Group:
        """All reports of the Bundle, those of a patient in one group."""
        self.root.add(self._header)
        groups: dict[int, Group] = {}
        for report in self.entries.of_type("DiagnosticReport"):
            patient = self.entries.followed(report.get("subject"), report)
            group = groups.get(id(patient))
            if group is None:
                group = groups[id(patient)] = self.root.group("PATIENT_RESULT")
                if patient is not None:
                    self._patient(patient, report, group.group("PATIENT"))
            self._report(report, group.group("ORDER_OBSERVATION"))
        self._number(list(groups.values()))
        return self.root

    def _software(self, device: Json | None) -> None:
        """What took part in the message is its software, where it is a Device that says more than its number."""
        if device is not None and device.get("resourceType") == "Device":
            rows = self._rows("SFT")
            self._run(device, rows, "SFT_Device")
            self.root.add(rows["SFT"])

    def _patient(self, patient: Json, report: Json, group: Group) -> None:
        rows = self._rows("PID", "PD1")
        self._run(patient, rows, "PID_Patient", "PD1_Patient")
        group.add(rows["PID"], rows["PD1"])
        self._relatives(patient, group)
        encounter = self.entries.followed(report.get("encounter"), report)
        if encounter is not None:
            rows = self._rows("PV1", "PV2")
            self._run(encounter, rows, "PV1_Encounter", "PV2_Encounter")
            if not rows["PV1"].fields.get(2):
                rows["PV1"].fields[2] = ["U"]  # PV1-2 is required, and U says that nobody knows
            group.group("VISIT").add(rows["PV1"], rows["PV2"])

    def _relatives(self, patient: Json, group: Group) -> None:
        """Contacts and related persons; one who is both has one segment."""
        listed = [each for each in self.entries.of_type("RelatedPerson") if self.entries.followed(each.get("patient"), each) is patient]
        for contact in patient.get("contact", ()):
            rows = self._rows("NK1")
            self._run(contact, rows, "NK1_Patient.contact")
            same = next((each for each in listed if contact.get("name") in each.get("name", ())), None)
            if same is not None:
                listed.remove(same)
                self._run(same, rows, "NK1_RelatedPerson")
            group.add(rows["NK1"])
        for relative in listed:
            rows = self._rows("NK1")
            self._run(relative, rows, "NK1_RelatedPerson")
            group.add(rows["NK1"])

    def _report(self, report: Json, group: Group) -> None:
        rows = self._rows("ORC", "OBR", "TQ1", "SPM")
        rows["ORC"].fields[1] = ["RE"]
        self._run(report, rows, "OBR_DiagnosticReport", "ORC_DiagnosticReport")
        order = next((found for each in report.get("basedOn", ()) if (found := self.entries.followed(each, report)) is not None), None)
        if order is not None and order.get("resourceType") == "ServiceRequest":
            self._run(order, rows, "ORC_ServiceRequest", "OBR_ServiceRequest", "TQ1_ServiceRequest")
        specimens = [found for each in report.get("specimen", ()) if (found := self.entries.followed(each, report)) is not None]
        for specimen in specimens:
            self._specimen(specimen, rows, group)
        group.add(rows["ORC"], rows["OBR"])
        if rows["TQ1"].fields:
            group.group("TIMING_QTY").add(rows["TQ1"])
        for each in report.get("extension", ()):
            if each.get("url") == NOTE and "valueAnnotation" in each:
                group.add(*self._note(each["valueAnnotation"], report))
        for each in report.get("result", ()):
            observation = self.entries.followed(each, report)
            if observation is not None and observation.get("resourceType") == "Observation":
                self._observation(observation, rows, group)

    def _specimen(self, specimen: Json, rows: dict[str, Row], group: Group) -> None:
        scope = {**rows, "SPM": Row("SPM")}
        done = self._run(specimen, scope, "SPM_Specimen") if "identifier" in specimen or "type" in specimen else set()
        self._run(specimen, scope, "OBR_Specimen", done=done)
        rows["OBR"] = scope["OBR"]
        if not scope["SPM"].fields:
            return
        inner = group.group("SPECIMEN")
        inner.add(scope["SPM"])

    def _observation(self, observation: Json, around: dict[str, Row], group: Group) -> None:
        rows = {**around, "OBX": Row("OBX")}
        self._run({**observation, "performer": [*self._performers(observation)]}, rows, "OBX_Observation", holder=observation)
        apart = [each for each in observation.get("component", ()) if each.get("code") != observation.get("code")]
        for each in observation.get("component", ()):
            if each not in apart:
                self._run(each, rows, "OBX_Observation.component")
        inner = group.group("OBSERVATION")
        inner.add(rows["OBX"] if rows["OBX"].fields else Row("OBX", {1: [""]}))
        for note in observation.get("note", ()):
            inner.add(*self._note(note, observation))
        shared = {name: observation[name] for name in SHARED if name in observation}
        for each in apart:  # of another code: a value of its own, never one more of this
            self._observation({**shared, **each, "resourceType": "Observation"}, around, group)

    def _performers(self, observation: Json) -> Iterator[Json]:
        """Who did it; a role, which OBX has no field for, as the organization and the person, with what the person did."""
        for each in self.entries.whole({"performer": observation.get("performer", [])}, observation)["performer"]:
            if each.get("resourceType") != "PractitionerRole" or "organization" not in each:
                yield each
                continue
            yield each["organization"]
            done = [{"url": FUNCTION, "valueCodeableConcept": code} for code in each.get("code", ())]
            if "practitioner" in each:
                yield {**each["practitioner"], **({"_extension": done} if done else {})}

    def _note(self, note: Json, holder: Json) -> list[Row]:
        """An Annotation as segments, a line of it in each."""
        made = []
        for line in str(note.get("text", "")).split("\n"):
            rows = self._rows("NTE")
            self._run({**note, "text": line}, rows, "NTE_Annotation", holder=holder)
            rows["NTE"].fields.setdefault(3, [""])
            made.append(rows["NTE"])
        return made

    def _run(self, told: Json, rows: dict[str, Row], *names: str, holder: Json | None = None, done: Collection[str] = ()) -> set[str]:
        maps = [self.maps[name] for name in names if name in self.maps]
        whole: dict[str, Any] = self.entries.whole(told, holder)
        rows.setdefault("MSH", self._header)
        written = self.backwards.write(whole, maps, rows, self.writing, done)
        if self._header is not rows["MSH"]:
            self._header.fields = rows["MSH"].fields
        return written

    def _rows(self, *names: str) -> dict[str, Row]:
        return {name: Row(name) for name in names} | {"MSH": self._header}

    def _number(self, patients: list[Group]) -> None:
        """The set ids: of patients and orders in the message, of the rest in what they belong to."""
        orders = [each for patient in patients for each in patient.groups.get("ORDER_OBSERVATION", ())]
        within = [each for patient in patients for each in patient.groups.get("PATIENT", ())]
        numbered(row for each in within for row in each.rows.get("PID", ()))
        numbered(row for each in orders for row in each.rows.get("OBR", ()))
        for each in within:
            numbered(each.rows.get("NK1", ()))
            numbered(row for visit in each.groups.get("VISIT", ()) for row in visit.rows.get("PV1", ()))
        for each in orders:
            numbered(each.rows.get("NTE", ()))
            numbered(row for timing in each.groups.get("TIMING_QTY", ()) for row in timing.rows.get("TQ1", ()))
            numbered(row for result in each.groups.get("OBSERVATION", ()) for row in result.rows.get("OBX", ()))
            numbered(row for specimen in each.groups.get("SPECIMEN", ()) for row in specimen.rows.get("SPM", ()))
            for result in each.groups.get("OBSERVATION", ()):
                numbered(result.rows.get("NTE", ()))
