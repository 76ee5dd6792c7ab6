"""What people do with a running engine: deploy, change, pause, replay."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from engine.runtime.engine import Unknown
from engine.store.records import Query
from tests.engine.runtime.stage import CHANNEL, FAILING, SENT, Stage, oru

SetStage = Callable[..., Stage]
OTHER = """
channel: other
source: { handed: { name: other } }
destinations:
  - { name: repository, staged: { receiver: other } }
"""


def states(lab: Stage) -> dict[str, str]:
    return {view.name: view.state for view in lab.engine.channels()}


def test_a_broken_file_changes_nothing(stage: SetStage) -> None:
    """The channel goes on as it was; the problems are told with their places; the others take their changes."""
    lab = stage(CHANNEL, other=OTHER)
    assert states(lab) == {"lab": "started", "other": "started"}
    version = lab.engine.channel("lab").version.digest
    lab.write("channel.yaml", CHANNEL.replace("source", "sauce"))
    lab.write("channels/other.yaml", OTHER + "description: new\n")
    loading = lab.do(lab.engine.reload())
    assert loading.errors and "channel.yaml:3" in str(lab.engine.problems[0])
    assert states(lab) == {"lab": "started", "other": "started"}
    assert lab.engine.channel("lab").version.digest == version and lab.engine.channel("other").version.channel.description == "new"
    assert lab.send(oru("M1")) == ["AA"] and lab.send(oru("M2"), door="other") == ["AA"]


def test_a_file_that_is_gone_stops_its_channel(stage: SetStage) -> None:
    """And one that comes starts one."""
    lab = stage(CHANNEL, other=OTHER)
    (lab.folder / "channels" / "other.yaml").unlink()
    lab.write("channels/third.yaml", OTHER.replace("channel: other", "channel: third"))
    lab.do(lab.engine.reload())
    assert states(lab) == {"lab": "started", "third": "started"}


def test_a_change_of_steps_keeps_every_connection(stage: SetStage) -> None:
    """Neither the source nor a destination is opened again; what comes from now on is run by the new steps."""
    lab = stage(CHANNEL)
    door = lab.doors["door"]
    lab.write("channel.yaml", CHANNEL + "transform:\n  - set: { field: PID-8, to: new }\n")
    lab.do(lab.engine.reload())
    assert lab.doors["door"] is door and door.open and lab.receiver().opened == 1
    lab.send(oru("M1"))
    lab.wait(1)
    assert lab.receiver().outgoing[0].document.body.get("PID-8") == "new"


def test_a_change_of_a_destination_keeps_the_source(stage: SetStage) -> None:
    """What waits for the destination is delivered by the new one, in order; the senders notice nothing."""
    lab = stage(CHANNEL)
    door = lab.doors["door"]
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(oru("M1"), oru("M2"))
    lab.write("channel.yaml", CHANNEL.replace("staged: {}", "staged: { receiver: better }"))
    lab.do(lab.engine.reload())
    assert lab.doors["door"] is door and door.open and lab.receiver().closed == 1
    lab.send(oru("M3"))
    lab.wait(1)
    assert lab.receiver("better").taken == ["M1", "M2", "M3"] and set(lab.statuses()) == {"sent"}


def test_a_change_of_the_source_keeps_the_destinations(stage: SetStage) -> None:
    """Only the source is opened again."""
    lab = stage(CHANNEL)
    old = lab.doors["door"]
    lab.write("channel.yaml", CHANNEL.replace("handed: {}", "handed: { name: new }"))
    lab.do(lab.engine.reload())
    assert not old.open and lab.doors["new"].open and lab.receiver().opened == 1
    assert lab.send(oru("M1"), door="new") == ["AA"]


def test_a_port_in_use(stage: SetStage) -> None:
    """The channel fails and says why; the others run; it is tried again until the port is free."""
    lab = stage(CHANNEL)
    lab.ports_in_use = True
    lab.write("channels/other.yaml", OTHER)
    lab.do(lab.engine.reload())
    assert states(lab) == {"lab": "started", "other": "failed"}
    assert lab.engine.channels()[1].why == "the port is in use" and not lab.engine.health().ready
    lab.ports_in_use = False
    lab.wait(5)
    assert states(lab) == {"lab": "started", "other": "started"} and lab.engine.health().ready
    assert lab.send(oru("M1"), door="other") == ["AA"]


def test_a_destination_that_cannot_be_opened(stage: SetStage) -> None:
    """As with a port: failed, told, tried again."""
    lab = stage(CHANNEL)
    lab.receiver("other").fails_to_open = "no such certificate"
    lab.write("channels/other.yaml", OTHER)
    lab.do(lab.engine.reload())
    assert states(lab)["other"] == "failed"
    lab.receiver("other").fails_to_open = ""
    lab.wait(5)
    assert states(lab)["other"] == "started"


def test_pause_stop_start(stage: SetStage) -> None:
    """Paused, it takes nothing and delivers; stopped, it does neither; started, it goes on where it was."""
    lab = stage(CHANNEL)
    lab.do(lab.engine.pause_channel("lab"))
    assert lab.doors["door"].paused and states(lab) == {"lab": "paused"}
    lab.do(lab.engine.start_channel("lab"))
    assert not lab.doors["door"].paused
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(oru("M1"))
    lab.do(lab.engine.stop_channel("lab"))
    assert not lab.doors["door"].open and states(lab) == {"lab": "stopped"} and lab.receiver().closed == 1
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(100)
    assert lab.receiver().taken == []
    lab.do(lab.engine.start_channel("lab"))
    lab.wait(1)
    assert lab.receiver().taken == ["M1"]
    with pytest.raises(Unknown):
        lab.do(lab.engine.stop_channel("nobody"))


def test_a_paused_channel_stays_paused_when_its_files_change(stage: SetStage) -> None:
    """A deployment is no order to start."""
    lab = stage(CHANNEL)
    lab.do(lab.engine.pause_channel("lab"))
    lab.write("channel.yaml", CHANNEL.replace("handed: {}", "handed: { name: new }"))
    lab.do(lab.engine.reload())
    assert states(lab) == {"lab": "paused"} and lab.doors["new"].paused
    lab.do(lab.engine.start_channel("lab"))
    assert states(lab) == {"lab": "started"} and not lab.doors["new"].paused


def test_a_stopped_engine_has_settled_everything(stage: SetStage) -> None:
    """What is under way is waited for; what is not is left for the next start."""
    lab = stage(CHANNEL)
    lab.send(oru("M1"))
    lab.do(lab.engine.stop())
    assert lab.statuses() == ["sent"] and states(lab) == {"lab": "stopped"}


def test_replay(stage: SetStage) -> None:
    """A replay is a message of its own, linked to the original, and goes where it should."""
    lab = stage(CHANNEL.replace("destinations:\n", "destinations:\n  - { name: archive, staged: { receiver: archive } }\n"))
    lab.send(oru("M1"), oru("M2", "P2"), oru("M3"))
    lab.wait(1)
    (done,) = lab.do(lab.engine.replay([2], destinations=["archive"]))
    lab.wait(1)
    assert (done.original, done.id) == (2, 4)
    assert lab.receiver("archive").taken[-1] == "M2" and len(lab.receiver("archive").taken) == 4 and len(lab.receiver().taken) == 3
    message = lab.do(lab.sqlite.message(4))
    assert message.replay_of == 2 and message.status.value == "sent" and message.destinations == ("archive",)
    again = lab.do(lab.engine.replay(query=Query(patient="P1")))
    lab.wait(1)
    assert [each.original for each in again] == [1, 3] and lab.receiver().taken[-2:] == ["M1", "M3"]
    assert lab.do(lab.engine.replay([4]))[0].id and lab.do(lab.sqlite.message(7)).replay_of == 2  # linked to the first, always
    with pytest.raises(Unknown):
        lab.do(lab.engine.replay([99]))
    with pytest.raises(KeyError):
        lab.do(lab.engine.replay([1], destinations=["nowhere"]))


def test_replay_under_the_version_of_the_day_or_todays(stage: SetStage) -> None:
    """By default a message is run as on its day."""
    lab = stage(CHANNEL + "transform:\n  - set: { field: PID-8, to: then }\n")
    lab.send(oru("M1"))
    lab.wait(1)
    lab.write("channel.yaml", CHANNEL + "transform:\n  - set: { field: PID-8, to: today }\n")
    lab.do(lab.engine.reload())
    lab.do(lab.engine.replay([1]))
    lab.do(lab.engine.replay([1], under="today"))
    lab.wait(1)
    assert [each.document.body.get("PID-8") for each in lab.receiver().outgoing] == ["then", "then", "today"]


def test_a_replay_is_run_as_of_the_day_the_original_came(stage: SetStage) -> None:
    """So that it gives the same, also when the engine dies over it."""
    lab = stage(CHANNEL)
    lab.send(oru("M1"))
    lab.wait(1000)
    lab.do(lab.engine.replay([1]))
    lab.receiver().answer = lambda outgoing: FAILING
    lab.wait(1)
    lab.do(lab.engine.replay([1]))
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(100)
    assert len(lab.receiver().taken) == 3
    assert len({each.document.context.received for each in lab.receiver().outgoing}) == 1


def test_a_dry_run_sends_nothing(stage: SetStage) -> None:
    """It shows what would leave, and keeps nothing."""
    lab = stage(CHANNEL + "transform: [go_wrong]\n")
    lab.send(oru("M1"), oru("M2", how="refuse"), oru("M3", how="hold"))
    lab.wait(1)
    good, wrong, held = lab.do(lab.engine.replay([1, 2, 3], dry_run=True))
    assert (good.id, good.outputs[0].destination, good.outputs[0].content) == (0, "repository", oru("M1"))
    assert wrong.status == "error" and wrong.error.startswith("PID-8: ") and "channel.yaml:6" in wrong.error
    assert held.outputs[0].hold == "invalid"
    lab.wait(1)
    assert lab.receiver().taken == ["M1"] and len(lab.messages()) == 3


def test_the_error_is_mended_and_the_message_replayed(stage: SetStage) -> None:
    """What was kept as an error goes out after the fix."""
    lab = stage(CHANNEL + "transform: [go_wrong]\n")
    assert lab.send(oru("M1", how="refuse")) == ["AE"]
    lab.write("channel.yaml", CHANNEL)
    lab.do(lab.engine.reload())
    lab.do(lab.engine.replay(query=Query(status="error"), under="today"))
    lab.wait(1)
    assert lab.receiver().taken == ["M1"] and lab.statuses() == ["error", "sent"]


def test_health_can_be_shown_as_json(stage: SetStage) -> None:
    """Doors only translate."""
    from dataclasses import asdict

    lab = stage(CHANNEL)
    shown = json.loads(json.dumps(asdict(lab.engine.health())))
    assert shown["ready"] and shown["channels"][0]["destinations"][0]["state"] == "open"
