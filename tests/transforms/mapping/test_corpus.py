"""Every result message of the corpus is converted, and a reader who shares no code with the converter looks for its facts in the bundle.

The reader is python-hl7 and what stands here: it knows where HL7 v2 keeps a fact, and searches the resource for it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import hl7
import pytest

from transforms.document import Context, Identity
from transforms.fhir.validation import validate
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions

pytestmark = pytest.mark.shared

CONTEXT = Context(received=datetime(2026, 1, 1, tzinfo=timezone.utc), identity=Identity(base="https://site.example/ids", secret="oracle"))
STATUS = {
    "F": "final", "P": "preliminary", "C": "corrected", "A": "amended", "B": "amended", "D": "entered-in-error", "W": "entered-in-error",
    "I": "registered", "R": "preliminary", "S": "preliminary", "V": "final", "U": "final", "X": "cancelled",
}  # fmt: skip
SEX = {"F": "female", "M": "male", "O": "other", "U": "unknown", "A": "other", "N": "other"}
TIMES = ("DT", "TS", "DTM", "TM")
LEAST = 0.99
WHOLE = ("OBX-3", "OBX-5", "OBX-6", "OBX-11")


class Fact(NamedTuple):
    """Something a message says: where, and what."""

    place: str
    text: str


class Converted(NamedTuple):
    """A message of the corpus, as python-hl7 reads it, and what became of it."""

    name: str
    message: hl7.Message
    bundle: dict[str, Any]
    leftover: tuple[str, ...]


# reading v2


def unescape(text: str) -> str:
    """Text as a reader sees it; layout is blank, changes of character set say nothing, `#` is the corpus' one truncation character."""
    text = re.sub(r"\\(\.[a-z]{2}[^\\]*|H|N|C[0-9A-F]{4})\\", " ", text)
    for code, said in (("F", "|"), ("S", "^"), ("T", "&"), ("R", "~"), ("P", "#"), ("E", "\\")):
        text = text.replace(f"\\{code}\\", said)
    return re.sub(r"\\X([0-9A-Fa-f]+)\\", lambda match: bytes.fromhex(match[1]).decode("latin-1"), text)


def plain(text: str) -> str:
    return " ".join(unescape(text).split())


def repetitions(segment: hl7.Segment, number: int) -> list[list[list[str]]]:
    """A field as repetitions of components of subcomponents, raw; the NULL is nothing."""
    if number >= len(segment):
        return []
    field = segment[number]
    whole = [[[str(part) for part in component] if isinstance(component, hl7.Component) else [str(component)] for component in repetition]
             if isinstance(repetition, hl7.Repetition) else [[str(repetition)]] for repetition in field]  # fmt: skip
    return [repetition for repetition in whole if any(part and part != '""' for component in repetition for part in component)]


def part(repetition: list[list[str]], component: int) -> str:
    said = "&".join(repetition[component - 1]) if component <= len(repetition) else ""
    return "" if said == '""' else plain(said)


def whole(segment: hl7.Segment, number: int) -> str:
    return plain(str(segment[number])) if number < len(segment) and str(segment[number]) != '""' else ""


# looking into FHIR


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def says(value: Any, text: str) -> bool:
    """Whether some text in `value` is or holds `text`, or some number equals it."""
    if not text:
        return True
    number, solid = as_number(text), "".join(text.split())
    for leaf in leaves(value):
        if isinstance(leaf, str) and (text in leaf or solid in "".join(leaf.split())):
            return True
        if number is not None and isinstance(leaf, (Decimal, int)) and leaf == number:
            return True
    return False


def as_number(text: str) -> Decimal | None:
    try:
        return Decimal(text.lstrip("<>=+ ")) if re.fullmatch(r"[<>=+ ]*-?[0-9]*\.?[0-9]+", text) else None
    except InvalidOperation:
        return None


def says_time(value: Any, text: str) -> bool:
    """Whether a date in `value` begins as `text` does: to the minute if it has one, else to the day."""
    digits = re.match(r"[0-9]*", text)[0]  # type: ignore[index]
    if not digits or text == "0":
        return True
    for leaf in leaves(value):
        if isinstance(leaf, str) and (found := re.sub(r"[^0-9]", "", leaf[:16])):
            if digits[:12].startswith(found) and len(found) >= min(8, len(digits)) or found.startswith(digits[:12]) or leaf == text:
                return True
    return False


# the facts of each segment


def facts_of_obx(obx: hl7.Segment) -> Iterator[tuple[Fact, str]]:
    """The facts of an OBX, each with the elements it is looked for in (blank: all)."""
    for repetition in repetitions(obx, 3):
        for place in (1, 2, 4, 5):
            if part(repetition, place):
                yield Fact("OBX-3", part(repetition, place)), "code type"
    kind = whole(obx, 2).split("^")[0]
    for repetition in repetitions(obx, 5):
        yield from ((Fact("OBX-5", said), "value") for said in said_by_value(kind, repetition))
    for repetition in repetitions(obx, 6):
        yield Fact("OBX-6", part(repetition, 2) or part(repetition, 1)), "unit"
    if whole(obx, 7):
        yield Fact("OBX-7", whole(obx, 7)), "referenceRange"
    for repetition in repetitions(obx, 8):
        yield Fact("OBX-8", part(repetition, 1)), "interpretation"
    if whole(obx, 11):
        yield Fact("OBX-11", whole(obx, 11)), "status"
    if whole(obx, 14):
        yield Fact("OBX-14", whole(obx, 14)), "time"


def said_by_value(kind: str, repetition: list[list[str]]) -> Iterator[str]:
    if kind == "ED":
        yield part(repetition, 5)[:20]
    elif kind == "RP":
        yield part(repetition, 1)
    elif kind in TIMES:
        yield "time:" + part(repetition, 1)
    elif kind in ("CE", "CWE", "CNE"):
        yield from (part(repetition, place) for place in (1, 2, 4, 5, 9) if part(repetition, place))
    elif kind == "SN":
        yield from (part(repetition, place) for place in (1, 2, 4) if part(repetition, place) not in ("", "="))
    elif kind in ("ST", "TX", "FT", "NM", ""):
        yield plain("^".join("&".join(component) for component in repetition))
    else:
        yield from (plain(piece) for component in repetition for piece in component if piece)


def holds(resource: dict[str, Any], fact: Fact, where: str, leftover: set[str]) -> bool:
    """Whether a resource states a fact, in the elements where it belongs."""
    values = [value for name, value in resource.items() if name.lstrip("_").startswith(("value", "component", "content"))]
    if where == "code type":
        return says([resource.get("code"), resource.get("type")], fact.text)
    if where == "value":
        if fact.text.startswith("time:"):
            return says_time(values, fact.text[5:]) or says(values, fact.text[5:])
        return says(values, fact.text)
    if where == "unit":
        return says(values, fact.text) or any(says(values, said) for said in fact.text.split("^")) or "OBX-6" in leftover
    if where == "status":
        code, kept = STATUS.get(fact.text, "unknown"), resource.get("_status")
        document = resource.get("docStatus") is not None or resource["resourceType"] == "DocumentReference"
        return document or resource.get("status") == code and (fact.text in ("F", "P", "C", "A") or says(kept, fact.text))
    if where == "time":
        return says_time([value for name, value in resource.items() if "ffective" in name or name in ("date", "context")], fact.text)
    return says(resource.get(where), fact.text)


def facts_of_patient(pid: hl7.Segment) -> Iterator[tuple[Fact, str]]:
    for repetition in repetitions(pid, 3):
        yield Fact("PID-3", part(repetition, 1)), "identifier"
    for repetition in repetitions(pid, 5):
        for pieces in repetition[:3]:
            yield from ((Fact("PID-5", plain(piece)), "name") for piece in pieces if piece)
    if whole(pid, 7):
        yield Fact("PID-7", whole(pid, 7)[:8]), "birthDate"
    if whole(pid, 8):
        yield Fact("PID-8", SEX.get(whole(pid, 8).split("^")[0], "")), "gender"
    for repetition in repetitions(pid, 11):
        for pieces in repetition[:6]:
            yield from ((Fact("PID-11", plain(piece)), "address") for piece in pieces if piece and piece != '""')
    for number in (13, 14):
        for repetition in repetitions(pid, number):
            yield Fact(f"PID-{number}", part(repetition, 1) or part(repetition, 7) or part(repetition, 4)), "telecom"


def facts_of_order(obr: hl7.Segment) -> Iterator[tuple[Fact, str]]:
    for number in (2, 3):
        for repetition in repetitions(obr, number):
            yield Fact(f"OBR-{number}", part(repetition, 1)), "identifier"
    for repetition in repetitions(obr, 4):
        yield from ((Fact("OBR-4", part(repetition, place)), "code") for place in (1, 2, 4, 5) if part(repetition, place))
    for number, where in ((7, "effective"), (22, "issued")):
        if whole(obr, number):
            yield Fact(f"OBR-{number}", whole(obr, number)), where
    for repetition in repetitions(obr, 16):
        yield from ((Fact("OBR-16", part(repetition, place)), "") for place in (1, 2, 3) if part(repetition, place))
    if whole(obr, 24):
        yield Fact("OBR-24", whole(obr, 24)), "category"
    if whole(obr, 25):
        yield Fact("OBR-25", whole(obr, 25)), "status"


def facts_of_specimen(spm: hl7.Segment) -> Iterator[tuple[Fact, str]]:
    for repetition in repetitions(spm, 2):
        yield from ((Fact("SPM-2", plain(component[0])), "identifier") for component in repetition if component[0])
    for repetition in repetitions(spm, 4):
        yield from ((Fact("SPM-4", part(repetition, place)), "type") for place in (1, 2, 4, 5) if part(repetition, place))
    for number, where in ((17, "collection"), (18, "receivedTime")):
        for repetition in repetitions(spm, number):
            yield Fact(f"SPM-{number}", part(repetition, 1)), where


# the search


class Tally:
    """How many facts of each place were there, and which were not found."""

    def __init__(self) -> None:
        self.all: Counter[str] = Counter()
        self.missing: dict[str, list[str]] = defaultdict(list)

    def count(self, found: bool, fact: Fact, name: str) -> None:
        self.all[fact.place] += 1
        if not found:
            self.missing[fact.place].append(f"{name}: {fact.text[:60]}")

    def table(self) -> str:
        rows = [("all", self.total - self.lost, self.total)]
        rows = [*((place, self.all[place] - len(self.missing[place]), self.all[place]) for place in sorted(self.all)), *rows]
        return "\n".join(f"{place:8} {found:6} of {there:6}  {found / there:.4f}" for place, found, there in rows)

    @property
    def total(self) -> int:
        return sum(self.all.values())

    @property
    def lost(self) -> int:
        return sum(map(len, self.missing.values()))


def unfolded(resource: dict[str, Any], documents: dict[str, Any]) -> dict[str, Any]:
    """A document with the Binary that its attachment's URL names in the place of the URL."""
    if resource["resourceType"] != "DocumentReference":
        return resource
    found = [documents.get(url) for url in leaves(resource["content"]) if isinstance(url, str)]
    return {**resource, "content": [resource["content"], found]}


def search(each: Converted, tally: Tally) -> None:
    """Look for every fact of a message, and count."""
    documents = {entry["fullUrl"]: entry["resource"] for entry in each.bundle["entry"] if entry["resource"]["resourceType"] == "Binary"}
    entries = [unfolded(entry["resource"], documents) for entry in each.bundle["entry"]]
    resources = [*entries, *(inner for resource in entries for inner in resource.get("contained", []))]
    of_type = defaultdict(list)
    for resource in resources:
        of_type[resource["resourceType"]].append(resource)
    observed = of_type["Observation"] + of_type["DocumentReference"]
    position = 0
    result: dict[str, Any] | None = None
    before = name = ""
    for segment in each.message:
        before, name = (before if name == "NTE" else name), str(segment[0])
        if name == "OBX":
            position += 1
            left = {path for path in each.leftover if path.startswith((f"OBX[{position}]-", "OBX-"))}
            result = look(observed, list(facts_of_obx(segment)), {re.sub(r"\[[0-9]+\]|\..*", "", path) for path in left}, tally, each.name)
        elif name == "NTE" and whole(segment, 3) and before in ("OBX", "OBR", "SPM"):
            fact, holders = Fact("NTE-3", whole(segment, 3)), [result] if result and before == "OBX" else resources
            tally.count(says([holder.get(name) for holder in holders for name in ("note", "extension")], fact.text), fact, each.name)
        elif name == "PID":
            look_anywhere(of_type["Patient"], facts_of_patient(segment), tally, each.name)
        elif name == "OBR":
            look_anywhere([*of_type["DiagnosticReport"], *of_type["ServiceRequest"], *resources], facts_of_order(segment), tally, each.name)
            result = None
        elif name == "SPM":
            look_anywhere(of_type["Specimen"], facts_of_specimen(segment), tally, each.name)


def look(resources: list[dict[str, Any]], facts: list[tuple[Fact, str]], left: set[str], tally: Tally, name: str) -> dict[str, Any] | None:
    """Count an OBX's facts in the one resource that states most of them."""
    best: tuple[int, list[bool], dict[str, Any] | None] = (-1, [False] * len(facts), None)
    for resource in resources:
        if facts and not holds(resource, *facts[0], left):
            continue
        found = [holds(resource, fact, where, left) for fact, where in facts]
        if sum(found) > best[0]:
            best = sum(found), found, resource
            if all(found):
                break
    for (fact, _), found in zip(facts, best[1], strict=True):
        tally.count(found, fact, name)
    return best[2]


def look_anywhere(resources: list[dict[str, Any]], facts: Iterator[tuple[Fact, str]], tally: Tally, name: str) -> None:
    """Count facts in whichever resource states them, in the element they belong to."""
    for fact, where in facts:
        if where == "status":
            found = any(STATUS_OF_REPORT.get(fact.text, "unknown") == resource.get("status") for resource in resources)
        elif where in ("effective", "issued", "collection", "receivedTime", "birthDate"):
            found = any(says_time([value for key, value in resource.items() if where in key], fact.text) for resource in resources)
        else:
            found = any(says(resource.get(where) if where else resource, fact.text) for resource in resources)
        tally.count(found, fact, name)


STATUS_OF_REPORT = {
    "F": "final", "P": "preliminary", "C": "corrected", "X": "cancelled", "A": "partial", "R": "partial", "M": "partial", "N": "registered",
    "O": "registered", "I": "registered", "S": "registered",
}  # fmt: skip


# the corpus


def result_messages(shared: Path) -> list[Path]:
    """The folders of results, and the results among the messages that come with an expected bundle (batches are another test's)."""
    pairs = [path for path in sorted((shared / "corpus/pairs").glob("*/*.hl7")) if re.match(rb"MSH[^\r]*\|(ORU|OUL)\^", path.read_bytes())]
    return [*sorted((shared / "corpus/oru").glob("*.hl7")), *sorted((shared / "corpus/oul").glob("*.hl7")), *pairs]


@cache
def library() -> Library:
    return Library.load()


def text_of(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def converted(path: Path) -> Converted:
    raw = path.read_bytes()
    made = library().converter("auto", MapOptions(no_patient_id="send"))(parse(raw), CONTEXT)
    return Converted(f"{path.parent.name}/{path.name}", hl7.parse(text_of(raw)), made.bundle, made.leftover)


@pytest.fixture(scope="module")
def corpus(shared: Path) -> list[Converted]:
    return [converted(path) for path in result_messages(shared)]


def test_the_facts_of_every_message_are_in_its_bundle(corpus: list[Converted], capsys: pytest.CaptureFixture[str]) -> None:
    """What was observed, its value, unit and status without exception; everything else at 0.99 or better."""
    tally = Tally()
    for each in corpus:
        search(each, tally)
    with capsys.disabled():
        print(f"\n{len(corpus)} messages\n{tally.table()}")
        for place, missing in sorted(tally.missing.items()):
            print(*(f"  missing {place} in {said}" for said in missing[:8]), sep="\n")
    assert {place: tally.missing[place] for place in WHOLE if tally.missing[place]} == {}
    assert 1 - tally.lost / tally.total >= LEAST


def test_every_bundle_is_valid(corpus: list[Converted]) -> None:
    """Structure, cardinality, required codes of R4, resolving references."""
    problems = {each.name: found[:3] for each in corpus if (found := list(validate(each.bundle)))}
    assert problems == {}


def test_little_is_left_over(corpus: list[Converted], capsys: pytest.CaptureFixture[str]) -> None:
    """At most one atom of twenty has no place in FHIR, and the ledger lists each."""
    atoms, left = 0, Counter[str]()
    for each in corpus:
        fields = atoms_of(each.message)
        atoms += sum(len(found) for repetitions in fields.values() for found in repetitions)
        for path in each.leftover:
            left[re.sub(r"\[[0-9]+\]|\..*", "", path)] += weight(path, fields)
    with capsys.disabled():
        print(f"\nleft over: {left.total()} of {atoms} atoms, {left.total() / atoms:.4f}; most often {left.most_common(25)}")
    assert left.total() / atoms <= 0.05


def atoms_of(message: hl7.Message) -> dict[tuple[str, int, int], list[list[str]]]:
    """The non-empty components and subcomponents of each repetition, by segment, its number among its like, and field."""
    seen, found = Counter[str](), {}
    for segment in message:
        name = str(segment[0])
        seen[name] += 1
        for number, field in enumerate(list(segment)[1:], 1):
            found[name, seen[name], number] = [[atom for atom in re.split(r"[\^&]", text) if atom] for text in str(field).split("~")]
    return found


def weight(path: str, fields: dict[tuple[str, int, int], list[list[str]]]) -> int:
    """How many atoms a path of the ledger stands for: those of a field, of one repetition, or one component."""
    parts = re.fullmatch(r"(\w+?)(?:\[(\d+)\])?-(\d+)(?:\[(\d+)\])?(\..*)?", path)
    assert parts is not None, path
    if parts[5]:
        return 1
    repetitions = fields.get((parts[1], int(parts[2] or 1), int(parts[3])), [["?"]])
    return sum(map(len, repetitions)) if parts[4] is None else len(repetitions[int(parts[4]) - 1])
