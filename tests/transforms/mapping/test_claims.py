"""Which map a message goes to, and maps made of other maps."""

from __future__ import annotations

import pytest

from tests.transforms.mapping.conftest import Lab
from transforms.errors import ConfigurationError, MessageError
from transforms.hl7.message import Message, parse
from transforms.mapping.library import Library

PID = "PID|||1^^^MRN^MR||Doe^Jo"
MAP = """map: {name}
messages: {messages}
resources:
  - {{ make: Patient as patient, at: PID, with: PID }}
  - {{ make: Encounter as encounter, at: PV1, with: PV1, link: {{ subject: patient }} }}
"""


def message(kind: str, *lines: str) -> Message:
    return parse(Lab.message(*(lines or (PID,)), header=f"MSH|^~\\&|HIS|HOSP|||20240115103000||{kind}|77|P|2.5.1"))


def files(**messages: str) -> dict[str, str]:
    return {f"{name}.yaml": MAP.format(name=name, messages=each) for name, each in messages.items()}


def chosen(library: Library, kind: str) -> str:
    return library.converter().of(message(kind)).map.name


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ZAD^Z05", "EVENT"),
        ("ZAD^Z04^ZAD_Z01", "SHAPE"),
        ("ZAD^Z07", "REST"),
        ("ADT^A08^ADT_A01", "A08"),
        ("ORU^R01", "ORU_R01"),
    ],
)
def test_the_event_then_the_structure_then_whatever_is_left(kind: str, name: str) -> None:
    """What is named most exactly wins; `*` takes what nobody named."""
    given = files(EVENT="[ZAD_Z05]", SHAPE="[ZAD_Z01]", A08="[ADT_A08]", REST='["*"]')
    given["local.yaml"] = "structures:\n  ZAD_Z01: { extends: ADT_A01 }\n"
    assert chosen(Library.load(given), kind) == name


def test_a_sites_map_goes_before_the_packages() -> None:
    """Whatever they are called; a map that only inherits what it is for goes behind."""
    assert chosen(Library.load(files(AAA="[ORU_R01]")), "ORU^R01") == "AAA"
    assert chosen(Library.load({"ZZZ.yaml": "map: ZZZ\nextends: ORU_R01\nresources: []\n"}), "ORU^R01") == "ORU_R01"


def test_two_maps_of_a_site_for_one_type_are_a_problem() -> None:
    """Nobody could know which is meant."""
    with pytest.raises(ConfigurationError) as caught:
        Library.load(files(AAA="[ZAD_Z05]", BBB="[ZAD_Z05]"))
    assert [each.code for each in caught.value.problems] == ["two_maps"]


def test_a_map_refuses_what_it_is_not_for() -> None:
    """One that a channel names itself."""
    with pytest.raises(MessageError):
        Library.load(files(AAA="[ZAD_Z05]")).converter("AAA")(message("ZAD^Z06"), Lab.CONTEXT)


def test_makes_are_taken_over_replaced_and_left_out() -> None:
    """`extends` a map: its resources, but for `without`; those of the same name are replaced, others come behind."""
    given = files(BASE="[ZAD_Z05]")
    given["MORE.yaml"] = (
        "map: MORE\nextends: BASE\nmessages: [ZAD_Z06]\nwithout: [encounter]\nresources:\n"
        "  - { make: Patient as patient, at: PID, with: PID, verb: update }\n"
        "  - { make: RelatedPerson as relative, each: NK1, with: NK1, link: { patient: patient } }\n"
    )
    makes = Library.load(given).message_maps["MORE"].makes
    assert [(each.name, each.verb) for each in makes] == [("patient", "update"), ("relative", "")]
    given["MORE.yaml"] = given["MORE.yaml"].replace("[encounter]", "[encountr]")
    with pytest.raises(ConfigurationError) as caught:
        Library.load(given)
    assert [each.code for each in caught.value.problems] == ["unknown_make"]


def test_an_empty_first_name_is_the_message_itself() -> None:
    """`at: .PID` is the PID that stands in no group; `PID` any."""
    prior = ("ORC|NW|P1", "OBR|1|P1||X", "PID|||2^^^MRN^MR", "ORC|NW|P0", "OBR|1|P0||Y", "OBX|1|ST|Z||v")
    given = files(AAA="[OML_O21]")
    for at, count in (("PID", 2), (".PID", 0), ("PATIENT.PID", 1), (".PATIENT.PID", 1), (".PID_PRIOR.PID", 0)):
        library = Library.load({name: text.replace("at: PID", f"at: {at}") for name, text in given.items()})
        run = library.converter("AAA").run
        tree = message("OML^O21^OML_O21", PID, *prior)
        if count:
            assert len(Lab.of(run(tree, Lab.CONTEXT)[0], "Patient")) == count
        else:
            with pytest.raises(MessageError):
                run(tree, Lab.CONTEXT)


def test_each_patient_is_a_part_with_a_lane() -> None:
    """Several PIDs in groups: a part each."""
    given = {name: text.replace("messages:", "part: PATIENT\nmessages:") for name, text in files(AAA="[ADT_A39]").items()}
    lines = ("EVN|A40|2024", PID, "MRG|9^^^MRN^MR", PID.replace("|1^", "|2^"), "MRG|8^^^MRN^MR")
    converted = Library.load(given).converter("AAA")(message("ADT^A40^ADT_A39", *lines), Lab.CONTEXT)
    assert [each.entries for each in converted.parts] == [(0,), (1,)]
    assert [f"urn:uuid:{each.lane}" for each in converted.parts] == Lab.urls(converted, "Patient")


def test_what_is_about_nobody_may_leave_where_the_map_says_so() -> None:
    """`patient: optional`: held only where a PID has no number that can be used."""
    text = MAP.format(name="AAA", messages="[ZAD_Z05]") + "  - { make: Device as device, at: SFT, with: SFT, identify: { by: SFT-4 } }\n"
    for extra, lines, hold in (
        ("", ("SFT|Maker|1|Product|77",), "no_patient_id"),
        ("patient: optional\n", ("SFT|Maker|1|Product|77",), ""),
        ("patient: optional\n", ("SFT|Maker|1|Product|77", "PID|||^^^MRN"), "no_patient_id"),
    ):
        converted = Library.load({"AAA.yaml": text.replace("resources:", extra + "resources:")}).converter("AAA")(message("ZAD^Z05", *lines), Lab.CONTEXT)
        assert [each.hold for each in converted.parts] == [hold]
