"""A site's segments and structures: read with every problem at its place, and placed where they are declared to stand."""

from __future__ import annotations

import pytest

from transforms.errors import Problem
from transforms.hl7.groups import Tree, group
from transforms.hl7.local import NOTHING, names_of, read_all
from transforms.hl7.message import parse
from transforms.hl7.structures import Structures

HEADER = b"MSH|^~\\&|A|B|C|D|20240101||%s|1|P|%s\r"
ZLR = (
    "segments:\n  ZLR: { name: Routing, after: OBR, in: ORDER_OBSERVATION, repeats: true, "
    "fields: { 1: { name: Set ID, type: SI }, 2: Laboratory } }\n"
)


def structures(text: str) -> Structures:
    problems: list[Problem] = []
    found = Structures(read_all({"local.yaml": text}, {}, problems))
    assert [*problems, *found.problems()] == []
    return found


def problems_of(text: str) -> list[tuple[int, str, str]]:
    problems: list[Problem] = []
    found = Structures(read_all({"local.yaml": text}, {}, problems))
    return sorted((each.line, each.code, each.sentence) for each in {*problems, *found.problems()})


def tree(text: str, segments: str, msh9: str = "ORU^R01^ORU_R01", version: str = "2.5.1") -> Tree:
    lines = "".join(f"{name}|1\r" for name in segments.split())
    return group(parse(HEADER % (msh9.encode(), version.encode()) + lines.encode()), structures=structures(text))


def shape(root: Tree) -> str:
    return repr(root).replace("<", "").replace(">", "")


def test_a_segment_stands_where_it_is_declared() -> None:
    """Whatever stands before it: one after an OBX too is the order's."""
    found = tree(ZLR, "PID OBR OBX NTE ZLR OBR ZLR ZLR OBX")
    orders = found.find("PATIENT_RESULT.ORDER_OBSERVATION")
    assert [len(each.segments("ZLR")) for each in orders] == [1, 2]
    assert [note.code for note in found.deviations] == ["segment_out_of_place"]  # the one that came late; the others are at home
    undeclared = tree("structures: { ORU_Z01: { extends: ORU_R01 } }", "PID OBR OBX NTE ZLR")
    assert undeclared.find("PATIENT_RESULT.ORDER_OBSERVATION")[0].segments("ZLR") == []


def test_a_segment_behind_one_that_repeats_stands_with_its_own() -> None:
    """None of them is out of its place."""
    found = tree("segments: { ZDG: { after: DG1, of: ADT_A01 } }", "EVN PID PV1 DG1 ZDG DG1 DG1 ZDG PR1", "ADT^A01^ADT_A01")
    assert (len(found.segments("DG1")), len(found.segments("ZDG")), found.deviations) == (3, 2, [])


def test_segments_behind_one_another_keep_the_order_they_are_declared_in() -> None:
    """Also where one is declared before the one it follows."""
    own = "{ after: PID, in: PATIENT, of: ORU_R01 }"
    text = f"segments:\n  ZZZ: {{ after: ZB1 }}\n  ZA1: {own}\n  ZB1: {own}\n"
    found = tree(text, "PID ZA1 ZB1 ZZZ PD1 OBR")
    assert [each.name for each in found.find("PATIENT_RESULT.PATIENT")[0].segments()] == ["PID", "ZA1", "ZB1", "ZZZ", "PD1"]
    assert found.deviations == []


def test_a_structure_of_the_sites_own_is_like_the_one_it_extends() -> None:
    """By MSH-9.3, by MSH-9.1 and 9.2, and by the events it declares."""
    text = "structures:\n  ORU_Z01: { extends: ORU_R01, events: [ZOR_Z02] }\n" + ZLR.replace("in:", "of: ORU_R01, in:")
    for msh9 in ("ORU^Z01^ORU_Z01", "ORU^Z01", "ZOR^Z02"):
        found = tree(text, "PID OBR ZLR OBX", msh9)
        assert found.name == "ORU_Z01"
        assert found.find("PATIENT_RESULT.ORDER_OBSERVATION")[0].segment("ZLR") is not None
    assert structures(text).lineage("ORU_Z01") == ("ORU_Z01", "ORU_R01")


def test_a_structure_may_be_written_out() -> None:
    """In the grammar that HL7 uses."""
    text = 'structures: { ZOR_Z01: { grammar: "MSH PID {ORDER(ORC [{ZLR}] [{RESULT(OBX [{NTE}])}])}" } }'
    found = tree(text, "PID ORC ZLR OBX NTE ORC OBX", "ZOR^Z01")
    assert shape(found).count("ORDER(") == 2 and [each.name for each in found.find("ORDER.RESULT")[0].segments()] == ["OBX", "NTE"]
    assert found.deviations == []


def test_a_structure_of_the_package_may_be_changed() -> None:
    """A declaration of its name wins."""
    found = tree('structures: { ACK: { grammar: "MSH MSA [{ZER}]" } }', "MSA ZER", "ACK")
    assert found.deviations == [] and len(found.segments()) == 3


def test_fields_have_names_and_types_by_version() -> None:
    """A standard segment's fields too."""
    text = ZLR + "  PID: { versions: [2.3-HOSP], fields: { 40: { name: Ward Colour, type: CWE } } }\n"
    found = structures(text)
    assert names_of(found.declared, "ZLR", "2.5.1") == {"name": "Routing", "fields": {"1": "Set ID", "2": "Laboratory"}}
    assert (found.field_type("ZLR", 1), found.field_type("ZLR", 2), found.field_type("ZLR", 9)) == ("SI", "", "")
    assert names_of(found.declared, "PID", "2.5.1") == {}
    assert found.field_type("PID", 40, "2.3-HOSP") == "CWE"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("segments:\n  zlr: {}", (2, "segment_name", "`zlr` is no segment's name: a capital letter, and two more capitals or digits.")),
        ("segments:\n  ZLR: { aftr: OBR }", (2, "unknown_key", "`aftr` is not known here (did you mean `after`?).")),
        (
            "segments:\n  ZLR:\n    after: OBX\n    in: OBSERVATON",
            (4, "unknown_group", "There is no group `OBSERVATON` (did you mean `OBSERVATION`?)."),
        ),
        ("segments:\n  ZLR:\n    after: PV9\n    in: OBSERVATION", (3, "unknown_segment", "No `PV9` stands in `OBSERVATION`.")),
        ("segments:\n  ZLR: { in: OBSERVATION }", (2, "missing", "`in` needs `after`: the segment behind which it stands.")),
        (
            "segments:\n  ZLR:\n    after: OBX\n    of: ORU_R02",
            (4, "unknown_structure", "There is no structure `ORU_R02` (did you mean `ORU_R30`?)."),
        ),
        (
            "segments:\n  ZLR: { fields: { 2: { type: CWX } } }",
            (2, "datatype", "`type` should be a data type of HL7, such as CWE (did you mean `CWE`?)."),
        ),
        ("segments:\n  ZLR: { fields: { 0: Set ID } }", (2, "field_number", "`0` is no field's number: they count from 1 to 99.")),
        ("structures:\n  ORU_Z01: {}", (2, "missing", "A structure needs `extends` or `grammar`.")),
        (
            "structures:\n  ORU_Z01: { extends: ORU_R91 }",
            (2, "unknown_structure", "There is no structure `ORU_R91` (did you mean `ORU_R01`?)."),
        ),
        ("structures:\n  ZZZ_Z01: { extends: ZZZ_Z01 }", (2, "unknown_structure", "There is no structure `ZZZ_Z01`.")),
        ("structures:\n  oru: { extends: ORU_R01 }", (2, "structure_name", "`oru` is no structure's name, such as ORU_Z01.")),
        ("structures:\n  ZZZ_Z01: { grammar: 'PID' }", (2, "grammar", "A message begins with MSH.")),
        (
            "structures:\n  ZZZ_Z01: { grammar: 'MSH [PID' }",
            (2, "grammar", "This is no grammar: `[ ]` optional, `{ }` repeats, `NAME( )` a group, `<A|B>` one of."),
        ),
    ],
)
def test_mistakes_are_told_at_their_place(text: str, problem: tuple[int, str, str]) -> None:
    (found,) = problems_of(text)
    assert (found[0], found[1]) == problem[:2]
    assert found[2].split(" (did")[0] == problem[2].split(" (did")[0]


def test_circles_and_doubles_are_told() -> None:
    assert [each[1] for each in problems_of("structures:\n  ZZA: { extends: ZZB }\n  ZZB: { extends: ZZA }\n")] == ["circle", "circle"]
    problems: list[Problem] = []
    twice = read_all({"a.yaml": ZLR, "b.yaml": ZLR}, {}, problems)
    assert [(each.file, each.code) for each in Structures(twice).problems()] == [("b.yaml", "duplicate_segment")]
    assert problems_of("segments:\n  ZA1: { after: ZB1 }\n  ZB1: { after: ZA1 }\n") != []


def test_other_files_declare_nothing() -> None:
    problems: list[Problem] = []
    assert read_all({"x.yaml": "map: x\nrules: []\n"}, {}, problems) == NOTHING and problems == []
