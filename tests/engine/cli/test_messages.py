"""Commands about messages, beside a running engine and without one: both show the same."""

from __future__ import annotations

import csv
import json
import socket
from pathlib import Path

import pytest

from tests.engine.cli.conftest import Flue
from tests.engine.laboratory import ADMISSION, NOBODYS, RESULT, Laboratory


@pytest.fixture
def stored(laboratory: Laboratory) -> Path:
    """The folder of an engine that has stopped: a result, an admission, noise, and a result of nobody's."""

    async def story() -> None:
        assert [await laboratory.send(each) for each in (RESULT, ADMISSION, b"noise\x1b[2J", NOBODYS)] == ["AA", "AA", "AR", "AA"]
        await laboratory.settled()

    laboratory.tell(story())
    return laboratory.folder


def columns(stdout: str) -> list[list[str]]:
    """A table's rows, cut where two blanks stand; empty cells fall out."""
    return [[cell for cell in (piece.strip() for piece in line.split("  ")) if cell] for line in stdout.splitlines()]


def test_messages_are_listed(flue: Flue, stored: Path) -> None:
    """Newest first, each with what became of it and why."""
    done = flue("messages", "list", "--conf", stored)
    rows = columns(done.stdout)
    assert rows[0] == ["id", "received", "channel", "type", "control id", "status", "answer", "why"]
    assert [[row[0], *row[2:]] for row in rows[1:]] == [
        ["4", "lab", "ORU^R01^ORU_R01", "N1", "held", "AA"],
        ["3", "lab", "error", "AR", "MSH: what came does not begin with MSH (100)"],
        ["2", "lab", "ADT^A01", "A1", "filtered", "AA", f"filtered by equals ({stored}/channel.yaml:8)"],
        ["1", "lab", "ORU^R01^ORU_R01", "C1", "sent", "AA"],
    ]
    paged = flue("messages", "list", "--conf", stored, "--limit", 2)
    assert (paged.exit_code, paged.stderr) == (0, "there are more: --before 3\n")
    assert [row[0] for row in columns(flue("messages", "list", "--conf", stored, "--before", 3).stdout)[1:]] == ["2", "1"]


def test_messages_are_searched(flue: Flue, stored: Path) -> None:
    """By patient, order, status, delivery; as JSON lines for programs."""
    for option, value, found in [
        ("--patient", "4711", [2, 1]), ("--order", "F1", [4, 1]), ("--status", "error", [3]), ("--delivery-status", "held", [4]),
        ("--control-id", "A1", [2]), ("--type", "ADT^A01", [2]), ("--until", "2020-01-01", []),
    ]:  # fmt: skip
        done = flue("messages", "search", option, value, "--conf", stored, "--json")
        assert (done.exit_code, [json.loads(line)["id"] for line in done.stdout.splitlines()]) == (0, found), option
    assert flue("messages", "search", "--until", "2020-01-01", "--conf", stored).stderr == "no message is found\n"


def test_a_message_is_shown_as_a_tree(flue: Flue, stored: Path) -> None:
    """Names of segments and fields, the answer, the delivery; only the bytes where those are asked for."""
    done = flue("messages", "show", 1, "--conf", stored)
    lines = done.stdout.splitlines()
    for line in (
        "status     sent",
        "PID  Patient",
        "  PID-5       Patient Name                       Keller^Ana",
        "  OBX-3       Observation Identifier             2345-7^Glucose^LN",
        "  OBX-5       Observation Value                  95",
        "answered",
        "  MSA|AA|C1",
    ):
        assert line in lines, line
    assert [line for line in lines if line.startswith("to repository  sent")]
    assert flue("messages", "show", 1, "--conf", stored, "--raw").stdout_bytes == RESULT
    assert json.loads(flue("messages", "show", 1, "--conf", stored, "--json").stdout)["patients"] == ["4711"]
    held = flue("messages", "show", 4, "--conf", stored).stdout
    assert "to repository  held  no_patient_id" in held


def test_the_tree_has_the_names_that_the_site_gives(flue: Flue, laboratory: Laboratory) -> None:
    """Those of the version the message came in under: from a file among the maps, and from the channel."""
    (laboratory.folder / "maps").mkdir()
    (laboratory.folder / "maps" / "local.yaml").write_text("segments: { ZLR: { name: Routing, fields: { 2: { name: Laboratory, type: XON } } } }\n")
    channel = laboratory.folder / "channel.yaml"
    channel.write_text(channel.read_text() + "segments: { PID: { fields: { 40: Ward Colour } } }\n")

    async def story() -> None:
        patient = b"4711^^^HOSP^MR||Keller^Ana"
        assert await laboratory.send(RESULT.replace(patient, patient + b"|" * 35 + b"blue") + b"ZLR||South\r") == "AA"
        await laboratory.settled()

    laboratory.tell(story())
    lines = flue("messages", "show", 1, "--conf", laboratory.folder).stdout.splitlines()
    for line in ("ZLR  Routing", "  ZLR-2       Laboratory                         South", "  PID-40      Ward Colour                        blue"):
        assert line in lines, line


def test_bytes_do_not_steer_the_terminal(flue: Flue, stored: Path) -> None:
    """What is no HL7 is shown, not obeyed."""
    done = flue("messages", "show", 3, "--conf", stored)
    assert "9 bytes that are not readable as HL7: what came does not begin with MSH" in done.stdout
    assert "\x1b" not in done.stdout and "noise\\x1b[2J" in done.stdout


def test_the_ledger_and_the_store(flue: Flue, stored: Path) -> None:
    """What nobody read; how much there is; a copy; exports that other tools read."""
    assert flue("channels", "leftovers", "lab", "--conf", stored).exit_code == 0
    assert columns(flue("store", "info", "--conf", stored).stdout)[1:] == [
        ["lab", "error", "1"], ["lab", "filtered", "1"], ["lab", "held", "1"], ["lab", "sent", "1"],
    ]  # fmt: skip
    assert flue("store", "backup", stored / "copy.db", "--conf", stored).exit_code == 0
    again = flue("store", "backup", stored / "copy.db", "--conf", stored)
    assert (again.exit_code, again.stderr) == (1, f"{stored / 'copy.db'} is there already; it is not written over\n")
    nowhere = flue("store", "backup", stored / "no" / "copy.db", "--conf", stored)
    assert (nowhere.exit_code, nowhere.stderr) == (1, f"there is no folder {stored / 'no'}\n")
    done = flue("store", "export", stored / "export", "--format", "csv", "--conf", stored)
    assert ["messages", "4"] in columns(done.stdout)
    with (stored / "export" / "messages.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["sent", "filtered", "error", "held"]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["messages", "show", "99"], 1, "there is no message 99"),
        (["messages", "show", "x"], 2, "'x' is not a valid integer"),
        (["messages", "show", "0"], 2, "0 is not in the range"),
        (["messages", "list", "--status", "lost"], 2, "status must be one of received, filtered, error, held, sent, partly_sent"),
        (["messages", "list", "--since", "yesterday"], 2, "since must be a date or time such as 2026-03-14T10:30:00Z"),
        (["messages", "list", "--limit", "0"], 2, "limit must be at least 1"),
        (["messages", "search"], 2, "say what to search for; flue messages list shows the newest"),
        (["channels", "leftovers", "nope"], 1, "there is no channel nope"),
        (["channels", "list"], 1, "no engine listens on http://127.0.0.1:1; this needs one that runs (flue run)"),
        (["channels", "stop", "lab", "--destination", "repository"], 2, "a destination can be started and paused; to stop is for channels"),
        (["replay"], 2, "say which messages: --id, or a search"),
        (["replay", "--id", "1"], 1, "no engine listens on http://127.0.0.1:1; this needs one that runs (flue run)"),
        (["replay", "retry", "1"], 1, "no engine listens on http://127.0.0.1:1; this needs one that runs (flue run)"),
        (["messages", "list", "--url", "localhost"], 2, "localhost is no http://HOST:PORT"),
    ],
)
def test_mistakes_get_a_sentence(flue: Flue, stored: Path, arguments: list[str], status: int, sentence: str) -> None:
    """Without an engine; status 2 where the command line is at fault."""
    done = flue(*arguments, "--conf", stored)
    assert done.exit_code == status and sentence in done.stderr and done.stdout == ""


def test_no_engine_and_no_store(flue: Flue, tmp_path: Path) -> None:
    """Says where both were looked for; a file that is no store is told, too."""
    done = flue("messages", "list")
    assert (done.exit_code, done.stderr) == (
        1, "no engine listens on http://127.0.0.1:1, and there is no store in conf/data (name it with --conf or --data)\n",
    )  # fmt: skip
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "messages.db").write_bytes(b"no database" * 1000)
    done = flue("messages", "list", "--data", "data")
    assert done.exit_code == 1 and done.stderr.startswith("data/messages.db cannot be read: ")


def test_somebody_else_listens(flue: Flue) -> None:
    """Silence and other servers are told from an engine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.settimeout(5)

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            connection.close()

        import threading

        thread = threading.Thread(target=hang_up)
        thread.start()
        done = flue("messages", "list", "--url", url)
        thread.join()
    assert (done.exit_code, done.stderr) == (1, f"{url} does not answer as Flue does\n")


def test_beside_a_running_engine(laboratory: Laboratory) -> None:
    """The commands find it, by --conf as well, and what they change happens there."""

    async def story() -> None:
        for message in (RESULT, NOBODYS):
            await laboratory.send(message)
        await laboratory.settled()
        flue = laboratory.flue
        rows = columns((await flue("channels", "list")).stdout)
        assert rows[1][:2] == ["lab", "started"] and rows[1][-3:] == ["repository", "open", "1 held, 1 sent"]
        dry = await flue("replay", "--id", "1", "--dry-run")
        assert json.loads(dry.stdout)["identifier"]["value"] == "C1" and dry.stderr == "1 to repository\n"
        assert columns((await flue("replay", "--id", "1", "--to", "repository", "--under", "today")).stdout)[1] == ["1", "3"]
        assert (await flue("replay", "--since", "2099-01-01")).stderr == "no message is found\n"
        assert (await flue("replay", "--id", "1", "--to", "nowhere")).stderr == "there is no destination nowhere\n"
        assert (await flue("replay", "retry", "1")).stderr == "message 1 has no dead letter, unsure or held delivery\n"
        assert columns((await flue("replay", "dismiss", "2")).stdout)[1] == ["repository", "0", "held"]
        assert (await flue("channels", "pause", "lab", "--destination", "repository")).stdout == "lab repository: paused\n"
        assert (await flue("channels", "stop", "lab")).stdout == "lab: stopped\n"
        assert (await flue("channels", "start", "nope")).stderr == "there is no channel nope\n"
        (laboratory.folder / "channel.yaml").write_text("channel: lab\n")
        reload = await flue("channels", "reload")
        assert reload.exit_code == 1 and "missing: `source` is missing." in reload.stderr
        locked = await flue("messages", "list", "--url", "http://127.0.0.1:1", "--conf", str(laboratory.folder))
        assert locked.exit_code == 1 and "is in use by process" in locked.stderr

    laboratory.tell(story())
