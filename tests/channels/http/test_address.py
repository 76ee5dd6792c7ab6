"""Where HTTP listens."""

from __future__ import annotations

import pytest

from channels.http.address import address


@pytest.mark.parametrize(
    ("listen", "meant"),
    [
        ("tcp:8080:interface=127.0.0.1", ("127.0.0.1", 8080)),
        ("tcp:port=9000:interface=0.0.0.0", ("0.0.0.0", 9000)),
        ("tcp:0", ("127.0.0.1", 0)),
        (r"tcp:8080:interface=\:\:1", ("::1", 8080)),
    ],
)
def test_as_twisted_writes_endpoints(listen: str, meant: tuple[str, int]) -> None:
    """Without an interface, only this machine."""
    assert address(listen) == meant


def test_what_is_no_address() -> None:
    """Said in a sentence."""
    with pytest.raises(OSError, match="should be written"):
        address("unix:/run/flue")
