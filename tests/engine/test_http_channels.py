"""Channels with HTTP at their ends, in a whole engine: what comes over HTTP is stored, delivered and replayed as what comes over MLLP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp

from engine.store.records import MessageRow, Query
from tests.engine.laboratory import RESULT, Laboratory

PATIENT = b'{"resourceType":"Patient","id":"p1","active":true}'


def declare(laboratory: Laboratory, content: str, steps: str = "[]", name: str = "{{ message_id }}.out", more: str = "") -> None:
    (laboratory.folder / "channel.yaml").write_text(
        f"""
channel: web
source:
  http: {{ listen: "tcp:0:interface=127.0.0.1", path: /in, content: {content}, keep_headers: [X-Lab] {more} }}
identity: {{ base: "https://site.example/id", secret: "${{env:FLUE_IDENTITY_SECRET:-for tests}}" }}
transform: {steps}
destinations:
  - name: repository
    file: {{ folder: out, name: "{name}" }}
"""
    )


async def post(laboratory: Laboratory, body: bytes, path: str = "/in", **headers: str) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{laboratory.engine.channels()[0].port}{path}"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=sent) as reply:
        return reply.status, await reply.read()


def made(laboratory: Laboratory) -> list[Path]:
    return sorted((laboratory.folder / "out").glob("[!.]*"))


async def only(laboratory: Laboratory) -> MessageRow:
    (row,) = await laboratory.engine.store.search(Query())
    found = await laboratory.engine.store.message(row.id)
    assert found is not None
    return found


def test_hl7_over_http_is_hl7(laboratory: Laboratory) -> None:
    """Converted, answered with an AA; the same again gets the same answer and makes nothing."""
    declare(laboratory, "hl7", "[map_to_fhir, validate]")

    async def story() -> None:
        status, answer = await post(laboratory, RESULT, Content_Type="x-application/hl7-v2+er7")
        assert status == 200 and b"\rMSA|AA|C1" in answer
        assert await post(laboratory, RESULT, Content_Type="x-application/hl7-v2+er7") == (200, answer)
        await laboratory.settled()
        (file,) = made(laboratory)
        assert json.loads(file.read_bytes())["resourceType"] == "Bundle"
        assert "4711" in (await only(laboratory)).keys.patients

    laboratory.tell(story())


def test_what_is_no_hl7_is_refused_and_kept(laboratory: Laboratory) -> None:
    """400 with an AR that has no control id; the bytes can be found."""
    declare(laboratory, "hl7", "[map_to_fhir]")

    async def story() -> None:
        status, answer = await post(laboratory, b"nothing", Content_Type="text/plain")
        assert status == 400 and b"\rMSA|AR|" in answer
        await laboratory.settled()
        row = await only(laboratory)
        assert (row.status.value, row.content) == ("error", b"nothing")

    laboratory.tell(story())


def test_fhir_in_is_fhir_out(laboratory: Laboratory) -> None:
    """A resource is validated and delivered; an invalid one is held; what is no resource is 400."""
    declare(laboratory, "fhir", "[validate]")

    async def story() -> None:
        status, answer = await post(laboratory, PATIENT, Content_Type="application/fhir+json")
        assert status == 200 and json.loads(answer)["issue"][0]["severity"] == "information"
        await laboratory.settled()
        assert [file.read_bytes() for file in made(laboratory)] == [PATIENT]
        for body, place in ((b"{", "$this"), (b'{"resourceType":5}', "$this"), (b"[]", "$this")):
            status, answer = await post(laboratory, body, Content_Type="application/json")
            issue = json.loads(answer)["issue"][0]
            assert status == 400 and issue["severity"] == "fatal" and issue["location"] == [place]
        await post(laboratory, b'{"resourceType":"Patient","gender":"?"}', Content_Type="application/fhir+json")
        await laboratory.settled()
        assert len(made(laboratory)) == 1

    laboratory.tell(story())


def test_equal_documents_are_two(laboratory: Laboratory) -> None:
    """Nothing in a document that is no HL7 says that it is the same one again."""
    declare(laboratory, "any")

    async def story() -> None:
        for _ in range(2):
            assert (await post(laboratory, b"%PDF", Content_Type="application/pdf"))[0] == 200
        await laboratory.settled()
        assert [file.read_bytes() for file in made(laboratory)] == [b"%PDF", b"%PDF"]

    laboratory.tell(story())


def test_how_it_came_is_kept_and_there_when_it_is_replayed(laboratory: Laboratory) -> None:
    """Method, path, query, media type and the headers asked for, also in the store."""
    declare(laboratory, "any")
    expected: dict[str, Any] = {"method": "POST", "path": "/in/x", "query": "a=1", "media_type": "text/csv", "header.x-lab": "7"}

    async def story() -> None:
        await post(laboratory, b"a,b", "/in/x?a=1", Content_Type="text/csv", X_Lab="7", X_Other="8")
        await laboratory.settled()
        first = await only(laboratory)
        assert first.about == expected
        status, answer = await laboratory.ask("POST", "/v1/replay", {"ids": [first.id]})
        assert status in (200, 202), answer
        await laboratory.settled()
        rows = await laboratory.engine.store.search(Query())
        assert len(rows) == 2 and rows[0].replay_of == first.id and rows[0].about == expected
        assert len(made(laboratory)) == 2

    laboratory.tell(story())


def test_a_batch_over_http(laboratory: Laboratory) -> None:
    """Its messages are kept one by one, and a batch of acknowledgments is the answer."""
    declare(laboratory, "hl7", "[map_to_fhir]")
    second = RESULT.replace(b"|C1|", b"|C2|").replace(b"|F1^LAB|", b"|F2^LAB|")

    async def story() -> None:
        status, answer = await post(laboratory, b"BHS|^~\\&|LAB\r" + RESULT + second + b"BTS|2\r", Content_Type="text/plain")
        assert status == 200 and answer.startswith(b"BHS|") and answer.endswith(b"\rBTS|2\r")
        assert b"\rMSA|AA|C1\r" in answer and b"\rMSA|AA|C2\r" in answer
        await laboratory.settled()
        assert len(made(laboratory)) == 2

    laboratory.tell(story())
