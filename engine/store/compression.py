"""What is kept compressed, and how: one byte of method, then the content."""

from __future__ import annotations

import zstandard

LEVEL = 1
SMALLEST = 200
"""Shorter content is kept as it is."""

PLAIN, ZSTD = b"\x00", b"\x01"

_compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=False, write_content_size=True)
_decompressor = zstandard.ZstdDecompressor()


def squeeze(content: bytes) -> bytes:
    """Content as it is kept."""
    return ZSTD + _compressor.compress(content) if len(content) >= SMALLEST else PLAIN + content


def expand(kept: bytes) -> bytes:
    """Content as it was."""
    return _decompressor.decompress(kept[1:]) if kept[:1] == ZSTD else kept[1:]
