"""The structure of a message is found by what MSH-9 says, however little that is."""

from __future__ import annotations

import pytest

from transforms.hl7.message import parse
from transforms.hl7.structures import names, structure, structure_of


@pytest.mark.parametrize(
    ("msh9", "name"),
    [
        ("ORU^R01^ORU_R01", "ORU_R01"),
        ("ORU^R01", "ORU_R01"),
        ("ORU", "ORU_R01"),
        ("ORU^W01", "ORU_R01"),
        ("ORU^R01^NONSENSE", "ORU_R01"),
        ("ORU^R31", "ORU_R30"),
        ("OUL^R22", "OUL_R22"),
        ("OUL^R24^OUL_R24", "OUL_R24"),
        ("ADT^A04", "ADT_A01"),
        ("ADT^A08^ADT_A08", "ADT_A01"),
        ("ADT^A28", "ADT_A05"),
        ("ADT^A40", "ADT_A39"),
        ("adt^a31", "ADT_A05"),
        ("SIU^S14", "SIU_S12"),
        ("MDM^T04", "MDM_T02"),
        ("ACK^R01", "ACK"),
        ("ACK", "ACK"),
        ("QBP^Q22^QBP_Q21", "QBP_Q21"),
        ("ABC^XYZ", "ABC_XYZ"),
        ("", ""),
    ],
)
def test_finding(msh9: str, name: str) -> None:
    assert structure_of(parse(f"MSH|^~\\&|A|B|C|D|2024||{msh9}|1|P|2.3\r".encode())) == name


def test_structures_are_made_once() -> None:
    assert structure("ORU_R01") is structure("ORU_R01")
    assert structure("ADT_A04").name == "ADT_A01"
    assert structure("ABC_XYZ") is None
    assert {"ORU_R01", "OUL_R21", "OUL_R22", "OUL_R23", "OUL_R24", "ORM_O01", "ADT_A01"} <= set(names())
