"""Which rule wrote it, where the rule stands, from which fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from transforms.hl7.message import parse
from transforms.mapping.library import Library


def leaves(value: Any, pointer: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, f"{pointer}/{index}")
    else:
        yield pointer


@pytest.fixture(scope="module")
def explained(lab) -> dict[str, dict[str, Any]]:
    lines = (lab.PID.replace("MR|", "MR~2^^^MRN^PI|"), "PV1||I|||||12^Smith^J", lab.OBR + "|||||||9^Lab^Head^^^^^^ORG", "NTE|1||said", lab.obx(), lab.obx("K", "a~b", "ST", unit=""), "NTE|1||note")
    message = parse(lab.message(*lines))
    found = Library.load().explain()(message, lab.CONTEXT)
    bundle = Library.load().converter()(message, lab.CONTEXT).bundle
    assert sorted(each["pointer"] for each in found) == sorted(leaves(bundle))  # every leaf, once, and the plain way wrote the same
    return {each["pointer"]: each for each in found} | {"bundle": bundle}


def entry(explained: dict[str, Any], kind: str, number: int = 0) -> int:
    return [index for index, each in enumerate(explained["bundle"]["entry"]) if each["resource"]["resourceType"] == kind][number]


def test_a_value_is_explained_by_its_rule(explained: dict[str, Any]) -> None:
    """File, line, column, and the fields with their occurrence."""
    found = explained[f"/entry/{entry(explained, 'Observation')}/resource/valueQuantity/value"]
    assert (found["rule"], found["file"]) == ("OBX_Observation/value", "maps/segments/OBX_Observation.yaml")
    assert found["line"] > 1 and found["column"] > 1
    assert found["read"] == ["OBX[1]-5", "OBX[1]-6"] and found["functions"] == ["quantity"]
    assert found["from"] == ["OBX[1]-2", "OBX[1]-5"]  # the type decides what the value is, the unit has an element of its own


def test_repetitions_and_list_items_are_told_apart(explained: dict[str, Any]) -> None:
    """Each component comes from its own repetition."""
    at = f"/entry/{entry(explained, 'Observation', 1)}/resource/component"
    assert [explained[f"{at}/{index}/valueString"]["read"] for index in (0, 1)] == [["OBX[2]-5[1]"], ["OBX[2]-5[2]"]]
    assert [explained[f"{at}/{index}/valueString"]["from"][-1] for index in (0, 1)] == ["OBX[2]-5[1]", "OBX[2]-5[2]"]
    found = explained[f"/entry/{entry(explained, 'Patient')}/resource/identifier/1/value"]
    assert (found["read"], found["from"]) == (["PID-3"], ["PID-3[2].1"])


def test_what_no_rule_wrote_is_explained_by_the_message_map(explained: dict[str, Any]) -> None:
    """Keys, links, requests, the header."""
    at = f"/entry/{entry(explained, 'Observation')}"
    assert explained[f"{at}/resource/id"]["rule"] == explained[f"{at}/request/url"]["rule"] == explained[f"{at}/fullUrl"]["rule"] == "ORU_R01/observation"
    assert explained[f"{at}/resource/id"]["read"] == ["OBX[1]-3"]
    key = ["MSH-3", "MSH-4", "OBR-3.1", "OBR-3.2", "OBR-4.1", "OBR-4.3", "OBX[1]-3.1", "OBX[1]-3.3"]
    assert [each for each in explained[f"{at}/resource/id"]["from"] if each not in key[:2]] == key[2:]
    assert explained[f"{at}/resource/subject/reference"]["rule"] == "ORU_R01/observation"
    assert (explained["/identifier/value"]["rule"], explained["/identifier/value"]["from"]) == ("ORU_R01", ["MSH-10"])


def test_what_a_function_made_is_explained_where_it_stands(explained: dict[str, Any]) -> None:
    """A Practitioner that became an entry."""
    found = explained[f"/entry/{entry(explained, 'Practitioner')}/resource/name/0/family"]
    assert (found["rule"].partition("/")[0], found["read"], found["from"]) == ("OBR_DiagnosticReport", ["OBR-32"], ["OBR-32.2"])


def test_a_sites_rule_is_named_with_its_own_file(lab) -> None:
    """Also where it overrides the package's."""
    text = "map: m\nextends: OBX_Observation\nrules:\n  - { to: code, const: { text: mine } }\n"
    library = Library.load({"OBX_Observation.yaml": text}, {"OBX_Observation.yaml": "conf/maps/OBX_Observation.yaml"})
    found = library.explain()(parse(lab.message(lab.PID, lab.OBR, lab.obx())), lab.CONTEXT)
    (code,) = [each for each in found if each["pointer"].endswith("/resource/code/text")]
    assert (code["file"], code["line"], code["from"]) == ("conf/maps/OBX_Observation.yaml", 4, [])
