"""The JSON Schema an editor completes and underlines by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from channels import checks
from transforms.declaration.reading import read

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """As `flue check --schema` prints it."""
    return json.loads(json.dumps(checks.schema()))


@pytest.fixture(scope="module")
def valid(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema)


def errors(valid: Any, text: str) -> list[str]:
    """Where the schema sees something wrong, as JSON pointers."""
    value = json.loads(json.dumps(read(text, "f").value, default=float))
    return sorted({"/".join(map(str, each.instance_path)) for each in valid.iter_errors(value)})


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/*/channel.yaml")) + sorted(ROOT.glob("conf/**/channel*.yaml")), ids=str)
def test_examples_are_valid(valid: Any, file: Path) -> None:
    assert errors(valid, file.read_text("utf-8")) == []


def test_every_component_is_described(schema: dict[str, Any]) -> None:
    """Each step, rule and connector with its options, and every option with a sentence."""
    for kind, declarations in checks.components().items():
        for name in declarations:
            assert f"{kind}.{name}" in schema["$defs"]
    for name, each in schema["$defs"].items():
        for option, about in each.get("properties", {}).items():
            if "." in name and "$ref" not in about:
                assert about.get("description"), f"{name}: {option}"


def test_references_lead_somewhere(schema: dict[str, Any]) -> None:
    text = json.dumps(schema)
    assert "x-component" not in text
    for part in text.split('"$ref": "#/$defs/')[1:]:
        assert part.split('"')[0] in schema["$defs"]


GOOD = """\
channel: lab
source:
  mllp: { listen: "tcp:2575", connections: "${env:N}", idle_timeout: 30s }
filter:
  - type: ORU
  - all: [ equals: { field: PID-1, to: 1 }, not: { valued: PID-8 } ]
transform:
  - mask_names
  - mask_names: { mask: x }
destinations:
  - name: archive
    file: { folder: out }
"""


def test_what_an_editor_accepts(valid: Any) -> None:
    assert errors(valid, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("channel: lab", "chanel: lab", ""),
        ("listen:", "listn:", "source/mllp"),
        ("idle_timeout: 30s", "idle_timeout: 30", "source/mllp/idle_timeout"),
        ("  - type: ORU", "  - typ: ORU", "filter/0"),
        ("field: PID-1,", "field: PID.1,", "filter/1/all/0/equals/field"),
        ("  - mask_names\n", "  - mask_name\n", "transform/0"),
        ("file: { folder: out }", "fill: { folder: out }", "destinations/0"),
        ("    file: { folder: out }\n", "", "destinations/0"),
        ("name: archive", "name: archive\n    on_dead_letter: parc", "destinations/0/on_dead_letter"),
    ],
)
def test_what_an_editor_underlines(valid: Any, old: str, new: str, place: str) -> None:
    assert place in errors(valid, GOOD.replace(old, new))
