"""The SQL statements, by name: read once from `statements/*.sql`.

A statement begins with `-- name: NAME` and is described in the comment lines that follow.
"""

from __future__ import annotations

from importlib import resources

STATEMENTS: dict[str, str] = {}


def _parse(text: str) -> dict[str, str]:
    """Name -> statement, comments left out."""
    found = {}
    for block in text.split("-- name: ")[1:]:
        name, _, rest = block.partition("\n")
        lines = (line for line in rest.splitlines() if not line.startswith("--"))
        found[name.strip()] = "\n".join(lines).strip().rstrip(";")
    return found


def _load() -> None:
    for file in sorted(resources.files("engine.store.statements").iterdir(), key=lambda each: each.name):
        if file.name.endswith(".sql"):
            for name, statement in _parse(file.read_text("utf-8")).items():
                if name in STATEMENTS:
                    raise ValueError(f"two statements are named {name}")
                STATEMENTS[name] = statement


_load()
