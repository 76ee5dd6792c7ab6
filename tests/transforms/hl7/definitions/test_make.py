"""The packaged definitions are hl7apy's."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from transforms.hl7.definitions import make
from transforms.hl7.grammar import Part
from transforms.hl7.names import field_name
from transforms.hl7.structures import _definitions, _versions, definition


def flat(part: Part) -> Iterator[tuple[str, int, int]]:
    """Every segment and group of a structure, with its cardinality."""
    for each in part.parts:
        if each.name:
            yield each.name, 0 if each.optional else 1, -1 if each.repeats else 1
        yield from flat(each)


def theirs(structure: str, children: tuple) -> Iterator[tuple[str, int, int]]:
    for name, reference, (least, most), kind in children:
        if reference[0] != "choice":  # the choice of one of several has no name of its own
            yield (name.removeprefix(f"{structure}_"), least, most)
        if kind == "GRP":
            yield from theirs(structure, reference[1])


@pytest.mark.parametrize(
    ("structure", "version"),
    [
        ("ORU_R01", "2.1"),
        ("ORU_R01", "2.3"),
        ("ORU_R01", "2.5.1"),
        ("ORU_R01", "2.8.2"),
        ("OUL_R22", "2.5"),
        ("OUL_R24", "2.7"),
        ("ORM_O01", "2.4"),
        ("ADT_A01", "2.6"),
        ("VXU_V04", "2.8"),
    ],
)
def test_a_version_s_structure_is_hl7apy_s(structure: str, version: str) -> None:
    _, children = make.library(version, "messages").MESSAGES[structure]
    assert list(flat(definition(structure, version))) == list(theirs(structure, children))


def test_every_structure_of_every_version_is_there() -> None:
    packaged = _versions()
    for version in make.VERSIONS:
        for name in make.library(version, "messages").MESSAGES:
            assert version in packaged[name.upper()], (name, version)
            assert _definitions()["events"].get(name.upper(), name.upper()) in _definitions()["structures"]


def test_the_one_definition_has_every_segment_of_every_version() -> None:
    for name, versions in _versions().items():
        one = importlib.import_module("transforms.hl7.structures").structure(name)
        for version in versions:
            assert set(definition(name, version).segments()) <= one.names, (name, version)


def test_a_structure_nobody_has() -> None:
    assert definition("XXX_X99", "2.5") is None
    assert definition("ORU_R01", "3.0") is None


def test_fields_are_named_as_in_2_5_1_where_it_has_them() -> None:
    assert field_name("PID", 4) == "Alternate Patient ID"
    assert field_name("PID", 40) == "Patient Telecommunication Information"


@pytest.mark.shared
def test_making_them_again_gives_the_same(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is packaged is what `make` writes."""
    monkeypatch.setattr(make, "FOLDER", tmp_path)
    make.main(str(shared / "reference" / "v2-tables" / "codes.csv"))
    packaged = Path(make.__file__).parent
    for name in ("structures.json", "names.json"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (packaged / name).read_text(encoding="utf-8")
