"""The statements: named, described, and none walks through a table that grows."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import apsw
import pytest

from engine.store.connection import connect, prepare
from engine.store.queries import STATEMENTS
from engine.store.schema import upgrade

GROWING = (
    "messages", "outcomes", "deliveries", "register", "message_keys", "duplicates", "learned", "attachments", "backlog",
    "m", "o", "d", "k", "r", "l", "b",
)  # fmt: skip
"""Tables that grow with every message, and what statements call them."""
WHOLE = {name for name in STATEMENTS if name.startswith("export_")} | {"attachment_count"}
"""These are asked for a whole table, on a copy or seldom."""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> apsw.Connection:
    """A store's connection."""
    file: Path = tmp_path_factory.mktemp("queries") / "a.db"
    prepare(file)
    made = connect(file, writing=True)
    upgrade(made)
    return made


def plan(connection: apsw.Connection, statement: str) -> list[str]:
    """What SQLite would do."""
    class Nulls(dict):
        def __missing__(self, name: str) -> None:
            return None

    for bindings in ((), Nulls(), *((None,) * count for count in range(1, 20))):
        try:
            return [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, bindings)]
        except (apsw.BindingsError, TypeError):
            continue
    raise AssertionError("no number of bindings fits")


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - WHOLE))
def test_no_statement_walks_through_what_grows(connection: apsw.Connection, name: str) -> None:
    """Each is answered by an index or a primary key, so its cost does not grow with the store."""
    walked = [step for step in plan(connection, STATEMENTS[name]) if step.startswith("SCAN") and step.split()[1] in GROWING]
    assert walked == []


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_exports_prepare(connection: apsw.Connection, name: str) -> None:
    """They fit the schema."""
    assert plan(connection, STATEMENTS[name])


def test_every_statement_is_described() -> None:
    """A comment follows the name."""
    for file in resources.files("engine.store.statements").iterdir():
        if file.name.endswith(".sql"):
            for block in file.read_text("utf-8").split("-- name: ")[1:]:
                assert block.splitlines()[1].startswith("-- "), block.splitlines()[0]


def test_every_statement_is_used() -> None:
    """None is left over."""
    code = "".join(file.read_text("utf-8") for file in resources.files("engine.store").iterdir() if file.name.endswith(".py"))
    assert [name for name in STATEMENTS if f'"{name}"' not in code and not name.startswith("export_")] == []
