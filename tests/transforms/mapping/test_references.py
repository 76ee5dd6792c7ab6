"""Two that have one number are one: what either says stands, what contradicts is left over, and nothing stays for the next message."""

from __future__ import annotations

from tests.transforms.mapping.conftest import Lab
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.to_fhir import Converted

HEADER = "MSH|^~\\&|HIS|HOSP|EHR|CLINIC|20240115103000||{kind}|77|P|2.5.1"
PID = "PID|||1^^^MRN^MR||Doe^Jo"


def convert(*lines: str, kind: str = "ADT^A40^ADT_A39") -> Converted:
    return Library.load().converter()(parse(Lab.message(*lines, header=HEADER.format(kind=kind))), Lab.CONTEXT)


def visit(attending: str, referring: str) -> str:
    return f"PV1|1|I|W1||||{attending}|{referring}|||||||||||V1^^^VISITS"


def doctors(converted: Converted) -> list[dict]:
    return Lab.of(converted, "Practitioner")


def test_what_either_says_stands() -> None:
    """The same doctor with another name is one Practitioner with both names; with more of an address it has that."""
    (one,) = doctors(convert("EVN||2024", PID, visit("7^Smith^Jo^^^^^^LOCAL", "7^Smyth^Jo^^^^^^LOCAL"), kind="ADT^A01^ADT_A01"))
    assert [each["family"] for each in one["name"]] == ["Smith", "Smyth"]


def test_nothing_stays_for_the_next_message() -> None:
    """What is kept between messages is never changed by one of them."""
    alone = visit("7^Smith^Jo^^^^^^LOCAL", "")
    before = convert("EVN||2024", PID, alone, kind="ADT^A01^ADT_A01")
    convert("EVN||2024", PID, visit("7^Smith^Jo^^^^^^LOCAL", "7^Smyth^Jo^^^^^^LOCAL"), kind="ADT^A01^ADT_A01")
    assert convert("EVN||2024", PID, alone, kind="ADT^A01^ADT_A01") == before


def test_the_number_that_was_is_the_one_that_is() -> None:
    """An A40 whose MRG-1 is PID-3's own number: there is no other patient, and no link to oneself."""
    converted = convert("EVN|A40|2024", PID, "MRG|1^^^MRN^MR||||||Doe^Jo")
    (patient,) = Lab.of(converted, "Patient")
    assert "link" not in patient and patient.get("active", True) and "MRG-1" not in converted.leftover
    assert len(Lab.of(convert("EVN|A40|2024", PID, "MRG|2^^^MRN^MR"), "Patient")) == 2


def test_a_map_is_found_by_what_it_is_for() -> None:
    """`converter("ADT_A08")` is the map that takes such messages."""
    library = Library.load()
    assert library.converter("ADT_A39").map.name == library.claims["ADT_A39"]
