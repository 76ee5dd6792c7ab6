"""What messages are found by, and which patient orders them."""

from __future__ import annotations

import pytest

from engine.runtime.keys import MOST, duplicate_key, patient_lane, search_keys
from transforms.hl7.message import parse

HEADER = "MSH|^~\\&|LAB^1.2.3^ISO|HOSP|||20260304||ORU^R01^ORU_R01|M1|P|2.5.1\r"


def test_what_a_message_is_found_by() -> None:
    """Every patient identifier and every order number, first components, unescaped, each once; NULL is none."""
    message = parse(
        (
            HEADER
            + "PID|1||A^^^HOSP^MR~B\\T\\C^^^X^PI~~\"\"|\r"
            + "ORC|RE|O1^LIS|F1\r"
            + 'OBR|1|O1^LIS|F2^LAB\rOBR|2||F3\rOBR|3|""\rOBR\r'
        ).encode()
    )
    keys = search_keys(message)
    assert (keys.type, keys.control_id, keys.sender) == ("ORU^R01^ORU_R01", "M1", "LAB|HOSP")
    assert keys.patients == ("A", "B&C") and keys.orders == ("O1", "F1", "F2", "F3")


def test_other_delimiters() -> None:
    """Keys are the same whatever the sender separates with."""
    message = parse(b"MSH#*~\\&#LAB#HOSP#####ORU*R01#M1#P#2.3\rPID###A***HOSP*MR\rOBR#1#O1*X\r")
    keys = search_keys(message)
    assert (keys.type, keys.patients, keys.orders) == ("ORU^R01", ("A",), ("O1",))


def test_keys_are_bounded() -> None:
    """A message cannot fill the index."""
    message = parse((HEADER + "PID|||" + "~".join(f"P{n}" + "x" * 500 for n in range(500))).encode())
    keys = search_keys(message)
    assert len(keys.patients) == MOST and max(map(len, keys.patients)) == 200


@pytest.mark.parametrize(
    ("identifiers", "preferred", "lane"),
    [
        ("1^^^HOSP^MR", (), "1^HOSP"),
        ("9^^^HOSP^AN~1^^^HOSP^MR", (), "1^HOSP"),
        ("9^^^HOSP^VN", (), ""),
        ("7^^^X^PI~1^^^HOSP^MR", (), "1^HOSP"),
        ("7^^^X^PI~1^^^HOSP^MR", ("X",), "7^X"),
        ("7~1^^^HOSP^MR", (), "1^HOSP"),
        ("7", (), "7^"),
        ("7^^^A&1.2.3&ISO", (), "7^A"),
        ('""', (), ""),
        ("", (), ""),
    ],
)
def test_the_lane_of_a_message_without_a_map(identifiers: str, preferred: tuple[str, ...], lane: str) -> None:
    """The patient's identifier by preference and type, never a visit's or an account's."""
    assert patient_lane(parse(f"{HEADER}PID|||{identifiers}\r".encode()), preferred) == lane


def test_duplicate_keys() -> None:
    """The same bytes in the same channel; without a control id nothing tells a resend from a second message."""
    assert duplicate_key("lab", "M1", b"x") == duplicate_key("lab", "M1", b"x")
    assert duplicate_key("lab", "M1", b"x") != duplicate_key("lab", "M1", b"y")
    assert duplicate_key("lab", "M1", b"x") != duplicate_key("other", "M1", b"x")
    assert duplicate_key("lab", "", b"x") == b""
