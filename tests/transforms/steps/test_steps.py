"""What the steps do to a message; the rest of it stays byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from transforms import steps
from transforms.component import Resources, discover, registry
from transforms.declaration.building import FAILED, Builder
from transforms.declaration.reading import read
from transforms.document import FHIR_JSON, HL7, Context, Document, Part
from transforms.errors import ErrorCode, MessageError, OptionError
from transforms.hl7.message import parse
from transforms.pipeline import prepare

discover(steps)

CONTEXT = Context(datetime(2024, 1, 1, tzinfo=UTC))
LINES = [
    "MSH|^~\\&|LAB|HOSP|EHR|HOSP|20240101||ORU^R01^ORU_R01|1|P|2.5.1",
    "PID|1|OLD|7^^^HOSP^MR~8^^^X^NI||Doe^J~Roe^J|Mother|||Alias",
    "NK1|1|Kin^A",
    'NK1|2|""',
    "OBR|1||F1|GLU^Glucose^L",
    "OBX|1|NM|GLU^Glucose^L||5.5|mmol/L",
    "OBX|2|ST|COL^Colour^L^X^Own^Y||red\\T\\white",
    "OBX|3|CE|GLU^Glucose^M||A^a^L~B^b^L",
    "ZZZ|1",
]
RESOURCES = Resources(
    tables={"codes": "code, to, display, system\nGLU,2345-7,Glucose & more,L\nGLU,9999-9,Other,\nCOL,5778-6,Colour,\n", "bad": "a,b\n"}
)


def document(*lines: str) -> Document:
    return Document(HL7, parse("\r".join(lines or LINES).encode()), CONTEXT)


def step(text: str, resources: Resources = RESOURCES) -> Any:
    located = read(text, "f")
    builder = Builder(located, registry)
    built = builder.component("step", located.value, ())
    assert built is not FAILED, builder.problems
    return prepare(built.declaration, resources)


def changed(text: str) -> dict[int, str]:
    """The lines that a step changed, by number."""
    after = step(text)(document()).body
    lines = [segment.text for segment in after.segments]
    assert len(lines) == len(LINES)
    return {index: line for index, line in enumerate(lines) if line != LINES[index]}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("set: { field: PID-8, to: F }", {1: LINES[1].replace("Mother|||", "Mother||F|")}),
        ("set: { field: MSH-5.1, to: A&B }", {0: LINES[0].replace("EHR", "A\\T\\B")}),
        ('set: { field: "OBX[*]-11", to: F }', {5: LINES[5] + "|||||F", 6: LINES[6] + "||||||F", 7: LINES[7] + "||||||F"}),
        ("set: { field: PV1-2, to: I, when_missing: skip }", {}),
        ("copy: { from: PID-2, to: PID-4 }", {1: LINES[1].replace("^NI||", "^NI|OLD|")}),
        ("copy: { from: PID-3, to: PID-2 }", {1: LINES[1].replace("|OLD|", "|7^^^HOSP^MR|")}),
        ("copy: { from: PID-3, to: PID-2, keep: true }", {}),
        ("copy: { from: PID-20, to: PID-2 }", {}),
        ('copy: { from: "OBX[2]-5", to: "OBX[1]-5" }', {5: LINES[5].replace("5.5", "red\\T\\white")}),
        ("remove: PID-6", {1: LINES[1].replace("Mother", "")}),
        ('remove: [ "PID-3[2]", PID-30, PV1-3 ]', {1: LINES[1].replace("8^^^X^NI", "")}),
        ("replace: { field: OBR-3, pattern: 'F', with: X }", {4: LINES[4].replace("F1", "X1")}),
        ("replace: { field: OBR-3, pattern: '(F)(.)', with: '\\2\\1' }", {4: LINES[4].replace("F1", "1F")}),
        ("replace: { field: 'OBX[*]-5[*].1', pattern: '[ab&]', with: '^' }",
         {6: LINES[6].replace("red\\T\\white", "red\\S\\white")}),
        ("replace: { field: 'OBX[*]-5[*].2', pattern: '[ab]', with: c }", {7: LINES[7].replace("A^a^L~B^b^L", "A^c^L~B^c^L")}),
        ("replace: { field: ZZZ-3, pattern: 'x', with: y }", {}),
        ("mask_names", {1: LINES[1].replace("Doe^J~Roe^J|Mother", "XXX|XXX").replace("Alias", "XXX"), 2: "NK1|1|XXX"}),
        ("mask_names: { mask: '*', fields: PID-6 }", {1: LINES[1].replace("Mother", "*")}),
    ],
)  # fmt: skip
def test_a_step_changes_what_it_says_and_nothing_else(text: str, lines: dict[int, str]) -> None:
    assert changed(text) == lines


def test_segments_are_dropped() -> None:
    after = step("drop_segments: [ZZZ, NK1]")(document())
    assert [segment.name for segment in after.body.segments] == ["MSH", "PID", "OBR", "OBX", "OBX", "OBX"]
    assert step("drop_segments: MSH")(document()).body.segments[0].name == "MSH"


def test_setting_in_a_segment_that_is_not_there_is_refused() -> None:
    with pytest.raises(MessageError) as caught:
        step("set: { field: PV1-2, to: I }")(document())
    assert (caught.value.code, caught.value.place) == (ErrorCode.REQUIRED_FIELD_MISSING, "PV1-2")


def test_the_message_as_received_stays_at_hand() -> None:
    """Keys are made from the message as received, whatever steps have done to it since."""
    first = document()
    after = step("remove: PID-6")(step("mask_names")(first))
    assert after.original is first.body
    assert step("set: { field: PV1-2, to: I, when_missing: skip }")(first).original is None


def test_look_up_adds_a_coding_and_never_touches_the_senders() -> None:
    """Components 1 to 3, which identity keys are made of, stay; the sender's own alternate stays too."""
    assert changed("look_up: { field: OBX-3, table: codes, to: loinc }") == {
        5: LINES[5].replace("GLU^Glucose^L", "GLU^Glucose^L^2345-7^Glucose \\T\\ more^LN"),
        6: LINES[6].replace("COL^Colour^L^X^Own^Y", "COL^Colour^L^X^Own^Y^^^^5778-6^Colour^LN"),
        7: LINES[7].replace("GLU^Glucose^M", "GLU^Glucose^M^9999-9^Other^LN"),
    }


def test_look_up_twice_is_once() -> None:
    run = step("look_up: { field: OBX-3, table: codes, to: loinc }")
    once = run(document())
    assert bytes(run(once).body) == bytes(once.body)


def test_look_up_of_every_repetition() -> None:
    resources = Resources(tables={"t": "code,to\nA,1\nB,2\n"})
    after = step("look_up: { field: OBX-5, table: t, to: snomed }", resources)(document())
    assert after.body.segments[7].raw(5) == "A^a^L^1^^SCT~B^b^L^2^^SCT"


def test_look_up_says_what_it_did_not_find() -> None:
    resources = Resources(tables={"t": "code,to\nA,1\n"})
    after = step("look_up: { field: OBX-3, table: t, to: loinc, when_missing: note }", resources)(document())
    assert [(note.code, note.place) for note in after.notes] == [("not_in_table", f"OBX{n}-3.1") for n in ("", "[2]", "[3]")]
    with pytest.raises(MessageError) as caught:
        step("look_up: { field: OBX-3, table: t, to: loinc, when_missing: error }", resources)(document())
    assert (caught.value.code, caught.value.place) == (ErrorCode.TABLE_VALUE, "OBX-3.1")
    assert step("look_up: { field: OBX-3, table: t, to: loinc }", resources)(document()).notes == ()


def test_look_up_without_room_says_so() -> None:
    full = "OBX|1|NM|GLU^^L^a^b^c^^^^d^e^f"
    after = step("look_up: { field: OBX-3, table: codes, to: loinc }")(document(LINES[0], full))
    assert after.body.segments[1].text == full
    assert [note.code for note in after.notes] == ["no_room"]


def test_look_up_leaves_out_a_display_that_cannot_be_said() -> None:
    """An ASCII message gets the code; an umlaut it cannot carry does not stop it."""
    resources = Resources(tables={"t": "code,to,display\nGLU,1,Grösse\n"})
    after = step("look_up: { field: OBX-3, table: t, to: loinc }", resources)(document())
    assert after.body.segments[5].raw(3) == "GLU^Glucose^L^1^^LN"


@pytest.mark.parametrize(
    ("text", "option", "words"),
    [
        ("look_up: { field: OBX-3, table: code, to: loinc }", "table", "did you mean `codes`?"),
        ("look_up: { field: OBX-3, table: bad, to: loinc }", "table", "no header line"),
        ("look_up: { field: OBX-3.1, table: codes, to: loinc }", "field", "whole coded field"),
        ("replace: { field: OBX-3, pattern: a, with: '\\1' }", "with", "does not go with"),
        ("render: { template: '{{ x' }", "template", "does not parse"),
    ],
)
def test_an_option_that_cannot_be_used(text: str, option: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        step(text)
    assert caught.value.option == option
    assert words in caught.value.sentence


@pytest.mark.parametrize(("table", "words"), [("code,to\nA,1\nA,2\n", "line 3"), ("code,to\n,1\n", "line 2"), ("code,to\nA,\n", "line 2")])
def test_a_broken_table_says_which_line(table: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        step("look_up: { field: OBX-3, table: t, to: loinc }", Resources(tables={"t": table}))


def test_content_is_parsed() -> None:
    raw = Document("application/octet-stream", "\r".join(LINES).encode(), CONTEXT)
    parsed = step("parse_hl7")(raw)
    assert (parsed.media_type, parsed.body.get("PID-2")) == (HL7, "OLD")
    assert step("parse_hl7")(parsed) is parsed
    with pytest.raises(MessageError):
        step("parse_hl7")(raw.with_body("nothing"))


def test_hl7_is_written() -> None:
    written = step("write_hl7: { ends: lf }")(document())
    assert (written.media_type, written.body) == ("text/plain", "\n".join(LINES) + "\n")


def test_text_is_rendered() -> None:
    template = "{{ get('PID-5.1') }};{% for v in all('OBX-3.1') %}{{ v }},{% endfor %}"
    rendered = step(f'render: {{ template: "{template}", media_type: text/csv }}')(document())
    assert (rendered.media_type, rendered.body) == ("text/csv", "Doe;GLU,COL,GLU,")
    resource = Document(FHIR_JSON, {"id": "x"}, CONTEXT)
    assert step("render: { template: '{{ resource.id }}' }")(resource).body == "x"


@pytest.mark.parametrize(
    "template", ["{{ nothing }}", "{{ get.__globals__ }}", "{{ ''.__class__.__mro__ }}", "{% for x in range(10**9) %}x{% endfor %}"]
)
def test_a_template_that_fails_or_reaches_out_is_an_error(template: str) -> None:
    with pytest.raises((MessageError, OverflowError)):
        step(f'render: {{ template: "{template}" }}')(document())


VALID = {"resourceType": "Bundle", "type": "transaction", "entry": [
    {"fullUrl": f"urn:uuid:0000000{n}-0000-4000-8000-000000000000", "resource": {"resourceType": "Patient", "gender": "female"},
     "request": {"method": "POST", "url": "Patient"}} for n in range(2)
]}  # fmt: skip


def bundle(gender: str) -> Document:
    entries = [VALID["entry"][0], {**VALID["entry"][1], "resource": {"resourceType": "Patient", "gender": gender}}]
    return Document(FHIR_JSON, {**VALID, "entry": entries}, CONTEXT, parts=(Part("a", entries=(0,)), Part("b", entries=(1,))))


def test_what_is_valid_passes() -> None:
    document = bundle("male")
    assert step("validate")(document) is document
    assert step("validate: { strict: true }")(document) is document


def test_the_part_that_is_invalid_is_held_and_no_other() -> None:
    """One patient's broken result does not hold another's."""
    judged = step("validate")(bundle("M"))
    assert [part.hold for part in judged.parts] == ["", "invalid"]
    assert [note.place for note in judged.notes] == ["Bundle.entry[1].resource.gender"]
    assert "M" not in judged.notes[0].sentence.split()


def test_a_bundle_that_is_none_holds_every_part() -> None:
    document = bundle("male")
    broken = document.with_body({**document.body, "type": "nonsense"})
    assert [part.hold for part in step("validate")(broken).parts] == ["invalid", "invalid"]


def test_invalid_output_is_sent_where_the_channel_says_so() -> None:
    for run in (step("validate: { on_invalid: send }"), step("validate", Resources(settings={"on_invalid": "send"}))):
        judged = run(bundle("M"))
        assert [part.hold for part in judged.parts] == ["", ""]
        assert judged.notes


def test_a_second_opinion() -> None:
    """fhir.resources wants what the base definition wants too; its words about values are not repeated."""
    judged = step("validate: { strict: true }")(bundle("M"))
    assert [part.hold for part in judged.parts] == ["", "invalid"]


def test_every_step_has_its_words() -> None:
    known = {name for name, declaration in registry["step"].items() if declaration.__module__.startswith("transforms.steps.")}
    assert known >= {
        "copy", "drop_segments", "look_up", "mask_names", "parse_hl7", "remove", "render", "replace", "set", "validate", "write_hl7",
    }  # fmt: skip
    assert all(registry["step"][name].__doc__ for name in known)
