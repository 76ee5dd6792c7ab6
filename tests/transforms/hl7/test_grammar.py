"""Structures are read and written as HL7 writes them."""

from __future__ import annotations

import pytest

from transforms.hl7.grammar import Part, parse_grammar
from transforms.hl7.structures import _definitions


def test_reading() -> None:
    part = parse_grammar("XXX_X01", "MSH [{SFT}] {A([PID] <OBR|RXO> [(ORC [PRT])])} [DSC]")
    assert part.name == "XXX_X01"
    assert [(each.name, each.optional, each.repeats) for each in part.parts] == [
        ("MSH", False, False),
        ("SFT", True, True),
        ("A", False, True),
        ("DSC", True, False),
    ]
    group = part.parts[2]
    assert [each.leading for each in group.parts] == ["PID", "OBR", "ORC"]
    assert group.parts[1] == Part(parts=(Part("OBR"), Part("RXO")), choice=True)
    assert group.needed and not group.parts[0].needed
    assert list(part.segments()) == ["MSH", "SFT", "PID", "OBR", "RXO", "ORC", "PRT", "DSC"]


def test_a_group_of_optional_parts_is_not_needed() -> None:
    assert not parse_grammar("X", "A([OBX] [NTE])").parts[0].needed
    assert parse_grammar("X", "<OBR|RXO>").parts[0].needed
    assert not parse_grammar("X", "<OBR|[RXO]>").parts[0].needed


@pytest.mark.parametrize("text", ["MSH )", "MSH pid", "MSH ]"])
def test_what_is_no_grammar(text: str) -> None:
    with pytest.raises(ValueError, match="X"):
        parse_grammar("X", text)


def test_every_packaged_definition_reads_and_writes_back() -> None:
    for name, text in _definitions()["structures"].items():
        assert " ".join(map(str, parse_grammar(name, text).parts)) == text
