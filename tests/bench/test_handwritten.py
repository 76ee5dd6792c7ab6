"""The floor does the same work: by hand or by map, a message of the reference load gives the same Bundle."""

from __future__ import annotations

import json
import random
import re

import pytest

from bench import conversion, handwritten, load, other_types
from transforms.fhir.serialization import dumps


def facts(bundle: dict) -> object:
    """A bundle without the ids that were made for it."""
    return json.loads(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\bc[0-9a-f]{8}-[0-9a-f]{3,4}\b", "ID", dumps(bundle).decode()))


@pytest.mark.parametrize("seed", range(5))
def test_by_hand_and_by_map_alike(seed: int) -> None:
    """Every element of every resource, whatever its place in the object."""
    content = load.message("CTL1", random.Random(seed))
    _, by_hand, _ = handwritten.convert(content)
    assert facts(by_hand) == facts(conversion.by_map()(content))


@pytest.mark.parametrize("structure", other_types.BY_HAND)
def test_other_types_by_hand_and_by_map_alike(structure: str) -> None:
    """Admissions, vaccinations and appointments too."""
    content = other_types.message(structure, "CTL1", random.Random(1))
    assert facts(other_types.BY_HAND[structure](content)) == facts(conversion.by_map(structure)(content))
