"""The engine's own API, asked as a program would ask it."""

from __future__ import annotations

import base64
import json

from tests.engine.laboratory import ADMISSION, NOBODYS, RESULT, Laboratory

AT_FAULT = (
    ("GET", "/v1/messages/99", None, 404, "there is no message 99"),
    ("GET", "/v1/messages?patient=4711", None, 400, "patient does not belong into a URL: POST /v1/messages/search"),
    ("GET", "/v1/messages?since=yesterday", None, 400, "since must be a date or time such as 2026-03-14T10:30:00Z"),
    ("GET", "/v1/messages?limit=0", None, 400, "limit must be at least 1"),
    ("GET", "/v1/messages?limit=1001", None, 400, "limit must be at most 1000"),
    ("GET", "/v1/messages?limit=many", None, 400, "limit must be a whole number"),
    ("POST", "/v1/messages/search", {"state": "sent"}, 400, "unknown search field state"),
    ("POST", "/v1/messages/search", {"status": "lost"}, 400, "status must be one of received, filtered"),
    ("POST", "/v1/messages/search", b"[1]", 400, "the body must be a JSON object"),
    ("POST", "/v1/messages/search", b"{", 400, "the body is not JSON"),
    ("POST", "/v1/messages/search", b"[" * 100_000, 400, "the body is not JSON"),
    ("POST", "/v1/replay", {}, 400, "ids or search must say which messages"),
    ("POST", "/v1/replay", {"ids": ["1"]}, 400, "ids must be whole numbers"),
    ("POST", "/v1/replay", {"ids": [True]}, 400, "ids must be whole numbers"),
    ("POST", "/v1/replay", {"ids": [10**30]}, 400, "ids must be whole numbers"),
    ("POST", "/v1/replay", {"ids": [1], "force": "yes"}, 400, "force must be true or false"),
    ("POST", "/v1/replay", {"ids": [1], "under": "yesterday"}, 400, "under must be `then` or `today`"),
    ("POST", "/v1/replay", {"ids": [1], "dryrun": True}, 400, "unknown field dryrun; known are ids, search"),
    ("POST", "/v1/replay", {"ids": [99]}, 404, "there is no message 99"),
    ("POST", "/v1/messages/1/retry", {"part": "0"}, 400, "part must be a whole number"),
    ("POST", "/v1/messages/99/dismiss", {}, 404, "there is no message 99"),
    ("POST", "/v1/messages/1/burn", {}, 404, "there is no action burn; known are retry, dismiss"),
    ("POST", "/v1/channels/nope/start", {}, 404, "there is no channel nope"),
    ("POST", "/v1/channels/lab/destinations/nope/pause", {}, 404, "channel lab has no open destination nope"),
    ("GET", "/v1/channels/nope/leftovers", None, 404, "there is no channel nope"),
    ("POST", "/v1/store/copy", {"target": "copy.db"}, 400, "target must be an absolute path"),
    ("POST", "/v1/store/copy", {"target": "/nowhere/at/all.db"}, 400, "target must be in a folder that is there"),
    ("POST", "/v1/store/copy", {"target": "/dev/null"}, 409, "target is there already"),
    ("DELETE", "/v1/messages/1", None, 405, "Method Not Allowed"),
    ("GET", "/v2", None, 404, "Not Found"),
)


def said(body: dict) -> str:
    """The sentence of an OperationOutcome."""
    assert body["resourceType"] == "OperationOutcome"
    return body["issue"][0]["diagnostics"]


def test_a_message_is_found_and_shown_whole(laboratory: Laboratory) -> None:
    """By what it holds; with its bytes, its answer, what was delivered and what the receiver said."""

    async def story() -> None:
        assert [await laboratory.send(message) for message in (RESULT, ADMISSION, b"nothing")] == ["AA", "AA", "AR"]
        await laboratory.settled()
        for search in (
            {"patient": "4711", "type": "ORU^R01^ORU_R01"},
            {"order": "F1"},
            {"control_id": "C1"},
            {"status": "sent", "since": "2026-01-01"},
        ):
            status, found = await laboratory.ask("POST", "/v1/messages/search", search)
            assert (status, [each["id"] for each in found["messages"]]) == (200, [1]), search
        _, listed = await laboratory.ask("GET", "/v1/messages?limit=2")
        assert [(each["id"], each["status"], each["answer"]) for each in listed["messages"]] == [(3, "error", "AR"), (2, "filtered", "AA")]
        assert listed["next"] == 2
        assert listed["messages"][0]["error"] == {"code": "100", "place": "MSH", "origin": "", "text": "what came does not begin with MSH"}
        _, rest = await laboratory.ask("GET", "/v1/messages?limit=2&before=2")
        assert [each["id"] for each in rest["messages"]] == [1] and rest["next"] is None

        status, shown = await laboratory.ask("GET", "/v1/messages/1")
        assert status == 200 and base64.b64decode(shown["content_base64"]) == RESULT
        assert (shown["sender"], shown["patients"], shown["orders"]) == ("LAB|HOSP", ["4711"], ["P1", "F1"])
        assert "\rMSA|AA|C1" in shown["answers"][0]
        (delivery,) = shown["deliveries"]
        assert (delivery["destination"], delivery["status"]) == ("repository", "sent")
        (file,) = (laboratory.folder / "out").iterdir()
        assert delivery["content"] == json.loads(file.read_text())

    laboratory.tell(story())


def test_a_request_at_fault_is_told_so(laboratory: Laboratory) -> None:
    """With the status and one sentence that says what would be right."""

    async def story() -> None:
        for method, path, body, status, sentence in AT_FAULT:
            found, outcome = await laboratory.ask(method, path, body)
            assert (found, said(outcome)[: len(sentence)]) == (status, sentence), (method, path)

    laboratory.tell(story())


def test_replay_links_to_the_original(laboratory: Laboratory) -> None:
    """A dry run shows what would leave and sends nothing; a replay is a message of its own, superseded where it is older."""

    async def story() -> None:
        await laboratory.send(RESULT)
        corrected = RESULT.replace(b"|C1|", b"|C2|").replace(b"|95|", b"|96|").replace(b"20260314102500", b"20260314112500")
        await laboratory.send(corrected)
        await laboratory.settled()
        _, tried = await laboratory.ask("POST", "/v1/replay", {"ids": [1], "dry_run": True})
        (output,) = tried["replayed"][0]["outputs"]
        assert tried["replayed"][0]["id"] is None
        assert (output["destination"], output["content"]["identifier"]["value"]) == ("repository", "C1")
        _, done = await laboratory.ask("POST", "/v1/replay", {"search": {"control_id": "C1"}, "destinations": ["repository"]})
        assert done["replayed"] == [{"original": 1, "id": 3, "status": "", "error": "", "released": "", "outputs": []}]
        await laboratory.settled()
        _, shown = await laboratory.ask("GET", "/v1/messages/3")
        assert shown["replay_of"] == 1 and [each["status"] for each in shown["deliveries"]] == ["superseded"]
        status, outcome = await laboratory.ask("POST", "/v1/replay", {"ids": [1], "destinations": ["nowhere"]})
        assert (status, said(outcome)) == (404, "there is no destination nowhere")

    laboratory.tell(story())


def test_what_is_held_waits_for_a_person(laboratory: Laboratory) -> None:
    """A result without a patient number is held; dismissed, it is settled for good."""

    async def story() -> None:
        assert await laboratory.send(NOBODYS) == "AA"
        await laboratory.settled()
        _, found = await laboratory.ask("POST", "/v1/messages/search", {"delivery_status": "held", "destination": "repository"})
        assert [each["status"] for each in found["messages"]] == ["held"]
        _, decided = await laboratory.ask("POST", "/v1/messages/1/dismiss", {"destination": "repository"})
        assert decided == {"deliveries": [{"message_id": 1, "destination": "repository", "part": 0, "was": "held"}]}
        _, again = await laboratory.ask("POST", "/v1/messages/1/dismiss", {})
        assert again == {"deliveries": []}

    laboratory.tell(story())


def test_channels_are_paused_started_and_read_again(laboratory: Laboratory) -> None:
    """Each answer says the state it led to; files that do not check are answered with their problems, and change nothing."""

    async def story() -> None:
        _, listed = await laboratory.ask("GET", "/v1/channels")
        (channel,) = listed["channels"]
        assert (channel["name"], channel["state"], channel["source"], channel["counts"]["connections"]) == ("lab", "started", "mllp", 0)
        for path, state in [
            ("pause", "paused"),
            ("start", "started"),
            ("destinations/repository/pause", "paused"),
            ("destinations/repository/start", "open"),
        ]:
            status, answer = await laboratory.ask("POST", f"/v1/channels/lab/{path}", {})
            assert (status, answer["state"]) == (200, state)
        good = (laboratory.folder / "channel.yaml").read_text()
        (laboratory.folder / "channel.yaml").write_text(good.replace("map_to_fhir", "map_to_fihr"))
        status, answer = await laboratory.ask("POST", "/v1/channels/reload", {})
        assert status == 422 and "unknown_step: No step is called `map_to_fihr` (did you mean `map_to_fhir`?)." in answer["problems"][0]
        _, health = await laboratory.ask("GET", "/health")
        assert [each["state"] for each in health["channels"]] == ["started"] and len(health["problems"]) == 1
        (laboratory.folder / "channel.yaml").write_text(good)
        assert await laboratory.ask("POST", "/v1/channels/reload", {}) == (200, {"problems": []})
        _, answer = await laboratory.ask("POST", "/v1/channels/lab/stop", {})
        assert answer["state"] == "stopped"

    laboratory.tell(story())


def test_health_and_metrics(laboratory: Laboratory) -> None:
    """A monitor sees that it lives, is ready, what waits where, and how senders behave; no patient stands in it."""

    async def story() -> None:
        await laboratory.send(RESULT)
        await laboratory.send(ADMISSION)
        await laboratory.settled()
        assert await laboratory.ask("GET", "/live") == (200, {"status": "live", "release": "0.1.0"})
        assert await laboratory.ask("GET", "/ready") == (200, {"ready": True, "store": "ok"})
        status, text = await laboratory.ask("GET", "/metrics")
        assert status == 200
        for line in (
            'flue_messages_received_total{channel="lab"} 2.0',
            'flue_messages_filtered_total{channel="lab"} 1.0',
            'flue_messages{channel="lab",status="received"} 0.0',
            'flue_messages{channel="lab",status="sent"} 1.0',
            'flue_destination_state{channel="lab",destination="repository",state="open"} 1.0',
            'flue_destination_in_memory{channel="lab",destination="repository"} 0.0',
            'flue_source_accepted_total{channel="lab"} 2.0',
            'flue_source_messages_total{channel="lab"} 2.0',
            'flue_source_refused_total{channel="lab"} 0.0',
        ):
            assert line in text.splitlines(), line
        assert "Keller" not in text and "4711" not in text

    laboratory.tell(story())


def test_the_store_is_copied_while_it_is_in_use(laboratory: Laboratory) -> None:
    """To a file of its own, which is never written over."""

    async def story() -> None:
        await laboratory.send(RESULT)
        await laboratory.settled()
        target = laboratory.folder / "copy.db"
        assert await laboratory.ask("POST", "/v1/store/copy", {"target": str(target)}) == (200, {"target": str(target)})
        assert target.stat().st_size > 10_000
        assert (await laboratory.ask("POST", "/v1/store/copy", {"target": str(target)}))[0] == 409
        _, counted = await laboratory.ask("GET", "/v1/store")
        assert counted == {"messages": [{"channel": "lab", "status": "sent", "count": 1}]}

    laboratory.tell(story())
