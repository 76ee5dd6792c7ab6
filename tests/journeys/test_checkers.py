"""Our own validation beside another one, over every bundle of the corpus: what we call valid, Medplum calls valid too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.journeys.peers import node
from tests.transforms.mapping.test_every_file import outcomes
from transforms.fhir.serialization import dumps
from transforms.fhir.validation import is_valid
from transforms.mapping.to_fhir import Converted

pytestmark = [pytest.mark.journey, pytest.mark.shared]


def test_medplum_agrees(shared: Path) -> None:
    """Structure, cardinality, types and the forms of primitives of every resource."""
    bundles = [outcome.bundle for _, outcome in outcomes(shared) if isinstance(outcome, Converted)]
    assert len(bundles) > 400 and all(map(is_valid, bundles))
    command, environment = node("@medplum/core", "check_r4.mjs")
    done = subprocess.run(command, env=dict(environment), input=b"\n".join(map(dumps, bundles)), capture_output=True, timeout=300)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert [line for line in lines if not line.startswith("checked ")] == []
    assert int(lines[-1].split()[1]) > 4000
