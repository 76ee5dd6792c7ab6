"""Result messages in one shape: whatever ORU or OUL structure and version came, the tree that the maps speak of (rule 12).

    PATIENT_RESULT
        PATIENT (PID PD1 NK1 NTE …)  VISIT (PV1 PV2)  PATIENT_OBSERVATION (OBX …)
        ORDER_OBSERVATION (ORC OBR NTE …)  TIMING_QTY (TQ1 TQ2)  OBSERVATION (OBX NTE PRT …)
            SPECIMEN (SPM SAC NTE …)  OBSERVATION or SPECIMEN_OBSERVATION (OBX …)

One ORDER_OBSERVATION for every OBR.  A specimen around orders (OUL_R22, R23) stands in each of them.  OBX after SPM are the
order's results or about the specimen: by option, or because the order has no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from transforms.hl7.message import Segment
from transforms.mapping.admissions import arrange_admissions
from transforms.mapping.answering import arrange_vaccinations
from transforms.mapping.arrangement import Branch
from transforms.mapping.ordering import arrange_orders

_WITH_OBX = ("NTE", "PRT", "TCD", "SID")  # what belongs to the OBX it follows
_PATIENT = ("PID", "PD1", "NK1", "ARV", "PV1", "PV2")
_VISIT = ("PV1", "PV2")


def arrange_results(root: Any, obx_after_spm: str) -> Branch:
    """The tree of a result message, from the group tree its structure gives."""
    tree = Branch(root.name)
    inner = [each for each in root.children if not isinstance(each, Segment) and each.name in ("PATIENT_RESULT", "QUERY_RESPONSE")]
    for each in root.children:
        if isinstance(each, Segment) and (inner or not _of_patient(each, root)):
            tree.segments.append((each.name, each.position))
    for group in inner:
        _patient_result(tree.grow("PATIENT_RESULT"), group, obx_after_spm)
    if not inner:
        _patient_result(tree.grow("PATIENT_RESULT"), root, obx_after_spm, at_root=True)
    return tree


def plain_tree(root: Any) -> Branch:
    """The tree as the structure gives it."""
    tree = Branch(root.name)
    for each in root.children:
        if isinstance(each, Segment):
            tree.segments.append((each.name, each.position))
        else:
            tree.add(plain_tree(each))
    return tree


ARRANGEMENTS: dict[str, Callable[[Any, str], Branch]] = {
    "results": arrange_results,
    "admissions": arrange_admissions,
    "orders": arrange_orders,
    "vaccinations": arrange_vaccinations,
    "": lambda root, _: plain_tree(root),
}


def _of_patient(segment: Segment, root: Any) -> bool:
    """Whether a segment that stands outside of all groups belongs to the patient's result: all but the message's own."""
    if segment.name in ("MSH", "SFT", "UAC", "DSC"):
        return False
    first = next((each for each in root.children if not isinstance(each, Segment) or each.name in (*_PATIENT, "ORC", "OBR")), None)
    return segment.name != "NTE" or first is None or segment.position > _position(first)


def _position(part: Any) -> int:
    """Where a segment stands, or a group begins."""
    while not isinstance(part, Segment):
        part = part.children[0]
    return part.position


def _patient_result(tree: Branch, group: Any, option: str, *, at_root: bool = False) -> None:
    """Fill a PATIENT_RESULT from the group that holds the patient and the orders."""
    patient = tree.grow("PATIENT")
    order: Branch | None = None
    for each in group.children:
        if isinstance(each, Segment):
            if at_root and not _of_patient(each, group):
                continue
            order = _loose(tree, patient, order, each)
        elif each.name in ("PATIENT", "VISIT"):
            _patient(patient, each)
        elif each.name == "PATIENT_OBSERVATION":
            _observations(patient, _own(each), "PATIENT_OBSERVATION")
        elif each.name in ("SPECIMEN", "CONTAINER") and not _has(each, "OBR"):
            holder = order or tree
            holder.add(_specimen(each, option, holder))
        elif each.name == "SPECIMEN":
            _orders_of_specimen(tree, each, option)
        elif each.name in ("TIMING_QTY", "OBSERVATION", "RESULT") and order is not None:
            _into_order(order, each, option)
        else:
            order = _order(tree, each, option)
    if not any(True for _ in patient.walk() if _.segments):
        tree.branches.remove(patient)


def _loose(tree: Branch, patient: Branch, order: Branch | None, segment: Segment) -> Branch | None:
    """A segment that stands beside the groups: the patient's, or an order's (ORU_R30)."""
    name = segment.name
    if order is None and name in _VISIT:
        _visit(patient).segments.append((name, segment.position))
    elif order is None and name not in ("ORC", "OBR", "OBX"):
        patient.segments.append((name, segment.position))
    else:
        if order is None or name == "OBR" and order.first("OBR") >= 0:
            order = tree.grow("ORDER_OBSERVATION")
        _add_segments(order, [segment], "OBSERVATION")
    return order


def _visit(patient: Branch) -> Branch:
    return next((each for each in patient.branches if each.name == "VISIT"), None) or patient.grow("VISIT")


def _patient(patient: Branch, group: Any) -> None:
    for each in group.children:
        if not isinstance(each, Segment):
            if each.name == "PATIENT_OBSERVATION":
                _observations(patient, _own(each), "PATIENT_OBSERVATION")
            else:
                _patient(patient if each.name != "VISIT" else _visit(patient), each)
        elif each.name in _VISIT and patient.name != "VISIT":
            _visit(patient).segments.append((each.name, each.position))
        elif each.name == "OBX":
            _observations(patient, [each], "PATIENT_OBSERVATION")
        else:
            patient.segments.append((each.name, each.position))


def _order(tree: Branch, group: Any, option: str) -> Branch:
    """An ORDER_OBSERVATION (or OUL's ORDER); a second OBR inside it begins another."""
    order = tree.grow("ORDER_OBSERVATION")
    for each in group.children:
        if isinstance(each, Segment) and each.name == "OBR" and order.first("OBR") >= 0:
            order = tree.grow("ORDER_OBSERVATION")
        if isinstance(each, Segment):
            _add_segments(order, [each], "OBSERVATION")
        else:
            _into_order(order, each, option)
    return order


def _into_order(order: Branch, group: Any, option: str) -> None:
    if group.name in ("SPECIMEN", "CONTAINER"):
        order.add(_specimen(group, option, order))
    elif group.name == "TIMING_QTY":
        timing = order.grow("TIMING_QTY")
        timing.segments += [(each.name, each.position) for each in _own(group)]
    elif group.name in ("OBSERVATION", "RESULT"):
        _observation(order, group)
    else:  # COMMON_ORDER, ORDER_DOCUMENT: what is inside is the order's own
        for each in group.children:
            if isinstance(each, Segment):
                _add_segments(order, [each], "OBSERVATION")
            else:
                _into_order(order, each, option)


def _observation(order: Branch, group: Any) -> None:
    """One OBSERVATION; where its OBX is missing (OUL_R21 allows it) what it holds is the order's."""
    own = _own(group)
    if any(each.name == "OBX" for each in own):
        _observations(order, own, "OBSERVATION")
    else:
        order.segments += [(each.name, each.position) for each in own]


def _observations(branch: Branch, segments: list[Segment], name: str) -> None:
    """Observations out of a run of segments: each OBX begins one."""
    current: Branch | None = None
    for each in segments:
        if each.name == "OBX":
            current = branch.grow(name)
        (current or branch).segments.append((each.name, each.position))


def _add_segments(branch: Branch, segments: list[Segment], name: str) -> None:
    """Loose segments of a group: an OBX begins an observation, and what belongs to it follows it."""
    for each in segments:
        last = branch.branches[-1] if branch.branches else None
        if each.name == "OBX":
            branch.grow(name).segments.append((each.name, each.position))
        elif last is not None and last.name == name and each.name in _WITH_OBX and last.segments[-1][1] == each.position - 1:
            last.segments.append((each.name, each.position))
        else:
            branch.segments.append((each.name, each.position))


def _specimen(group: Any, option: str, holder: Branch) -> Branch:
    """A SPECIMEN below an order; what its OBX are is decided here."""
    specimen = Branch("SPECIMEN")
    own_results = any(each.name == "OBSERVATION" for each in holder.branches)
    about = option == "specimen" or option == "auto" and (own_results or holder.name != "ORDER_OBSERVATION")
    _fill_specimen(specimen, group, "SPECIMEN_OBSERVATION" if about else "OBSERVATION")
    return specimen


def _fill_specimen(specimen: Branch, group: Any, name: str) -> None:
    for each in group.children:
        if isinstance(each, Segment):
            _add_segments(specimen, [each], name)
        elif each.name not in ("ORDER", "ORDER_OBSERVATION"):
            _fill_specimen(specimen, each, name)


def _orders_of_specimen(tree: Branch, group: Any, option: str) -> None:
    """OUL_R22 and R23: orders inside a specimen.  The specimen stands in each; its own observations in the first."""
    orders = list(_groups_with(group, "OBR"))
    for index, each in enumerate(orders):
        order = _order(tree, each, option)
        specimen = Branch("SPECIMEN")
        _fill_specimen(specimen, group, "OBSERVATION" if option == "result" else "SPECIMEN_OBSERVATION")
        if index:
            specimen.branches = []
        order.add(specimen)


def _groups_with(group: Any, name: str) -> Iterator[Any]:
    """The groups below that have a segment of that name of their own."""
    for each in group.children:
        if not isinstance(each, Segment):
            if any(isinstance(inner, Segment) and inner.name == name for inner in each.children):
                yield each
            else:
                yield from _groups_with(each, name)


def _has(group: Any, name: str) -> bool:
    return any(each.name == name if isinstance(each, Segment) else _has(each, name) for each in group.children)


def _own(group: Any) -> list[Segment]:
    """All segments of a group and the groups in it, in order."""
    found: list[Segment] = []
    for each in group.children:
        found += [each] if isinstance(each, Segment) else _own(each)
    return found
