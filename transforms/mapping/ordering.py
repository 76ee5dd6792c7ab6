"""Orders in one shape: whatever order message and version came, the tree that the maps speak of (rule 12).

    (MSH MSA SFT …)
        PATIENT …                            as `admissions` has it
        ORDER (ORC OBR | ODS | RQD …, TQ1 NTE PRT DG1 IPC FT1 …)
            FURTHER_TIMING (TQ1 TQ2)         beyond the first
            PRESCRIPTION (RXE RXR …)  ASKED (RXO RXR …)      or PRESCRIPTION (RXO …) where nothing was encoded
            DISPENSE (RXD …)  ADMINISTRATION (RXA …)  GIVE (RXG …)    with COMPONENT (RXC NTE) and OBSERVATION inside
            OBSERVATION (OBX NTE PRT)
            SPECIMEN (SPM SAC NTE)  SPECIMEN_OBSERVATION (OBX …)
            PRIOR (PID …), OWN_PRIOR (no PID)  PRIOR_ORDER (ORC OBR NTE …)  PRIOR_OBSERVATION (OBX NTE PRT)

What is the patient's, an order's or a prior result's is the structure's to say; inside an order a segment belongs to what it
follows.  A specimen around orders (OML_O33, O35) stands in each of them.  A second OBR is another order, without the ORC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transforms.hl7.groups import Group
from transforms.hl7.message import Segment
from transforms.mapping.admissions import arrange_admissions
from transforms.mapping.arrangement import Branch

_ORDERS = ("ORDER", "COMMON_ORDER", "ORDER_DIET", "ORDER_TRAY")
_AROUND = ("RESPONSE", "QUERY_RESPONSE", "PATIENT", "GENERAL_ORDER", "DEFINITION", "SPECIMEN", "SPECIMEN_CONTAINER", "CONTAINER")
"""Groups that may hold orders."""
_OF_MESSAGE = ("MSH", "MSA", "ERR", "SFT", "UAC", "QRD", "QRF", "QAK", "QPD", "RCP", "DSC", "BHS", "BTS", "FTS")
_DETAILS = {"RXO": "PRESCRIPTION", "RXE": "PRESCRIPTION", "RXD": "DISPENSE", "RXA": "ADMINISTRATION", "RXG": "GIVE"}
_MATERIAL = ("SPM", "SAC")
"""What of a specimen around orders stands in each of them; what is said about it, in the first."""
_OF_DETAIL = ("RXR", "RXC", "RXV", "CDO", "TQ1", "TQ2", "OBX", "NTE", "PRT", "TCD", "SID")
"""What belongs to the RXO, RXE, RXD, RXA or RXG it follows."""
_AFTER = ("NTE", "PRT", "TCD", "SID")
"""What belongs to the OBX, RXC or SPM it follows."""


def arrange_orders(root: Any, obx_after_spm: str) -> Branch:
    """The tree of an order message, from the group tree its structure gives."""
    tree = Branch(root.name)
    patient = Group(root.name)
    orders: list[tuple[Any, list[Segment]]] = []
    _part(root, tree, patient, orders, [])
    for branch in arrange_admissions(patient, obx_after_spm).branches:
        tree.add(branch)
    last: _Order | None = None
    told: set[int] = set()
    for group, material in orders:
        if last is None or not (group.name == "ORDER_TRAY" and last.waits()):  # the structure takes the ORC of a first tray for a diet's
            last = _Order(tree, root.name)
        last.take(group, [each for each in material if each.position not in told or each.name in _MATERIAL])
        told |= {each.position for each in material}
    return tree


def _part(group: Any, tree: Branch, patient: Group, orders: list[tuple[Any, list[Segment]]], material: list[Segment]) -> None:
    """What is the message's, the patient's, and what are its orders, each with the specimen around it."""
    for each in group.children:
        if isinstance(each, Segment):
            if each.name in _OF_MESSAGE or each.name == "NTE" and not patient.children:
                tree.segments.append((each.name, each.position))
            else:
                patient.children.append(each)
        elif each.name in _ORDERS:
            orders.append((each, material))
        elif each.name in _AROUND and any(inner.name in _ORDERS for inner in _groups(each)):
            inside = each.name.startswith(("SPECIMEN", "CONTAINER"))
            own = Group(each.name)
            own.children = [inner for inner in each.children if not inside or _holds(inner)]
            around = [segment for inner in each.children if not _holds(inner) for segment in _segments(inner)] if inside else []
            _part(own, tree, patient, orders, [*material, *around])
        elif each.name in _AROUND and each.name.startswith(("SPECIMEN", "CONTAINER")):
            orders.append((each, material))
        else:
            patient.children += each.walk()


def _holds(part: Any) -> bool:
    """Whether a part of a group is or has orders."""
    return not isinstance(part, Segment) and (part.name in _ORDERS or any(inner.name in _ORDERS for inner in _groups(part)))


def _groups(group: Any) -> Iterator[Any]:
    for each in group.children:
        if not isinstance(each, Segment):
            yield each
            yield from _groups(each)


def _segments(part: Any) -> list[Segment]:
    return [part] if isinstance(part, Segment) else list(part.walk())


class _Order:
    """Fills the ORDERs of one group.  `place` is the detail that segments belong to, `latest` what is said inside it."""

    def __init__(self, tree: Branch, structure: str) -> None:
        self._tree, self._vaccines = tree, structure.startswith("VX")
        self._begin()

    def _begin(self) -> None:
        self._order = self._place = self._tree.grow("ORDER")
        self._latest: Branch | None = None

    def waits(self) -> bool:
        """Whether nothing but an ORC is there so far."""
        return not self._order.branches and {name for name, _ in self._order.segments} <= {"ORC", "TQ1", "TQ2", "PRT"}

    def take(self, group: Any, material: list[Segment]) -> None:
        """All of a group, and the specimen around it."""
        self._group(group)
        self._latest = None
        for segment in material:
            self._put(segment)

    def _group(self, group: Any) -> None:
        for each in sorted(group.children, key=_position):
            if isinstance(each, Segment):
                self._put(each)
            elif each.name == "PRIOR_RESULT" and each.children[0].name != "ORDER_PRIOR":  # a second OBR nothing introduces is no prior one
                segments = sorted(each.walk(), key=_position)
                named = any(segment.name == "PID" for segment in segments)
                _fill_prior(self._order.grow("PRIOR" if named else "OWN_PRIOR"), segments)
                self._latest = None
            else:
                self._latest = None if each.name == "OBSERVATION" else self._latest
                self._group(each)

    def _put(self, segment: Segment) -> None:
        name = segment.name
        if name in ("ORC", "OBR") and self._order.first(name) >= 0 or name == "RXA" and self._vaccines and self._has("ADMINISTRATION"):
            self._begin()
        place = self._home_of(name)
        routed = [place]
        if name == "RXR" and place.name == "ADMINISTRATION":  # several RXA may have one RXR behind them: it is each one's (RAS)
            routed += [each for each in self._order.branches if each.name == place.name and each is not place and each.first("RXR") < 0]
        for each in routed:
            each.segments.append((name, segment.position))

    def _has(self, name: str) -> bool:
        return any(each.name == name for each in self._order.branches)

    def _home_of(self, name: str) -> Branch:
        """The branch a segment belongs to."""
        if name in _DETAILS:
            self._latest, self._place = None, self._detail(name)
        elif name in ("OBX", "RXC", "SPM"):
            self._latest = self._said(name)
        elif name == "TQ1":
            self._latest = self._place.grow("FURTHER_TIMING") if self._place.first("TQ1") >= 0 else None
        elif name == "SAC" and self._specimen() is not None:
            self._latest = self._specimen()
        elif name == "TQ2" and self._latest is not None and self._latest.name == "FURTHER_TIMING":
            return self._latest
        elif name not in _AFTER or self._latest is None or self._latest.name == "FURTHER_TIMING":
            self._latest = None
            if name not in _OF_DETAIL and len(name) == 3 and not name.startswith("Z"):
                self._place = self._order
        return self._latest or self._place

    def _detail(self, name: str) -> Branch:
        asked = self._place if self._place.name == "PRESCRIPTION" and self._place.first("RXO") >= 0 and name == "RXE" else None
        place = self._order.grow(_DETAILS[name])
        if asked is not None:
            self._order.branches.remove(asked)
            asked.name = "ASKED"
            place.add(asked)
        return place

    def _said(self, name: str) -> Branch:
        if name == "SPM":
            self._place = self._order
            return self._order.grow("SPECIMEN")
        if name == "RXC":
            return self._place.grow("COMPONENT")
        specimen = self._specimen()
        return self._place.grow("OBSERVATION") if specimen is None else specimen.grow("SPECIMEN_OBSERVATION")

    def _specimen(self) -> Branch | None:
        """The specimen that is being spoken of."""
        at = self._latest
        while at is not None and at.name != "SPECIMEN":
            at = at.parent if at.name == "SPECIMEN_OBSERVATION" else None
        return at


def _position(part: Any) -> int:
    """Where a segment stands, or a group begins."""
    return part.position if isinstance(part, Segment) else min((_position(each) for each in part.children), default=0)


def _fill_prior(prior: Branch, segments: list[Segment]) -> None:
    """A prior result: whose it is, its orders, and what was found."""
    order: Branch | None = None
    latest: Branch | None = None
    for segment in segments:
        name = segment.name
        if name == "ORC" or name == "OBR" and (order is None or order.first("OBR") >= 0):
            order = prior.grow("PRIOR_ORDER")
            latest = None
        elif name == "OBX" and order is not None:
            latest = order.grow("PRIOR_OBSERVATION")
        elif name not in _AFTER:
            latest = None
        (latest or order or prior).segments.append((name, segment.position))
