"""Large runs are cut out and put back."""

from __future__ import annotations

import base64
import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.attachments import SMALLEST, cut, pack, restore, unpack

small = st.binary(max_size=60)
large = st.builds(lambda byte, extra: byte * (SMALLEST + extra), st.sampled_from([b"A", b"\x00", b"|"]), st.integers(-2, 40_000))


@settings(deadline=None)
@given(st.lists(st.one_of(small, large), max_size=6), st.sampled_from([b"|", b"^", b"\r", b'"', b""]))
def test_what_is_cut_comes_back(pieces: list[bytes], between: bytes) -> None:
    """Byte for byte, whatever the content is."""
    content = between.join(pieces)
    left, cuts, runs = cut(content)
    assert restore(left, unpack(pack(cuts)), runs) == content
    assert sorted(runs.values()) == sorted({run for run in re.split(rb'[|^~&\r\n"]', content) if len(run) > SMALLEST})


def test_small_content_is_left_alone() -> None:
    """Nothing is cut from a message of the usual size, nor from a long one without long runs."""
    for content in (b"MSH|^~\\&|" * 100, b"OBX|1|NM|a^b||1\r" * 10_000):
        assert cut(content) == (content, (), {})


def test_a_scan_is_one_run_in_hl7_and_in_json() -> None:
    """The same base64 has the same digest where it came from and where it goes."""
    scan = base64.b64encode(bytes(range(256)) * 200)
    _, _, received = cut(b"OBX|1|ED|x||^^^Base64^" + scan + b"||||||F\r")
    _, _, sent = cut(b'{"resourceType":"Binary","data":"' + scan + b'"}')
    assert list(received) == list(sent) and list(received.values()) == [scan]


def test_looking_for_runs_is_quick() -> None:
    """Runs that are just too short cost no more than others: 8 MiB of them within a second, on the slowest machine."""
    content = (b"A" * SMALLEST + b"|") * 256
    began = time.perf_counter()
    assert cut(content)[1] == ()
    assert time.perf_counter() - began < 1
