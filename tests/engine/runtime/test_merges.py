"""Merges in a running engine: both lanes, later messages of either number, crashes, circles, taking back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from channels.message import Outcome, Outgoing, RawMessage
from engine.runtime.engine import Unknown
from tests.engine.runtime.stage import FAILING, REFUSED, SENT, Stage, oru
from transforms.hl7.acknowledgment import read_acknowledgment

SetStage = Callable[..., Stage]

CHANNEL = """
channel: lab
source: { handed: {} }
identity: { base: "https://site.example/id", secret: "${env:FLUE_NOWHERE:-of tests}" }
transform: [map_to_fhir]
destinations:
  - { name: repository, staged: {}, retry: { attempts: 3, first: 1s, longest: 60s } }
"""
PLAIN = """
channel: lab
source: { handed: {} }
identity: { base: "https://site.example/id", secret: "${env:FLUE_NOWHERE:-of tests}" }
destinations:
  - { name: repository, staged: {}, retry: { attempts: 3, first: 1s, longest: 60s } }
"""


def a40(control_id: str, prior: str, survivor: str, event: str = "A40") -> bytes:
    return (
        f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304050607+0000||ADT^{event}^ADT_A39|{control_id}|P|2.5.1\rEVN|{event}|20260304050607+0000\r"
        f"PID|1||{survivor}^^^HOSP^MR||DOE^JANE\rMRG|{prior}^^^HOSP^MR||||||DOE^JAYNE\r"
    ).encode()


def subject(outgoing: Outgoing) -> str:
    """The number of the patient whom a result that left is about."""
    body: Any = outgoing.document.body
    (patient,) = [entry for entry in body["entry"] if entry["resource"]["resourceType"] == "Patient"]
    assert len(patient["resource"]["identifier"]) == 1
    return patient["resource"]["identifier"][0]["value"]


def subjects(lab: Stage) -> dict[str, str]:
    """Control id -> patient, of the results that left."""
    return {each.control_id: subject(each) for each in lab.receiver().outgoing if each.control_id.startswith("R")}


def test_results_of_either_number_before_and_after(stage: SetStage) -> None:
    """Before the merge each its own; after it both are the survivor's, a correction of an earlier result too."""
    lab = stage(CHANNEL)
    assert lab.send(oru("R1", "A"), oru("R2", "B"), a40("M1", "A", "B"), oru("R3", "A"), oru("R4", "B")) == ["AA"] * 5
    correction = oru("R5", "A").replace(b"FILR5", b"FILR1").replace(b"ORDR5", b"ORDR1").replace(b"050607", b"060607")
    assert lab.send(correction) == ["AA"]
    lab.wait(1)
    assert subjects(lab) == {"R1": "A", "R2": "B", "R3": "B", "R4": "B", "R5": "B"}
    assert lab.statuses() == ["sent"] * 6


@pytest.mark.parametrize("event", ["A40", "A43", "A44", "A45"])
@pytest.mark.parametrize("channel", [CHANNEL, PLAIN, PLAIN.replace("staged: {},", "staged: {}, lane: PID-3.1,")])
def test_a_merge_or_move_takes_both_lanes(stage: SetStage, channel: str, event: str) -> None:
    """It waits for what is before it in either lane, and what comes after it waits for it; other patients go on."""
    lab = stage(channel)
    held: dict[str, asyncio.Future[Outcome]] = {}

    async def answer(outgoing: Outgoing) -> Outcome:
        if outgoing.control_id in ("RA1", "RB1", "M1"):
            held[outgoing.control_id] = lab.loop.create_future()
            return await held[outgoing.control_id]
        return SENT

    lab.receiver().answer = answer
    lab.send(oru("RA1", "A"), oru("RB1", "B"), a40("M1", "A", "B", event), oru("RA2", "A"), oru("RB2", "B"), oru("RC1", "C"))
    lab.wait(1)
    assert lab.receiver().sent == ["RA1", "RB1", "RC1"]
    held["RB1"].set_result(SENT)
    lab.wait(1)
    assert "M1" not in lab.receiver().sent
    held["RA1"].set_result(SENT)
    lab.wait(1)
    assert lab.receiver().sent[3:] == ["M1"]
    held["M1"].set_result(FAILING)
    lab.wait(0.5)
    assert lab.receiver().taken == ["RC1", "RB1", "RA1"]
    lab.wait(70)
    held["M1"].set_result(SENT)
    lab.wait(70)
    assert sorted(lab.receiver().taken[4:]) == ["RA2", "RB2"] and lab.receiver().taken[3] == "M1"
    assert lab.statuses() == ["sent"] * 6


def test_a_merge_that_is_given_up(stage: SetStage) -> None:
    """What came after it for either number waits for a person."""
    lab = stage(CHANNEL)
    lab.receiver().answer = lambda outgoing: REFUSED if outgoing.control_id == "M1" else SENT
    lab.send(a40("M1", "A", "B"), oru("R1", "A"), oru("R2", "B"), oru("R3", "C"))
    lab.wait(1)
    assert lab.receiver().taken == ["R3"]
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(1)
    assert lab.receiver().taken == ["R3"]
    lab.do(lab.engine.retry(1))
    lab.wait(1)
    assert lab.receiver().taken == ["R3", "M1", "R1", "R2"] and subjects(lab) == {"R1": "B", "R2": "B", "R3": "C"}


def test_a_dead_letter_of_the_prior_number(stage: SetStage) -> None:
    """The merge does not wait for a person, nor does anybody wait for ever."""
    lab = stage(CHANNEL)
    lab.receiver().answer = lambda outgoing: REFUSED if outgoing.control_id == "R1" else SENT
    lab.send(oru("R1", "A"), oru("R2", "A"), a40("M1", "A", "B"), oru("R3", "A"))
    lab.wait(1)
    assert lab.receiver().taken == ["M1", "R3"]
    lab.receiver().answer = lambda outgoing: SENT
    lab.do(lab.engine.retry(1))
    lab.wait(1)
    assert sorted(lab.receiver().taken) == ["M1", "R1", "R2", "R3"] and set(lab.statuses()) == {"sent"}


def test_after_a_crash_each_message_stands_where_it_stood(stage: SetStage) -> None:
    """What was received before the merge is made without it, what came after it with it: byte for byte as before."""
    lab = stage(CHANNEL)
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(oru("R1", "A"), a40("M1", "A", "B"), oru("R2", "A"))
    lab.wait(1)
    lab.restart()
    lab.receiver().outgoing.clear()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(200)
    assert subjects(lab) == {"R1": "A", "R2": "B"} and lab.receiver().taken == ["R1", "M1", "R2"]
    lab.do(lab.engine.replay([1]))
    lab.wait(1)
    assert subjects(lab)["R1"] == "B"  # a replay is a message of today


def test_messages_that_come_together(stage: SetStage) -> None:
    """Those behind a merge on the same connection are read by the new table, in their order."""
    lab = stage(CHANNEL)
    messages = [oru("R0", "A"), a40("M1", "A", "B"), oru("R1", "A"), a40("M2", "B", "C"), oru("R2", "A"), oru("R3", "B")]
    assert lab.send(*messages) == ["AA"] * 6
    lab.wait(1)
    assert [each.control_id for each in lab.messages()] == ["R0", "M1", "R1", "M2", "R2", "R3"]
    assert subjects(lab) == {"R0": "A", "R1": "B", "R2": "C", "R3": "C"}


def test_a_batch_with_a_merge_in_it(stage: SetStage) -> None:
    """What follows it in the batch is read by the new table."""
    lab = stage(CHANNEL)
    lab.responses(b"BHS|^~\\&|LAB\r" + oru("R1", "A") + a40("M1", "A", "B") + oru("R2", "A") + b"BTS|3\r")
    lab.wait(1)
    assert subjects(lab) == {"R1": "A", "R2": "B"}


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_merges_and_results(stage: SetStage, seed: int) -> None:
    """Through two channels at once, crashing in the middle: each result is of whom the merges received before it say."""
    chance = random.Random(seed)
    lab = stage(CHANNEL, other=CHANNEL.replace("channel: lab", "channel: other").replace("handed: {}", "handed: { name: second }"))
    lab.receiver().answer = lambda outgoing: FAILING
    people, into = "ABCDEF", dict[str, str]()

    def message(number: int) -> bytes:
        one, other = chance.sample(people, 2)
        return a40(f"M{number}", one, other) if chance.random() < 0.3 else oru(f"R{number}", one)

    async def sent() -> None:
        tasks = []
        for number in range(40):
            door = lab.doors[chance.choice(["door", "second"])]
            tasks.append(lab.loop.create_task(door.receive(RawMessage(message(number), lab.now(), "lis:1"))))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    lab.do(sent())
    expected = {}
    for found in lab.messages():
        whole = lab.do(lab.sqlite.message(found.id)).content.decode()
        patient, prior = whole.split("PID|1||")[1][0], whole.partition("MRG|")[2][:1]
        for each in lab.engine.merges.of(found.id):
            into[each.merge.prior[1]] = each.merge.survivor[1]
        while patient in into and not prior:
            patient = into[patient]
        expected[found.control_id] = patient
    lab.restart()
    lab.receiver().outgoing.clear()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(600)
    assert subjects(lab) == {name: patient for name, patient in expected.items() if name.startswith("R")}
    assert set(lab.statuses()) <= {"sent", "error"}


@pytest.mark.parametrize("listed", [b"B^^^HOSP^MR~A^^^HOSP^MR", b"A^^^HOSP^MR~B^^^HOSP^MR"])
def test_a_survivor_that_is_called_by_both_numbers(stage: SetStage, listed: bytes) -> None:
    """In the merge and after it: the survivor has its own number only, and the prior one is not active."""
    lab = stage(CHANNEL)
    both = b"|" + listed + b"|"
    lab.send(a40("M1", "A", "B").replace(b"|B^^^HOSP^MR|", both), oru("R1", "A").replace(b"|A^^^HOSP^MR|", both))
    lab.wait(1)
    assert subjects(lab) == {"R1": "B"}
    merge = next(each for each in lab.receiver().outgoing if each.control_id == "M1").document.body
    patients = [entry["resource"] for entry in merge["entry"] if entry["resource"]["resourceType"] == "Patient"]
    assert sorted(([each["value"] for each in one["identifier"]], one.get("active", True)) for one in patients) == [(["A"], False), (["B"], True)]
    assert all(len(one["link"]) == 1 for one in patients)


def test_a_circle_is_refused(stage: SetStage) -> None:
    """AE, with the place; nothing changes."""
    lab = stage(CHANNEL)
    lab.send(a40("M1", "A", "B"))
    (response,) = lab.responses(a40("M2", "B", "A"))
    said = read_acknowledgment(response.contents[0])
    assert (said.code, said.error_code, said.error_place) == ("AE", "205", "MRG-1") and "undo that merge first" in said.text
    lab.send(oru("R1", "B"))
    lab.wait(1)
    assert subjects(lab) == {"R1": "B"} and lab.statuses() == ["sent", "error", "sent"]
    assert len(lab.engine.merges.rows) == 1


def test_a_merge_that_comes_again(stage: SetStage) -> None:
    """As a duplicate, with another control id, or replayed: it is one merge."""
    lab = stage(CHANNEL)
    assert lab.send(a40("M1", "A", "B"), a40("M1", "A", "B"), a40("M2", "A", "B")) == ["AA"] * 3
    lab.wait(1)
    lab.do(lab.engine.replay([1], force=True))
    lab.wait(1)
    assert len(lab.engine.merges.rows) == 1 and lab.statuses() == ["sent"] * 3


@pytest.mark.parametrize("more", ["filter: [ { equals: { field: MSH-9.1, to: ORU } } ]\n", ""])
def test_what_the_channel_does_not_want_merges_nothing(stage: SetStage, more: str) -> None:
    """A merge that is filtered is none here; a store that does not keep it neither."""
    lab = stage(CHANNEL + more)
    lab.store.down = not more
    lab.send(a40("M1", "A", "B"))
    lab.store.down = False
    lab.send(oru("R1", "A"))
    lab.wait(1)
    assert subjects(lab) == {"R1": "A"} and not lab.engine.merges.rows


def test_taking_a_merge_back(stage: SetStage) -> None:
    """First what would be sent, then a message that sends it; from then on the numbers stand for themselves, after a crash too."""
    lab = stage(CHANNEL)
    lab.send(a40("M1", "A", "B"), oru("R1", "A"))
    lab.wait(1)
    (view,) = lab.do(lab.engine.merged())
    assert (view.id, view.channel, view.status, view.undone) == (1, "lab", "sent", 0)
    assert (view.row.merge.prior[1], view.row.merge.survivor[1]) == ("A", "B")
    planned = lab.do(lab.engine.undo_merge(1, dry_run=True))
    assert planned.id == 0 and b'"PATCH"' in planned.outputs[0].content and len(lab.messages()) == 2
    lab.receiver().answer = lambda outgoing: FAILING
    done = lab.do(lab.engine.undo_merge(1))
    lab.send(oru("R2", "A"))
    lab.wait(1)
    lab.restart()
    lab.receiver().outgoing.clear()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(200)
    first = next(each for each in lab.receiver().outgoing if each.message_id == done.id)
    assert {entry["request"]["method"] for entry in first.document.body["entry"]} == {"PATCH"}
    assert subjects(lab) == {"R2": "A"} and lab.statuses() == ["sent"] * 4
    with pytest.raises(Unknown, match="nothing that is in force"):
        lab.do(lab.engine.undo_merge(1))
    lab.do(lab.engine.replay([1], force=True))
    lab.send(oru("R3", "A"))
    lab.wait(1)
    assert subjects(lab)["R3"] == "B" and [view.undone for view in lab.do(lab.engine.merged())] == [0, done.id]


def test_a_result_of_before_is_no_conflict_after_the_undo(stage: SetStage) -> None:
    """It was the survivor's for a while: that its number is known with another patient, is the merge's doing."""
    lab = stage(CHANNEL)

    def version(control_id: str, hour: str) -> bytes:
        content = oru(control_id, "A").replace(f"FIL{control_id}".encode(), b"FIL1").replace(f"ORD{control_id}".encode(), b"ORD1")
        return content.replace(b"0304050607", b"0304%b0607" % hour.encode())

    lab.send(version("R1", "05"), a40("M1", "A", "B"), version("R2", "06"))
    lab.wait(1)
    lab.do(lab.engine.undo_merge(2))
    lab.send(version("R3", "07"))
    lab.wait(1)
    assert subjects(lab) == {"R1": "A", "R2": "B", "R3": "A"} and set(lab.statuses()) == {"sent"}


def test_a_sender_who_leaves_while_a_merge_is_written(stage: SetStage) -> None:
    """It is in force all the same, for it is durable; nobody waits for ever."""
    lab = stage(CHANNEL)

    async def left() -> None:
        task = lab.loop.create_task(lab.doors["door"].receive(RawMessage(a40("M1", "A", "B"), lab.now(), "lis:1")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    lab.do(left())
    lab.send(oru("R1", "A"))
    lab.wait(1)
    assert len(lab.engine.merges.rows) == 1 and subjects(lab) == {"R1": "B"}
