"""A site's maps over the package's."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from transforms.document import Context, Identity
from transforms.errors import ConfigurationError, MessageError
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions

CONTEXT = Context(datetime(2024, 1, 15, tzinfo=timezone.utc), identity=Identity(base="https://site.example/ids", secret="s"))
MESSAGE = b"MSH|^~\\&|LAB|HOSP|||20240115||ORU^R01|1|P|2.5.1\rPID|||1^^^A^MR\rOBR|1||7|X^Y|||||||||||||||||||||F\rOBX|1|ST|Z^Zed||v||||||F\r"


def observation(library: Library) -> dict:
    bundle = library.converter()(parse(MESSAGE), CONTEXT).bundle
    return next(each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == "Observation")


def test_a_rule_is_replaced_by_its_name() -> None:
    """`extends` the map of the same name: one rule changes, the others stand; a new one comes after them."""
    text = "map: mine\nextends: OBX_Observation\nrules:\n  - { to: code, const: { text: mine } }\n  - { to: language, const: de, name: language }\n"
    library = Library.load({"segments/OBX_Observation.yaml": text})
    made = observation(library)
    assert (made["code"], made["language"], made["status"], made["valueString"]) == ({"text": "mine"}, "de", "final", "v")
    names = [each.name for each in library.segment_maps["OBX_Observation"].rules]
    assert names[: len(names) - 1] == [each.name for each in Library.load().segment_maps["OBX_Observation"].rules]


def test_a_map_is_replaced_whole() -> None:
    """Without `extends` the site's file is all there is."""
    made = observation(Library.load({"OBX_Observation.yaml": "map: mine\nrules:\n  - { to: code, const: { text: mine } }\n"}))
    assert "status" not in made and made["code"] == {"text": "mine"}


def test_a_table_is_extended() -> None:
    """Codes are added or changed, the others stand."""
    made = observation(Library.load({"t.yaml": "table: observation_status\nextends: observation_status\ncodes: { F: amended }\n"}))
    assert made["status"] == "amended"


def test_a_message_map_is_extended() -> None:
    """A make is replaced by its name."""
    text = "map: ORU_R01\nextends: ORU_R01\nresources:\n  - { make: Observation as observation, each: ORDER_OBSERVATION.OBSERVATION, with: OBX }\n"
    assert "subject" not in observation(Library.load({"messages/ORU_R01.yaml": text}))


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"OBX_Mine.yaml": "map: m\nresource: Observation\nextends: OBX_Observatio\n"}, "unknown_map"),
        ({"a.yaml": "table: a\nextends: b\n", "b.yaml": "table: b\nextends: a\n"}, "circle"),
        ({"OBX_Mine.yaml": "map: m\nresource: Observation\nextends: OBX_Mine\n"}, "unknown_map"),
    ],
)
def test_what_cannot_be_extended_is_said(files: dict[str, str], code: str) -> None:
    """Nothing there, or a circle."""
    with pytest.raises(ConfigurationError) as caught:
        Library.load(files)
    assert code in [each.code for each in caught.value.problems]


def test_options_change_what_is_made() -> None:
    """Each set of options is a converter of its own."""
    message = parse(MESSAGE.replace(b"OBX|1|ST|Z^Zed||v|", b"OBX|1|ST|Z^Zed||7.0|g"))
    for option, name in (("quantity", "valueQuantity"), ("text", "valueString")):
        entries = Library.load().converter("ORU_R01", MapOptions(text_numbers=option))(message, CONTEXT).bundle["entry"]
        assert name in next(each["resource"] for each in entries if each["resource"]["resourceType"] == "Observation")


def test_a_map_that_is_named_is_for_its_messages() -> None:
    """A message of another type is refused, at MSH-9."""
    with pytest.raises(MessageError) as caught:
        Library.load().converter("ORU_R01")(parse(MESSAGE.replace(b"ORU^R01", b"ADT^A01")), CONTEXT)
    assert (caught.value.code.code, caught.value.place) == ("200", "MSH-9")


def test_a_rule_can_be_taken_away() -> None:
    """What tests use to see whether a rule is needed."""
    library = Library.load()
    assert "status" in observation(library)
    assert "OBX_Observation/interpretation" in [name for name, _ in library.rules()]
    assert len(list(library.without("OBX_Observation/interpretation").rules())) == len(list(library.rules())) - 1
    with pytest.raises(KeyError):
        library.without("OBX_Observation/nothing")


def test_loading_is_quick_after_the_first_time() -> None:
    """The package's maps are read once a process."""
    assert Library.load().segment_maps["OBX_Observation"] is Library.load().segment_maps["OBX_Observation"]


LOCAL = """
segments:
  ZLR: { after: OBR, in: ORDER_OBSERVATION, of: ORU_R01, fields: { 1: Set ID, 2: { name: Laboratory, type: XON } } }
structures:
  ORU_Z01: { extends: ORU_R01 }
"""
READS = "map: mine\nextends: OBR_DiagnosticReport\nrules:\n  - { name: z, to: performer, from: ZLR-%s, as: organization }\n"


def local(segments: bytes) -> tuple[dict, tuple[str, ...]]:
    """The report that a message of a structure of the site's own gives, and what is left over."""
    library = Library.load({"local.yaml": LOCAL, "OBR_DiagnosticReport.yaml": READS % "2"})
    message = parse(MESSAGE.replace(b"ORU^R01", b"ORU^Z01^ORU_Z01").replace(b"OBX|1|ST|Z^Zed", segments + b"OBX|1|ST|Z^Zed"))
    converted = library.converter()(message, CONTEXT)
    report = next(each["resource"] for each in converted.bundle["entry"] if each["resource"]["resourceType"] == "DiagnosticReport")
    return report, converted.leftover


def test_maps_read_a_sites_segments_and_the_ledger_lists_what_they_leave() -> None:
    """In a message of a structure of its own, which is converted by the map of the one it extends."""
    report, leftover = local(b"ZLR|1|South Laboratory\r")
    assert report["performer"] == [{"type": "Organization", "display": "South Laboratory"}]
    assert [each for each in leftover if each[0] == "Z"] == ["ZLR-1"]
    assert "performer" not in local(b"")[0]


def test_a_declared_segment_belongs_to_the_one_it_follows() -> None:
    """Of several diagnoses each has the remark behind it; one that nobody follows has none."""
    rule = "map: mine\nextends: DG1_Condition\nrules:\n  - { name: remark, to: note.text, from: ZDG-2 }\n"
    library = Library.load({"local.yaml": "segments: { ZDG: { after: DG1, fields: { 2: Remark } } }", "DG1_Condition.yaml": rule})
    lines = ["PV1||I", "DG1|1||A^a^I10", "ZDG||of A", "DG1|2||B^b^I10", "DG1|3||C^c^I10", "ZDG||of C"]
    message = "\r".join(["MSH|^~\\&|LAB|HOSP|||20240115||ADT^A01|1|P|2.5.1", "PID|||1^^^A^MR", *lines])
    converted = library.converter()(parse(message.encode()), CONTEXT)
    found = [each["resource"] for each in converted.bundle["entry"] if each["resource"]["resourceType"] == "Condition"]
    notes = [(each["code"]["coding"][0]["code"], *(note["text"] for note in each.get("note", ()))) for each in found]
    assert notes == [("A", "of A"), ("B",), ("C", "of C")]
    assert [each for each in converted.leftover if each[0] == "Z"] == []


def test_maps_may_read_of_a_declared_segment_what_is_declared() -> None:
    """Another field, or a segment nobody declared, is told at the rule."""
    for read, code in (("3", "undeclared_field"), ("2", ""), ("2.1", "")):
        assert problems({"local.yaml": LOCAL, "OBR_DiagnosticReport.yaml": READS % read}) == ([("OBR_DiagnosticReport.yaml", 4, code)] if code else [])
    other = {"local.yaml": LOCAL.replace("ZLR", "ZLS"), "OBR_DiagnosticReport.yaml": READS % "2"}
    assert problems(other) == [("OBR_DiagnosticReport.yaml", 4, "undeclared_segment")]
    assert problems({"OBR_DiagnosticReport.yaml": READS % "2"}) == []  # where none is declared, all goes


def problems(files: dict[str, str]) -> list[tuple[str, int, str]]:
    try:
        Library.load(files)
    except ConfigurationError as error:
        return [(each.file, each.line, each.code) for each in error.problems]
    return []
