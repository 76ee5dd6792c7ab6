"""What a report may still do at a receiver, by what that was told before: rules 2 to 4 of results, as pure decisions.

`decide` compares the facts of a document with the register's rows and says what may be sent; `apply` makes the bundle say
so.  Neither knows a store or a network.

- Older than the row, or equally old and of lower rank, or equal and received before it: superseded, left out.  An update of
  what is shared (Patient, Encounter) then only makes it where there is none, for others of the message to point at.
- A key known for another patient: held (an accession number used again).
- A result emptied that had a value: held.
- `snapshot`: what was known and is absent now becomes entered-in-error.  Otherwise the report goes on listing it.
- Status only (OBX-11 U), and entered-in-error of what is absent now, are PATCH entries (FHIRPath Patch).  The register keeps
  no content, so only the receiver knows the rest of such an Observation, its mandatory code first: whoever sends the bundle
  reads it there, changes the status, and writes it back if nobody else has (If-Match).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from transforms.document import Note, Part, ReportFact
from transforms.fhir.serialization import dumps

ReportMode = Literal["snapshot", "delta", "unknown"]
EMPTY = "/empty"
"""Mark on an Observation in the register that was sent without a value."""
ENTERED_IN_ERROR = "entered-in-error"

URN = "urn:uuid:"
_URNS = re.compile(rb'"urn:uuid:([^"]{36})"')

Bundle = dict[str, Any]


class Known(Protocol):
    """A row of the register, as a store gives it."""

    patient: str
    time: str
    rank: int
    message_id: int
    observations: tuple[str, ...]


# Not frozen, for every message makes several and freezing makes that four times as dear; never changed.
@dataclass(slots=True, unsafe_hash=True)
class Row:
    """What the register shall say of a report once it is sent; the fields are those of the store's row."""

    key: str
    patient: str
    time: str
    rank: int
    message_id: int
    report: str
    observations: tuple[str, ...]


@dataclass(slots=True, unsafe_hash=True)
class Decision:
    """What may be sent of a part.

    `hold` is a reason code (`identity_conflict`, `emptied`) or empty.  Where `send` is False and nothing is held, all of it is
    superseded.  `superseded` names the reports left out, `left_out` every id that goes with them.
    """

    send: bool = True
    hold: str = ""
    reason: str = ""
    superseded: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    retired: tuple[str, ...] = ()  # Observations to be marked entered-in-error
    status_only: frozenset[str] = frozenset()  # Observations of which only the status may change
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # report -> earlier Observations it goes on listing
    rows: tuple[Row, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def changes(self) -> bool:
        """The bundle does not go out as it is."""
        return bool(self.left_out or self.retired or self.status_only or self.listed)


HELD = {
    "identity_conflict": "a report with this number is known for another patient",
    "emptied": "a final result has lost its value",
}


def decide(
    facts: Iterable[ReportFact], known: Mapping[str, Known], report_mode: ReportMode, *, order: int, force: bool = False, as_it_is: bool = False
) -> Decision:
    """What may be sent of the reports in a part.

    `known`: the register's rows by key.  `order`: the message's place in the order of receipt (its id; for a replay the
    original's).  `as_it_is` sends an emptied result, for a person said so; `force` that too, and lets it overwrite what is newer.
    Another patient's report is held all the same.
    """
    plan = _Plan(report_mode, order, force)
    for fact in _joined(facts):
        row = known.get(fact.key)
        if row is None:
            plan.first(fact)
        elif row.patient and fact.patient and row.patient != fact.patient:
            return Decision(send=False, hold="identity_conflict", reason=HELD["identity_conflict"])
        elif not force and superseded(fact, row, order):
            plan.leave_out(fact, row)
        elif not (force or as_it_is) and not set(fact.emptied).isdisjoint(row.observations):
            return Decision(send=False, hold="emptied", reason=HELD["emptied"])
        else:
            plan.follow(fact, row)
    return plan.decision()


def superseded(fact: ReportFact, row: Known, order: int) -> bool:
    """The receiver knows something newer: by time; where that is equal or missing by rank; then by order of receipt."""
    if fact.time and row.time and fact.time != row.time:
        return fact.time < row.time
    if fact.rank != row.rank:
        return fact.rank < row.rank
    return order < row.message_id


def _joined(facts: Iterable[ReportFact]) -> list[ReportFact]:
    """One fact a key: a report that stands twice in a message is one report."""
    found: dict[str, ReportFact] = {}
    for fact in facts:
        other = found.get(fact.key)
        found[fact.key] = fact if other is None else replace(
            fact,
            time=max(fact.time, other.time),
            rank=max(fact.rank, other.rank),
            observations=tuple(dict.fromkeys(other.observations + fact.observations)),
            emptied=other.emptied + fact.emptied,
            status_only=other.status_only + fact.status_only,
            removed=other.removed + fact.removed,
        )  # fmt: skip
    return list(found.values())


class _Plan:
    """Gathers what is decided report by report."""

    def __init__(self, mode: ReportMode, order: int, force: bool) -> None:
        self._mode, self._order, self._force = mode, order, force
        self._reports = self._unseen = 0
        self._superseded: list[str] = []
        self._left_out: set[str] = set()
        self._kept: set[str] = set()
        self._retired: list[str] = []
        self._status_only: set[str] = set()
        self._listed: dict[str, tuple[str, ...]] = {}
        self._rows: list[Row] = []
        self._notes: list[Note] = []

    def first(self, fact: ReportFact) -> None:
        """A report nobody was told of."""
        self._keep(fact, fact.time, ())

    def leave_out(self, fact: ReportFact, row: Known) -> None:
        """A report the receiver knows something newer of."""
        self._reports += 1
        self._superseded.append(fact.report)
        self._left_out |= {fact.report, *fact.observations}
        self._unseen += len(set(fact.observations) - _ids(row.observations))

    def follow(self, fact: ReportFact, row: Known) -> None:
        """A newer version of a known report."""
        now = set(fact.observations)
        absent = [each for each in row.observations if each.removesuffix(EMPTY) not in now]
        if self._mode == "snapshot" and fact.observations:  # a message without results says nothing about them (OBR-25 X)
            self._retired += [each.removesuffix(EMPTY) for each in absent]
            absent = []
        elif absent:
            self._listed[fact.report] = tuple(each.removesuffix(EMPTY) for each in absent)
            if self._mode == "unknown" and fact.observations:
                self._notes.append(
                    Note("results_missing", "OBX", "results known before are not in this message; the report goes on listing them")
                )
        self._status_only |= set(fact.status_only) & _ids(row.observations)
        time = fact.time or ("" if self._force else row.time)
        self._keep(fact, time, tuple(absent), row)

    def _keep(self, fact: ReportFact, time: str, before: tuple[str, ...], row: Known | None = None) -> None:
        empty = set(fact.emptied)
        if row is not None:  # a status that changes fills no value
            empty |= {each for each in fact.status_only if each + EMPTY in row.observations}
        now = tuple(each + EMPTY if each in empty else each for each in fact.observations)
        self._reports += 1
        self._kept |= {fact.report, *fact.observations}
        self._rows.append(Row(fact.key, fact.patient, time, fact.rank, self._order, fact.report, before + now))

    def decision(self) -> Decision:
        send = not self._reports or bool(self._rows)
        unseen = f"; {self._unseen} of its results were never sent" if self._unseen else ""
        return Decision(
            send=send,
            reason=f"{len(self._superseded)} of {self._reports} reports are older than what was sent{unseen}" if self._superseded else "",
            superseded=tuple(self._superseded),
            left_out=frozenset(self._left_out - self._kept),
            retired=tuple(self._retired),
            status_only=frozenset(self._status_only),
            listed=self._listed,
            rows=tuple(self._rows),
            notes=tuple(self._notes),
        )


def _ids(observations: Iterable[str]) -> set[str]:
    return {each.removesuffix(EMPTY) for each in observations}


# --- the bundle -------------------------------------------------------------------------------------------------------


def apply(bundle: Bundle, part: Part, decision: Decision) -> Bundle:
    """The part's bundle as the decision wants it; the very same bundle where nothing changes.

    The result holds the part's entries only: `Part.entries` counts no more.
    """
    if part.entries is None and not decision.changes:
        return bundle
    entries = bundle["entry"] if part.entries is None else [bundle["entry"][index] for index in part.entries]
    if decision.left_out:
        shared = {entry["fullUrl"].removeprefix(URN) for entry in entries if _updates(entry)} & decision.left_out
        entries = [_if_none(entry) if entry["fullUrl"].removeprefix(URN) in shared else entry for entry in entries]
        entries = _without(entries, decision.left_out - shared)
    if decision.status_only or decision.listed:
        entries = [_changed(entry, decision) for entry in entries]
    return {**bundle, "entry": [*entries, *(_status(each, ENTERED_IN_ERROR) for each in decision.retired)]}


def _updates(entry: Bundle) -> bool:
    """It overwrites what is shared with others, under whatever id the receiver has it."""
    return "?" in entry["request"]["url"]


def _if_none(entry: Bundle) -> Bundle:
    """An update that comes too late only makes sure that there is something to point at."""
    kind, _, asked = entry["request"]["url"].partition("?")
    return {**entry, "request": {"method": "POST", "url": kind, "ifNoneExist": asked}}


def _changed(entry: Bundle, decision: Decision) -> Bundle:
    """An entry whose report lists more, or of which only the status counts."""
    resource = entry["resource"]
    id = resource.get("id", "")
    if id in decision.status_only:
        return _status(id, resource["status"])
    if earlier := decision.listed.get(id):
        listed = [{"reference": f"Observation/{each}"} for each in earlier]
        return {**entry, "resource": {**resource, "result": listed + resource.get("result", [])}}
    return entry


def _status(observation: str, status: str) -> Bundle:
    """An entry that changes an Observation's status and nothing else (FHIRPath Patch)."""
    part = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Observation.status"},
        {"name": "value", "valueCode": status},
    ]
    resource = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}
    return {"fullUrl": URN + observation, "resource": resource, "request": {"method": "PATCH", "url": f"Observation/{observation}"}}


def _without(entries: list[Bundle], left_out: frozenset[str]) -> list[Bundle]:
    """The entries without some, and without what only those pointed at (a specimen of a superseded report)."""
    by_id = {entry["fullUrl"].removeprefix(URN): entry for entry in entries}
    points = {id: {found.decode() for found in _URNS.findall(dumps(entry["resource"]))} for id, entry in by_id.items()}
    needing = [
        id for id, entry in by_id.items() if entry["resource"]["resourceType"] != "Provenance"
    ]  # which speaks about others, and needs none
    gone, behind = set(left_out), _reached(left_out, points)
    while more := behind - gone - set().union(*(points[id] for id in needing if id not in gone)):
        gone |= more
    literal = {URN + id: f"{entry['resource']['resourceType']}/{id}" for id, entry in by_id.items() if id in gone}
    return [trimmed for id, entry in by_id.items() if id not in gone and (trimmed := _trimmed(entry, literal))]


def _reached(start: Iterable[str], points: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(start)
    while ahead:
        for each in points.get(ahead.pop(), ()):
            if each not in found:
                found.add(each)
                ahead.append(each)
    return found


def _trimmed(entry: Bundle, literal: Mapping[str, str]) -> Bundle | None:
    """An entry whose references to what was left out are literal: the receiver has it.  A Provenance about nothing else goes too."""
    resource = entry["resource"]
    if resource["resourceType"] == "Provenance":
        target = [each for each in resource["target"] if each.get("reference") not in literal]
        if not target:
            return None
        resource = {**resource, "target": target}
    return {**entry, "resource": _relinked(resource, literal)}


def _relinked(value: Any, literal: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _relinked(each, literal) for key, each in value.items()}
    if isinstance(value, list):
        return [_relinked(each, literal) for each in value]
    return literal.get(value, value) if isinstance(value, str) else value
