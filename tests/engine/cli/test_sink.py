"""`flue sink`: a receiver for trying things out answers as a FHIR server would."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from engine.cli.sink import application

BUNDLE = {
    "resourceType": "Bundle",
    "type": "transaction",
    "identifier": {"value": "../C1"},
    "entry": [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {"resourceType": "Patient"},
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=a%7C1"},
        },
        {
            "fullUrl": "urn:uuid:2",
            "resource": {"resourceType": "Observation", "id": "2"},
            "request": {"method": "PUT", "url": "Observation/2"},
        },
    ],
}


def posted(folder: Path, *bodies: bytes) -> list[tuple[int, Any, str]]:
    """Status, answer and Location of each POST."""

    async def ask() -> list[tuple[int, Any, str]]:
        async with TestClient(TestServer(application(folder))) as client:
            replies = [await client.post("/fhir", data=body) for body in bodies]
            return [(reply.status, await reply.read(), reply.headers.get("Location", "")) for reply in replies]

    return asyncio.run(ask())


def test_a_transaction_is_answered_and_kept(tmp_path: Path) -> None:
    """An entry an entry; the same criterion gives the same id; the file's name never leaves the folder."""
    (first, second) = posted(tmp_path, *[json.dumps(BUNDLE).encode()] * 2)
    assert first == second and first[0] == 200
    entries = json.loads(first[1])["entry"]
    assert entries[0]["response"]["status"] == "201 Created" and entries[0]["response"]["location"].startswith("Patient/")
    assert entries[1]["response"] == {"status": "200 OK", "location": "Observation/2/_history/1"}
    assert [json.loads(file.read_text()) for file in tmp_path.iterdir()] == [BUNDLE]


def test_a_resource_alone_and_what_is_none(tmp_path: Path) -> None:
    """Created, with its Location; anything else is refused."""
    (created, listed, noise) = posted(tmp_path, b'{"resourceType":"Patient","identifier":[{"value":"1"}]}', b"[1]", b"noise")
    assert created[0] == 201 and created[2].startswith("/Patient/")
    assert (listed[0], noise[0]) == (400, 400)
