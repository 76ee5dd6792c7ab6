"""Bad input: no message, however broken, stops a channel, ends a connection that could go on, or vanishes.

Every file of the corpus' broken folders, messages that Hypothesis damages, and streams that it cuts go over real MLLP to a
running engine.  Each frame is answered with a place, kept byte for byte, found again by `flue messages list --status error`, and
can be replayed when the fault is mended.  A channel file that is broken takes nothing down.
"""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.journeys.damage import MUTANTS
from tests.journeys.engine_process import END, START, Channel, EngineProcess, Line, fields, laboratory
from tests.journeys.fhir_server import FhirServer

pytestmark = pytest.mark.journey

NUMBERS = count(1)
EXAMPLES = int(os.environ.get("FLUE_MUTATIONS", "250"))
BAD = {"AE", "AR", "CE", "CR"}


def good(control_id: str) -> bytes:
    """A message with nothing wrong."""
    return (
        f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304120000||ORU^R01^ORU_R01|{control_id}|P|2.5.1\rPID|1||4711^^^HOSP^MR||Meier^Eva\r"
        f"OBR|1|P{control_id}^EHR|F{control_id}^LAB|24323-8^Panel^LN|||20260304|||||||||||||||20260304110000|||F\r"
        "OBX|1|NM|2345-7^Glucose^LN||95|mg/dL|||||F\r"
    ).encode()


def to_files() -> Channel:
    """A channel that writes what it makes to files, for any structure that a map is for."""
    return laboratory("", transform=["map_to_fhir", "validate"], destinations=[{"name": "files", "file": {"folder": "made"}}])


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One engine for all: what one test does to it must not matter to the next."""
    with EngineProcess(tmp_path_factory.mktemp("engine"), to_files()) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_of_ours_breaks(engine: EngineProcess) -> Iterator[None]:
    """Whatever came, it was not the engine that failed over it."""
    said = len(engine.said())
    yield
    assert "defect" not in engine.said()[said:] and "Traceback" not in engine.said()[said:]


def until_good(line: Line) -> list[bytes]:
    """Send a good message; the answers that come before its own."""
    control_id = f"GOOD{next(NUMBERS)}"
    line.push(good(control_id))
    answers: list[bytes] = []
    while fields(answer := line.read(), "MSA")[1:3] != ["AA", control_id]:
        answers.append(answer)
    return answers


def asks(content: bytes) -> list[str]:
    """MSH-15 and 16, as far as they can be read."""
    line = content.replace(b"\n", b"\r").split(b"\r")[0].decode("latin-1")
    return line.split(line[3:4])[14:16] if line[:3] == "MSH" and line[3:4] else []


def place(answer: bytes) -> str:
    """Where the fault is: ERR-2, or ERR-1 before version 2.5."""
    err = fields(answer, "ERR")
    return next((each for each in err[1:3] if each), "")


def corpus(*folders: str) -> list[Path]:
    found = os.environ.get("FLUE_SHARED")
    return [file for folder in folders for file in sorted((Path(found) / "corpus" / folder).iterdir())] if found else []


@pytest.mark.shared
@pytest.mark.parametrize("file", corpus("malformed", "wire_variants", "charset"), ids=lambda file: file.name)
def test_broken_files_are_answered_and_kept(engine: EngineProcess, file: Path) -> None:
    """One answer with a place, the connection goes on, the bytes are kept, and what is wrong is listed as such."""
    raw = file.read_bytes()
    content = raw[raw.find(START) + 1 : raw.rfind(END)] if raw.startswith(START) else raw
    before = engine.messages(limit=1)
    with engine.line() as line:
        line.write(raw if raw.startswith(START) else START + raw + END)
        answers = until_good(line)
        assert until_good(line) == []  # and on it goes
    engine.settled()
    if not any(asks(content)):
        assert len(answers) == 1
    for answer in answers:
        said = fields(answer, "MSA")[1]
        assert said in {"AA", "CA"} | BAD
        assert said not in BAD or place(answer)
    known = before[0]["id"] if before else 0
    found = [each for each in engine.messages(limit=1000) if each["id"] > known and not each["control_id"].startswith("GOOD")]
    if content.startswith((b"FHS", b"BHS")):  # each message of a batch is kept by itself
        assert len(found) == content.count(b"\rMSH") and {each["status"] for each in found} <= {"sent", "error", "held"}
        return
    (kept,) = found
    assert base64.b64decode(engine.message(kept["id"])["content_base64"]) == content
    assert kept["status"] != "received"
    refused = {fields(answer, "MSA")[1] for answer in answers} & BAD
    assert (kept["status"] == "error") == bool(refused) or any(asks(content))
    if kept["status"] == "error":
        assert kept["error"]["place"] and kept["error"]["text"]


def listed(engine: EngineProcess, **search: str) -> list[dict[str, Any]]:
    """What `flue messages list` prints."""
    options = [f"--{name}={value}" for name, value in search.items()]
    done = engine.flue("messages", "list", "--json", "--limit", "1000", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


HARDLY = [b"MSH", b"x", b"MSH|^~\\&|", b"\x00" * 40, b"\xff\xfe", "größer".encode("utf-16"), b"PID|1\r", b"\r\r\r", b"MSH|||||\r"]


@pytest.mark.parametrize("content", HARDLY)
def test_hardly_anything_is_answered_listed_and_shown(engine: EngineProcess, content: bytes) -> None:
    """`flue messages list --status error` has it, `flue messages show --raw` gives the very bytes."""
    with engine.line() as line:
        line.push(content)
        (answer,) = until_good(line)
    assert fields(answer, "MSA")[1] in {"AE", "AR"} and place(answer)
    engine.settled()
    id = listed(engine, status="error")[0]["id"]
    message = engine.message(id)
    assert base64.b64decode(message["content_base64"]) == content
    assert message["answers"]  # what was answered is kept too
    assert engine.flue("messages", "show", str(id)).returncode == 0


def test_an_endless_frame_does_not_fill_the_engine(engine: EngineProcess) -> None:
    """Over the limit the sender is told and the connection ends; others go on, and memory stays."""
    with engine.line() as line, engine.line() as other:
        try:
            line.write(START + good("LONG1")[:80])
            for _ in range(40):
                line.write(b"x" * 2**20)
        except ConnectionError:
            pass
        assert until_good(other) == []
    assert engine.memory() < 250


# --- messages that Hypothesis damages


BOUNDED = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def test_damaged_messages_are_answered_and_kept(engine: EngineProcess) -> None:
    """Whatever was done to a message: an answer, the same connection, the same bytes kept, and what is made of it is valid R4."""
    line = engine.line()

    @BOUNDED
    @given(content=MUTANTS)
    def check(content: bytes) -> None:
        line.push(content)
        answers = until_good(line)
        if not any(asks(content)):
            (answer,) = answers
            assert fields(answer, "MSA")[1] == "AA" or fields(answer, "MSA")[1] in BAD and place(answer)
        kept = engine.messages(limit=20)
        assert content in [base64.b64decode(engine.message(each["id"])["content_base64"]) for each in kept]

    check()
    line.close()
    engine.settled(60)
    assert not [wrong for file in (engine.folder / "made").iterdir() for wrong in second_opinion(file)]
    assert {reason(engine, each["id"]) for each in engine.messages(delivery_status="held")} <= HOLDS


HOLDS = {"no_patient_id", "emptied", "identity_conflict"}
"""Why a message may be held that is as broken as these: never because what we made of it is not valid."""


def reason(engine: EngineProcess, id: int) -> str:
    """Why the only held delivery of a message is."""
    return next(row["code"] for row in engine.message(id)["deliveries"] if row["status"] == "held")


def second_opinion(file: Path) -> list[str]:
    """What the models of fhir.resources, which nobody here wrote, find wrong with a bundle."""
    wrong = []
    for number, entry in enumerate(json.loads(file.read_text())["entry"]):
        model = get_fhir_model_class(entry["resource"]["resourceType"])
        try:
            model.model_validate(entry["resource"])
        except ValidationError as error:
            wrong += [f"{file.name} entry {number}: {each['loc']} {each['type']}" for each in error.errors(include_input=False)]
    return wrong


def test_a_server_takes_what_is_made_of_damaged_messages(tmp_path: Path) -> None:
    """Medplum's server, which knows forms and required codes, refuses nothing of it."""
    with FhirServer() as server, EngineProcess(tmp_path, laboratory(server.url, lane="MSH-10")) as engine, engine.line() as line:

        @settings(BOUNDED, max_examples=EXAMPLES // 8)
        @given(content=MUTANTS)
        def check(content: bytes) -> None:
            line.push(content)
            until_good(line)

        check()
        engine.settled(120)
        refused = [engine.message(each["id"]) for each in engine.messages(delivery_status="dead_letter")]
        assert not [(each["content_base64"], row["response"]) for each in refused for row in each["deliveries"] if row["response"]]


JUNK = st.binary(max_size=20).map(lambda junk: junk.replace(b"\x0b", b"").replace(b"\x1c", b""))
SPACES = st.one_of(st.sampled_from([b"", b"\r\n", b"\x00\x00"]), JUNK)
FRAMES = st.lists(st.tuples(SPACES, st.sampled_from(["whole", "whole", "cut", "line feed"]), st.integers(10, 150)), min_size=1, max_size=8)


def test_cut_streams(engine: EngineProcess) -> None:
    """However frames were cut and packets fell: every frame is answered once, in order, and a cut one never mixes with the next."""

    @BOUNDED
    @given(frames=FRAMES, packets=st.lists(st.integers(1, 200), min_size=1, max_size=6), hang_up=st.booleans())
    def check(frames: list[tuple[bytes, str, int]], packets: list[int], hang_up: bool) -> None:
        stream, expected = b"", []
        for junk, kind, length in frames:
            control_id = f"CUT{next(NUMBERS)}"
            content = good(control_id)
            if kind == "line feed":
                content = content.replace(b"\r", b"\n")
            stream += junk + START + (content[:length] if kind == "cut" else content + END)
            expected.append("AR" if kind == "cut" else control_id)
        if frames[-1][1] == "cut":  # which only the next frame, or the end, can tell
            stream, expected = stream + START + good(last := f"CUT{next(NUMBERS)}") + END, [*expected, last]
        with engine.line() as line:
            for packet in pieces(stream, packets):
                line.write(packet)
            told = [answered(line.read()) for _ in expected]
            if hang_up:  # in the middle of one more
                line.write(START + good(f"CUT{next(NUMBERS)}")[: frames[0][2]])
            else:
                assert until_good(line) == []
        assert told == expected

    check()
    engine.settled(60)
    assert engine.messages(status="error", limit=1)[0]["error"]["text"] == "the message broke off before its end"


def answered(answer: bytes) -> str:
    """The control id that was accepted, or the code of a refusal."""
    msa = fields(answer, "MSA")
    return msa[2] if msa[1] == "AA" else msa[1]


def pieces(stream: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The stream in packets of these sizes, over and over; large ones in between keep the number down."""
    position, turn = 0, 0
    while position < len(stream):
        size = sizes[turn % len(sizes)] if turn < 40 else 4096
        yield stream[position : position + size]
        position, turn = position + size, turn + 1


# --- after the fix


STRANGE = good("%s").decode().replace("ORU^R01^ORU_R01", "ZRS^Z77^ZRS_Z77")
SITE_MAP = "map: ZRS_Z77\nextends: ORU_R01\nmessages: [ZRS_Z77]\n"


def send_one(engine: EngineProcess, content: str | bytes, channel: str) -> tuple[str, int]:
    """The code a message is answered with, and its id."""
    with engine.line(channel) as line:
        answer = line.ask(content if isinstance(content, bytes) else content.encode())
    engine.settled()
    return fields(answer, "MSA")[1], engine.messages(channel=channel, limit=1)[0]["id"]


def reload(engine: EngineProcess) -> list[str]:
    """Read the files again; the errors found."""
    return [each for each in engine.api("POST", "/v1/channels/reload")["problems"] if ": unset:" not in each]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine of the test's own, whose files it changes."""
    with EngineProcess(tmp_path, to_files()) as running:
        yield running


def test_replay_after_a_map_was_added(site: EngineProcess) -> None:
    """A message no map is for leaves as a document; a site's map; replayed under today's version it is results, under the day's a document."""
    code, id = send_one(site, STRANGE % ("Z1", "Z1", "Z1"), "lab")
    assert code == "AA" and not gives_results(site, id)
    (site.folder / "maps").mkdir()
    (site.folder / "maps" / "ZRS_Z77.yaml").write_text(SITE_MAP)
    assert reload(site) == []
    (again,) = site.replay(id, under="then")
    assert not gives_results(site, again)
    done = site.flue("replay", "--id", str(id), "--under", "today")
    assert done.returncode == 0, done.stderr
    site.settled()
    assert gives_results(site, site.messages(limit=1)[0]["id"])
    code, other = send_one(site, STRANGE % ("Z2", "Z2", "Z2"), "lab")
    assert code == "AA" and gives_results(site, other)


def gives_results(engine: EngineProcess, id: int) -> bool:
    """Whether what was sent of a message has Observations; a document of the message is there in any case, one of the two."""
    message = engine.message(id)
    assert message["status"] == "sent", message["error"]
    (sent,) = [json.dumps(row["content"]) for row in message["deliveries"]]
    assert ('"Observation"' in sent) != ('"DocumentReference"' in sent)
    return '"Observation"' in sent


def test_replay_after_a_table_was_mended(site: EngineProcess) -> None:
    """A code that the site's table lacks; a row more; then it goes."""
    (site.folder / "terminology").mkdir()
    table = site.folder / "terminology" / "lab_codes.csv"
    table.write_text("code,to,display\nGLU,2345-7,Glucose\n")
    channel = json.loads((site.folder / "channels" / "lab.yaml").read_text())
    channel["transform"].insert(0, {"look_up": {"field": "OBX-3", "table": "lab_codes", "to": "loinc", "when_missing": "error"}})
    site.declare(channel)
    assert reload(site) == []
    site.refresh()
    local = good("T1").replace(b"2345-7^Glucose^LN", b"NA^Sodium^L")
    code, id = send_one(site, local, "lab")
    error = site.message(id)["error"]
    assert code == "AE" and error["place"].startswith("OBX") and "lab.yaml" in error["origin"]
    table.write_text("code,to,display\nGLU,2345-7,Glucose\nNA,2951-2,Sodium\n")
    assert reload(site) == []
    (again,) = site.replay(id, under="today")
    assert site.message(again)["status"] == "sent"


def test_replay_after_a_policy_was_loosened(site: EngineProcess) -> None:
    """`unmapped: error` refuses a field that no rule reads, and says which; under `warn` it goes."""
    channel = json.loads((site.folder / "channels" / "lab.yaml").read_text())
    site.declare({**channel, "unmapped": "error"})
    assert reload(site) == []
    code, id = send_one(site, good("U1") + b"ZZZ|1|something\r", "lab")
    assert code == "AE" and site.message(id)["error"]["place"].startswith("ZZZ")
    assert "something" not in json.dumps(site.message(id)["answers"])
    site.declare({**channel, "unmapped": "warn"})
    assert reload(site) == []
    (again,) = site.replay(id, under="today")
    assert site.message(again)["status"] == "sent"


def test_a_held_message_leaves_after_the_fix(site: EngineProcess) -> None:
    """A patient without an identifier that has an authority is held; when the site decides to send such, it goes."""
    code, id = send_one(site, good("H1").replace(b"4711^^^HOSP^MR", b"4711"), "lab")
    assert code == "AA" and site.message(id)["status"] == "held"
    assert site.message(id)["deliveries"][0]["code"] == "no_patient_id"
    channel = json.loads((site.folder / "channels" / "lab.yaml").read_text())
    site.declare({**channel, "transform": [{"map_to_fhir": {"options": {"no_patient_id": "send"}}}, "validate"]})
    assert reload(site) == []
    (again,) = site.replay(id, under="today")
    assert site.message(again)["status"] == "sent"


# --- broken files


@pytest.mark.parametrize(
    "text",
    [
        "channel: lab\nsource: [", "", "channel: lab\n", "\x00\x01", "source: {sauce: {}}\nchannel: lab\ndestinations: []\n",
        "channel: lab\nchannel: lab\n", "&a [*a]", "ééé",
    ],  # fmt: skip
    ids=["unclosed", "empty", "half", "binary", "unknown", "twice", "circle", "word"],
)
def test_a_broken_channel_file_leaves_the_old_one_running(engine: EngineProcess, text: str) -> None:
    """By API and by signal: the problem is told with its place, and the same port goes on taking messages under the old version."""
    file = engine.folder / "channels" / "lab.yaml"
    sound = file.read_text()
    with engine.line() as line:
        file.write_text(text)
        problems = reload(engine)
        assert problems and all(str(file) in each for each in problems)
        assert until_good(line) == []
        os.kill(engine.pid, signal.SIGHUP)
        engine.wait_for(lambda: "read again" in engine.said()[-2000:])
        assert until_good(line) == []
        with engine.line() as other:
            assert until_good(other) == []
        file.write_text(sound)
        assert reload(engine) == []
        assert until_good(line) == []


def test_a_broken_map_leaves_the_old_one_running(engine: EngineProcess) -> None:
    """So does a site's map that does not check."""
    maps = engine.folder / "maps"
    maps.mkdir(exist_ok=True)
    file = maps / "ORU_R01.yaml"
    file.write_text("map: ORU_R01\nextends: ORU_R01\nresources: nonsense\n")
    try:
        problems = reload(engine)
        assert problems and "ORU_R01.yaml:3" in problems[0]
        with engine.line() as line:
            assert until_good(line) == []
    finally:
        file.unlink()
    assert reload(engine) == []


def test_all_of_it_survives_a_restart(engine: EngineProcess) -> None:
    """Killed and started on the same store: every message is there with what it came to, and the next is taken."""
    engine.settled()
    before = engine.counts()
    assert before["error"] and not before.get("received")
    engine.kill()
    engine.start()
    assert engine.counts() == before
    with engine.line() as line:
        assert until_good(line) == []
