"""A message becomes a Bundle: self-contained, the same everywhere, with what it could not say beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from transforms.document import Context, Identity
from transforms.errors import ErrorCode, MessageError
from transforms.fhir.validation import validate
from transforms.hl7.message import parse
from transforms.mapping.functions.registry import function
from transforms.mapping.library import Library

encode = msgspec.json.Encoder(decimal_format="number").encode

LARGE = (
    "MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20240115103000+0100||ORU^R01^ORU_R01|77|P|2.5.1\r"
    "SFT|Maker|1.2|Sender|x\r"
    "PID|1||1^^^MRN^MR~2^^^MRN^AN||Doe^Jo^A||19800102|F|||1 Main St^^Town^^1010^AUT||5551234\rPD1||||9^Family^Doctor^^^^^^ORG\rNK1|1|Doe^Jane|MTH\r"
    "NTE|1||about the patient\rPV1|1|I|W1^101^A||||12^Smith^John^^^DR^^^ORG||||||||||||V1^^^VISITS\r"
    "ORC|RE|P1^PLACER|F1^FILLER||CM||||20240115093000\rOBR|1|P1^PLACER|F1^FILLER|CBC^Count^L|||20240115080000|||||||||12^Smith^John^^^DR^^^ORG||||||20240115102500||LAB|F\r"
    "NTE|1||about the report\rNTE|2||goes on\rTQ1|1||||||||S\r"
    "OBX|1|NM|718-7^Hb^LN||12.30|g/dL|12-16|L|||F|||20240115101500\rNTE|1||about the result\r"
    "OBX|2|ST|X^Strain^L|1|one~two||||||F\rOBX|3|TX|C^Comment^L||line one||||||F\rOBX|4|TX|C^Comment^L||line two||||||F\r"
    "OBX|5|CWE|O^Organism^L|1|A^Alpha^L||||||C\rOBX|6|SN|T^Titre^L||^1^:^128||||||F\rOBX|7|ED|P^Report^L||^application^pdf^Base64^JVBERi0xLjQ=||||||F\r"
    "SPM|1|S1&A^S2&B||SER^Serum\r"
    "ORC|RE|P1^PLACER|F1^FILLER\rOBR|2|P1^PLACER|F2^FILLER|SUS^Susceptibility^L||||||||||||||||||||||F|O&Organism&L^1|||P1&PLACER^F1&FILLER\r"
    "OBX|1|ST|AMP^Ampicillin^L||S||||||F\rZZZ|odd\r"
)
CONTEXT = Context(datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc), identity=Identity(base="https://site.example/ids", secret="s"))


def test_the_bundle_is_as_it_should_be(lab) -> None:
    """Header, entries, requests."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx())
    bundle = found.bundle
    assert [*bundle] == ["resourceType", "type", "identifier", "entry"]
    assert bundle["identifier"] == {"system": "https://site.example/ids/message-control-id", "value": "77"}
    requests = [(each["request"]["method"], each["request"]["url"].partition("/")[0]) for each in bundle["entry"]]
    assert requests == [("POST", "Patient"), ("POST", "ServiceRequest"), ("PUT", "DiagnosticReport"), ("PUT", "Observation"), ("PUT", "Provenance")]
    for entry in bundle["entry"]:
        kind, _, id = entry["request"]["url"].partition("/")
        assert entry["resource"]["resourceType"] == kind
        if entry["request"]["method"] == "PUT":
            assert entry["fullUrl"] == f"urn:uuid:{id}" and entry["resource"]["id"] == id
        else:
            assert "ifNoneExist" in entry["request"] and "id" not in entry["resource"]
    zoned = lab.convert(lab.PID, header=lab.HEADER.replace("103000|", "103000-0500|"))
    assert zoned.bundle["timestamp"] == "2024-01-15T10:30:00-05:00"


def check(bundle: dict) -> None:
    """Valid R4, no fullUrl twice, every reference resolves, nothing contained that nobody refers to."""
    assert [each for each in validate(bundle) if each.severity == "error"] == []
    urls = [each["fullUrl"] for each in bundle["entry"]]
    assert len(urls) == len(set(urls))
    for entry in bundle["entry"]:
        text = encode(entry["resource"]).decode()
        references = set(re.findall(r'"reference":"([^"]+)"', text))
        contained = [each["id"] for each in entry["resource"].get("contained", ())]
        assert len(contained) == len(set(contained))
        assert {each for each in references if each[0] != "#"} <= set(urls)
        assert {each[1:] for each in references if each[0] == "#"} == set(contained)


def test_a_large_message_is_valid_and_whole() -> None:
    """All segments a result may have."""
    converted = Library.load().converter()(parse(LARGE.encode()), CONTEXT)
    check(converted.bundle)
    kinds = [each["resource"]["resourceType"] for each in converted.bundle["entry"]]
    assert kinds.count("DiagnosticReport") == 2
    assert kinds.count("Observation") == 6  # the two lines are one, the document is none
    assert kinds.count("DocumentReference") == kinds.count("Binary") == 1
    assert kinds.count("Encounter") == kinds.count("ServiceRequest") == kinds.count("Specimen") == kinds.count("Patient") == 1
    assert "ZZZ-1" in converted.leftover


def test_the_same_message_gives_the_same_bytes_in_another_process() -> None:
    """Whatever the hash seed, the zone of the machine and what was converted before."""
    program = (
        "import sys, msgspec\nfrom datetime import datetime, timezone\nfrom transforms.document import Context, Identity\n"
        "from transforms.hl7.message import parse\nfrom transforms.mapping.library import Library\n"
        "context = Context(datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc), identity=Identity(base='https://site.example/ids', secret='s'))\n"
        "found = Library.load().converter()(parse(sys.stdin.buffer.read()), context)\n"
        "print(msgspec.json.Encoder(decimal_format='number').encode([found.bundle, found.leftover, [str(each) for each in (*found.parts, *found.notes)]]).decode())\n"
    )
    outputs = []
    for seed, zone in (("1", "UTC"), ("7", "Pacific/Auckland")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        outputs.append(subprocess.run([sys.executable, "-c", program], input=LARGE.encode(), env=environment, capture_output=True, check=True, timeout=60).stdout)
    assert outputs[0] == outputs[1]
    converter = Library.load().converter()
    converter(parse(LARGE.replace("Doe", "Roe").replace("|F|", "|P|").encode()), CONTEXT)
    found = converter(parse(LARGE.encode()), CONTEXT)
    assert outputs[0].strip() == encode([found.bundle, found.leftover, [str(each) for each in (*found.parts, *found.notes)]])


def test_senders_do_not_share_what_is_kept(lab) -> None:
    """The same text means another authority with another sender, another zone, another site."""
    seen = set()
    for header in (lab.HEADER, lab.HEADER.replace("HOSP", "OTHER"), lab.HEADER.replace("103000", "103000+0100")):
        for base in ("https://a.example", "https://b.example"):
            context = replace(lab.CONTEXT, identity=Identity(base=base, secret="s"))
            found = lab.convert(lab.PID, lab.OBR, lab.obx(), header=header, context=context)
            seen.add((lab.of(found, "Patient")[0]["identifier"][0]["system"], str(lab.of(found, "DiagnosticReport")[0].get("issued"))))
    assert len(seen) == 6


def test_a_rule_that_fails_is_named(lab) -> None:
    """With its file and line, and the place in the message; never with a value."""

    @function("fails", gives="CodeableConcept")
    def fails(text: str, r: object) -> None:
        raise ZeroDivisionError(text)

    library = Library.load({"OBX_Observation.yaml": "map: m\nrules:\n  - { to: status, const: final }\n  - { to: code, from: OBX-3, as: fails }\n"})
    with pytest.raises(MessageError) as caught:
        library.converter()(parse(lab.message(lab.PID, lab.OBR, lab.obx(), lab.obx("SECRET"))), CONTEXT)
    error = caught.value
    assert (error.code, error.place, error.origin) == (ErrorCode.INTERNAL, "OBX[1]-3", "OBX_Observation.yaml:4")
    assert str(error) == "OBX[1]-3: rule OBX_Observation/code failed with ZeroDivisionError (internal)"


def test_notes_are_once_for_each_field(lab) -> None:
    """Not for every result that has it."""
    found = lab.convert(lab.PID, lab.OBR, *[lab.obx(f"C{number}", value="none") for number in range(5)])
    assert [each.place for each in found.notes if each.code == "not_a_number"] == ["OBX[1]-5"]


def test_segments_out_of_their_place_are_told(lab) -> None:
    """And still converted."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx(), "PV1||I")
    assert "segment_out_of_place" in [each.code for each in found.notes]


TEXTS = some.text(alphabet=some.sampled_from('ab1^~\\&|"<>-.+ \rOBXPIDMSHRNTEé\x00#'), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=some.data())
def test_whatever_comes_the_bundle_is_valid_or_the_message_is_refused(data: some.DataObject) -> None:
    """Mutated messages: fields replaced, segments dropped, doubled, moved.  Nothing but a MessageError may come out, and none of our own fault."""
    lines = LARGE.split("\r")[:-1]
    for _ in range(data.draw(some.integers(1, 6))):
        at = data.draw(some.integers(1, len(lines) - 1))
        kind = data.draw(some.sampled_from(("field", "drop", "double", "move", "delimiters")))
        if kind == "field":
            fields = lines[at].split("|")
            number = data.draw(some.integers(1, len(fields)))
            fields[number : number + 1] = [data.draw(TEXTS)]
            lines[at] = "|".join(fields)
        elif kind == "drop" and len(lines) > 2:
            del lines[at]
        elif kind == "double":
            lines.insert(at, lines[at])
        elif kind == "move":
            lines.insert(data.draw(some.integers(1, len(lines) - 1)), lines.pop(at))
        elif kind == "delimiters":
            lines[at] = lines[at].replace("^", data.draw(some.sampled_from("~&^")))
    try:
        converted = Library.load().converter()(parse("\r".join(lines).encode()), CONTEXT)
    except MessageError as error:
        assert error.code is not ErrorCode.INTERNAL, error.origin
        return
    check(converted.bundle)
    encode(converted.bundle)


def test_what_was_converted_before_is_no_matter(lab) -> None:
    """What is left over of a field read beside another one is told at the same place when the value is kept."""
    lines = (lab.PID, "ORC|RE|P1^A|||||||||12^Smith^J|||||||||Org^L^^^^^^^^9^x|1 Main^^Town^^^^^^x", lab.OBR, lab.obx())
    message = parse(lab.message(*lines))
    converter = Library.load().converter()
    first = converter(message, lab.CONTEXT)
    assert converter(message, lab.CONTEXT) == first == Library.load().converter()(message, lab.CONTEXT)
    assert [each for each in first.leftover if each.startswith("ORC")]
