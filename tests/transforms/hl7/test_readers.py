"""Prepared readers give what Message.get gives, and paths are checked when declared."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from transforms.hl7.message import parse
from transforms.hl7.readers import AnyPath, FieldPath, FieldPaths, number, places, reader, readers

HEAD = "MSH|^~\\&|LAB|HOSP|EHR|HOSP|20240101||ORU^R01^ORU_R01|1|P|2.5.1"
VALUE = st.text(st.sampled_from("ab^~&\\F \"|"), max_size=12)


@st.composite
def paths(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(["PID", "OBX", "MSH", "ZZZ"])) + draw(st.sampled_from(["", "[1]", "[2]"]))
    text += f"-{draw(st.integers(1, 6))}" + draw(st.sampled_from(["", "[1]", "[2]"]))
    if draw(st.booleans()):
        text += f".{draw(st.integers(1, 3))}" + draw(st.sampled_from(["", ".1", ".2"]))
    return text


@given(st.lists(VALUE, max_size=6), st.lists(VALUE, max_size=6), paths())
def test_a_reader_gives_what_get_gives(pid: list[str], obx: list[str], path: str) -> None:
    lines = [HEAD, "PID|" + "|".join(pid), "OBX|" + "|".join(obx), "OBX|1|" + "|".join(obx)]
    message = parse("\r".join(lines).encode())
    assert reader(path)(message) == message.get(path)


@given(st.lists(VALUE, max_size=6), paths())
def test_places_are_where_get_reads(obx: list[str], path: str) -> None:
    message = parse("\r".join([HEAD, "PID|1", "OBX|" + "|".join(obx), "OBX|1|" + "|".join(obx)]).encode())
    for place, text in places(message, path.replace("[2]", "[*]")):
        assert message.get(str(place)) is not None
        assert message.replace(str(place), text, escaped=True).text == message.text


def test_every_repetition_and_segment() -> None:
    message = parse((HEAD + "\rOBX|1|NM|A||1~2\rOBX|2|NM|B||3").encode())
    assert readers("OBX[*]-5[*]")(message) == ["1", "2", "3"]
    assert readers("OBX[*]-3.1")(message) == ["A", "B"]
    assert readers("OBX-5.1")(message) == ("1",)
    assert readers("NTE-3")(message) == ()


@pytest.mark.parametrize("path", ["PID-5", "PID-3[2].4.1", "OBX[*]-5[*].1", "ZZZ-1"])
def test_field_paths(path: str) -> None:
    assert TypeAdapter(FieldPath).validate_python(path) == path
    assert TypeAdapter(FieldPaths).validate_python(path) == (path,)


@pytest.mark.parametrize("path", ["PID", "pid-5", "PID.5", "PID-0", "PID-5.", "", "OBX-5.1.1.1"])
def test_what_is_no_field_path(path: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(FieldPath).validate_python(path)


def test_a_segment_is_a_place_too() -> None:
    assert TypeAdapter(AnyPath).validate_python("SPM[2]") == "SPM[2]"


@pytest.mark.parametrize(("text", "value"), [("5", "5"), ("+5", "5"), ("-0.50", "-0.50"), (".5", "0.5"), ("5.", "5")])
def test_numbers(text: str, value: str) -> None:
    assert number(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "<5", "1e3", "5 ", "NaN", "1.2.3", "9" * 40, "inf", "."])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None
