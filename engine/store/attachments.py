"""Large runs are cut out of content and kept once, by digest.  Pure: bytes in, bytes out.

A scanned report in OBX-5 is one run of base64, hundreds of kilobytes long, and comes again with every correction, and
once more inside the JSON that is sent.  A run is what stands between two delimiters, HL7's or JSON's, whatever it holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

SMALLEST = 32 * 1024
"""Shorter runs stay where they are."""

_DELIMITER = b"|"
_FLAT = bytes.maketrans(b'^~&\r\n"', _DELIMITER * 6)
"""Every delimiter becomes the same, so that the next one is found at the speed of memory."""

Cut = tuple[int, bytes]
"""Where in what is left a run belongs, and its digest."""


def cut(content: bytes) -> tuple[bytes, tuple[Cut, ...], dict[bytes, bytes]]:
    """What is left of `content`, the cuts in order, and the runs by sha256."""
    left, cuts, runs, end, length = [], [], {}, 0, 0
    for start, stop in _runs(content) if len(content) > SMALLEST else ():
        run = content[start:stop]
        digest = hashlib.sha256(run).digest()
        left.append(content[end:start])
        length += len(left[-1])
        cuts.append((length, digest))
        runs[digest] = run
        end = stop
    if not cuts:
        return content, (), {}
    left.append(content[end:])
    return b"".join(left), tuple(cuts), runs


def _runs(content: bytes) -> Iterator[tuple[int, int]]:
    """Where large runs begin and end.  One that is longer than SMALLEST covers a multiple of SMALLEST: only there it looks."""
    flat = content.translate(_FLAT)
    at, end = SMALLEST, 0
    while at < len(flat):
        start = max(end, flat.rfind(_DELIMITER, end, at + 1) + 1)
        stop = flat.find(_DELIMITER, at)
        stop = len(flat) if stop < 0 else stop
        if stop - start > SMALLEST:
            yield start, stop
            end = at = stop
        at += SMALLEST - at % SMALLEST


def restore(left: bytes, cuts: Sequence[Cut], runs: dict[bytes, bytes]) -> bytes:
    """The content that was cut, byte for byte."""
    pieces, at = [], 0
    for place, digest in cuts:
        pieces += (left[at:place], runs[digest])
        at = place
    return b"".join((*pieces, left[at:]))


def pack(cuts: Iterable[Cut]) -> bytes | None:
    """The cuts as one value: eight bytes of place and the digest, each; None where there are none."""
    return b"".join(place.to_bytes(8, "big") + digest for place, digest in cuts) or None


def unpack(packed: bytes | None) -> tuple[Cut, ...]:
    """What `pack` packed."""
    packed = packed or b""
    return tuple((int.from_bytes(packed[at : at + 8], "big"), packed[at + 8 : at + 40]) for at in range(0, len(packed), 40))
