"""Where something listens for HTTP, written as Twisted writes endpoints."""

from __future__ import annotations

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def address(listen: str) -> tuple[str, int]:
    """Host and port of a TCP endpoint as Twisted writes it: `tcp:8080:interface=127.0.0.1`.  Raises OSError where it is none."""
    kind, *parts = listen.replace("\\:", "\0").split(":")
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    port = named.get("port") or next((part for part in parts if "=" not in part), "")
    if kind != "tcp" or not port.isdigit():
        raise OSError(f"http: listen should be written tcp:8080:interface=127.0.0.1, and not {listen}")
    return named.get("interface", "127.0.0.1").replace("\0", ":"), int(port)
