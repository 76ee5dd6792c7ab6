"""What became of many messages, by structure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.cli.conftest import Flue
from tests.engine.laboratory import ADMISSION, RESULT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two results, one of them with a field nobody reads; an admission; noise; a file that is no message."""
    inside = tmp_path / "messages" / "more"
    inside.mkdir(parents=True)
    (inside.parent / "two.hl7").write_bytes(RESULT + RESULT.replace(b"|C1|", b"|C2|") + b"ZZZ|unread\r")
    (inside / "admission.hl7").write_bytes(ADMISSION)
    (inside / "noise.bin").write_bytes(b"noise")
    (inside / "README.md").write_text("MSH|no message")
    return inside.parent


def test_messages_are_counted_by_structure(flue: Flue, folder: Path) -> None:
    """With what was mapped of them, and a sentence for each that was refused."""
    done = flue("maps", "corpus", "--markdown", folder)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    by_name = {row[0]: row for row in rows}
    assert rows[0][:6] == ["structure", "events", "map", "messages", "converted", "valid"]
    assert by_name["ORU_R01"][1:6] == ["R01", "ORU_R01", "2", "2", "2"]
    assert by_name["ADT_A01"][3:6] == ["1", "1", "1"]
    assert by_name["no HL7"][3:] == ["1", "0", "0", "0", "", "", ""]
    assert by_name["all"][3:6] == ["4", "3", "3"]
    shares = [float(cell.removesuffix(" %")) for cell in by_name["ORU_R01"][7:]]
    assert shares[2] > 0 and abs(sum(shares) - 100) < 0.2
    assert f"{folder}/more/noise.bin: refused: MSH: what came does not begin with MSH" in done.stderr


def test_messages_are_timed_by_structure(flue: Flue, folder: Path) -> None:
    """What cannot be converted is left out."""
    lines = [line.split() for line in flue("maps", "corpus", "--speed", folder).stdout.splitlines()]
    assert [line[:2] for line in lines[1:]] == [["ADT_A01", "1"], ["ORU_R01", "2"]]
    assert all(int(line[3]) > 0 for line in lines[1:])


def test_an_empty_folder_is_no_corpus(flue: Flue, tmp_path: Path) -> None:
    done = flue("maps", "corpus", tmp_path)
    assert (done.exit_code, done.stderr) == (2, "there is no message in these folders\n")
