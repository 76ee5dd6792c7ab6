"""Merges over HTTP and on the command line: listed, looked at, taken back."""

from __future__ import annotations

import json

import pytest

from tests.engine.cli.conftest import Flue, flue  # noqa: F401 - a fixture
from tests.engine.laboratory import CHANNEL, RESULT, Laboratory

MERGE = (
    b"MSH|^~\\&|LAB|HOSP|FLUE|CLINIC|20260314110000+0100||ADT^A40^ADT_A39|M1|P|2.5.1\rEVN|A40|20260314110000+0100\r"
    b"PID|1||4712^^^HOSP^MR||Keller^Ana\rMRG|4711^^^HOSP^MR||||||Keler^Ana\r"
)


@pytest.fixture
def registry(laboratory: Laboratory) -> Laboratory:
    """An engine that takes administrative messages too."""
    (laboratory.folder / "channel.yaml").write_text(CHANNEL.replace("filter:\n  - equals: { field: MSH-9.1, to: ORU }\n", ""))
    return laboratory


def test_a_merge_and_back(registry: Laboratory, flue: Flue) -> None:  # noqa: F811
    """Listed with its message; taken back by a message of its own, after a look at what that sends."""

    async def story() -> None:
        assert await registry.ask("GET", "/v1/merges") == (200, {"merges": []})
        assert [await registry.send(each) for each in (RESULT, MERGE)] == ["AA", "AA"]
        await registry.settled()
        status, body = await registry.ask("GET", "/v1/merges")
        (merge,) = body["merges"]
        assert status == 200 and merge["id"] == 2 and merge["status"] == "sent" and merge["undone"] is None
        assert merge["prior"] == {"system": "https://site.example/id/HOSP/HOSP", "value": "4711"} and merge["survivor"]["value"] == "4712"
        looked = await registry.flue("merges", "undo", "2", "--dry-run")
        assert looked.exit_code == 0 and json.loads(looked.stdout)["entry"][0]["request"]["method"] == "PATCH"
        assert "would stand for itself again" in looked.stderr
        done = await registry.flue("merges", "undo", "2")
        assert (done.exit_code, done.stdout) == (0, "message 3 takes it back\n")
        await registry.settled()
        assert (await registry.ask("GET", "/v1/merges"))[1]["merges"][0]["undone"] == 3
        assert (await registry.ask("GET", "/v1/messages/3"))[1]["replay_of"] == 2
        again = await registry.flue("merges", "undo", "2")
        assert (again.exit_code, again.stderr) == (1, "message 2 merged nothing that is in force\n")
        status, body = await registry.ask("POST", "/v1/merges/2/undo", {"dryrun": True})
        assert status == 400

    registry.tell(story())
    listed = flue("merges", "list", "--conf", registry.folder)
    assert listed.exit_code == 0 and "4711 (HOSP)" in listed.stdout and listed.stdout.splitlines()[1].split()[0] == "2"
    assert json.loads(flue("merges", "list", "--json", "--conf", registry.folder).stdout)["undone"] == 3
