"""Administrative messages in one shape: whatever ADT structure and version came, the tree that the maps speak of.

    (MSH SFT EVN NPU)
        PATIENT (PID PD1 ARV ROL NK1 MRG DG1 GT1 …)
            VISIT (PV1 PV2 ARV ROL)  OBSERVATION (OBX NTE)  ALLERGY (AL1, or IAM with NTE IAR)
            PROCEDURE (PR1 ROL)  INSURANCE (IN1 IN2 IN3 ROL AUT RF1)
        LINKED (the second patient of a link, A24 and A37)

Order decides: a segment belongs to what it follows.  Whose role a ROL is depends on the PID, PV1, PR1 or IN1 before it, which
the structure alone does not say.  A second PID is another patient; in A45 each MRG begins a visit.
"""

from __future__ import annotations

from typing import Any

from transforms.mapping.arrangement import Branch

_OF_MESSAGE = ("MSH", "SFT", "UAC", "EVN", "NPU", "DSC")
_BEGINS = {"PV1": "VISIT", "OBX": "OBSERVATION", "AL1": "ALLERGY", "IAM": "ALLERGY", "PR1": "PROCEDURE", "IN1": "INSURANCE"}
"""Segments that begin a group of their own in the patient's."""
_JOINS = {
    "VISIT": ("PV2", "ARV", "ROL", "PRT"),
    "OBSERVATION": ("NTE", "PRT"),
    "ALLERGY": ("NTE", "IAR"),
    "PROCEDURE": ("ROL", "PRT"),
    "INSURANCE": ("IN2", "IN3", "ROL", "PRT", "AUT", "RF1"),
}
"""What belongs to a group while it is the latest one."""
_TWO_IN_ONE = ("ADT_A24", "ADT_A37")
"""Structures whose two patients are one matter: the one is linked with the other, or no longer."""


def arrange_admissions(root: Any, obx_after_spm: str) -> Branch:
    """The tree of an ADT message, from the group tree its structure gives."""
    tree = Branch(root.name)
    patient: Branch | None = None
    latest: Branch | None = None
    for segment in sorted(root.walk(), key=lambda each: each.position):
        name, placed = segment.name, (segment.name, segment.position)
        if name in _OF_MESSAGE:
            tree.segments.append(placed)
            continue
        if name == "PID" or patient is None:
            if patient is None or patient.first("PID") >= 0:
                patient = tree.grow("LINKED" if patient is not None and root.name in _TWO_IN_ONE else "PATIENT")
            latest = None
            if name == "PID":
                patient.segments.append(placed)
                continue
        latest = _group_of(name, patient, latest, moves_visits=root.name == "ADT_A45")
        (latest or patient).segments.append(placed)
    return tree


def _group_of(name: str, patient: Branch, latest: Branch | None, *, moves_visits: bool) -> Branch | None:
    """The group a segment belongs to; None for the patient's own."""
    if name == "MRG" and moves_visits:
        return patient.grow("VISIT")
    if name in _BEGINS:
        waiting = name == "PV1" and latest is not None and latest.name == "VISIT" and latest.first("PV1") < 0
        return latest if waiting else patient.grow(_BEGINS[name])
    if name == "PV2":  # wherever it stands, it is of the visit
        return next((each for each in reversed(patient.branches) if each.name == "VISIT"), None) or patient.grow("VISIT")
    return latest if latest is not None and name in _JOINS[latest.name] else None
