"""Who may import whom, and other rules of the house, read from the README's section "Architecture"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("transforms", "channels", "engine")
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager", "managers"}
IMPURE = {"twisted", "socket", "time", "random", "os", "secrets", "asyncio", "aiohttp", "threading", "subprocess", "tempfile", "shutil"}
IMPURE_CALLS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4", "open"}
MAKERS = ("make",)  # modules that are run by hand to make packaged data; nothing imports them
LONGEST = 450


@cache
def table() -> tuple[tuple[str, ...], ...]:
    """The lines of the README's import table, the highest first."""
    section = (ROOT / "README.md").read_text("utf-8").split("\n## Architecture\n", 1)[1].split("\n## ", 1)[0]
    block = re.search(r"```\n(.*?)```", section, re.DOTALL)
    assert block, "the README's Architecture section has no table"
    return tuple(tuple(name.strip() for name in line.split("|")) for line in block[1].splitlines() if line.strip())


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_name(file): file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text("utf-8"))


def place(name: str) -> tuple[int, str] | None:
    """(line of the table, entry) a module belongs to."""
    for line, entries in enumerate(table()):
        for entry in entries:
            if name == entry or name.startswith(entry + "."):
                return line, entry
    return None


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Every module that a module imports, wherever in it, with the line."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from ((each.name, node.lineno) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                yield (inner if inner in modules() else node.module), node.lineno


def own() -> list[str]:
    """Our modules but the packages themselves, which hold a docstring."""
    return [name for name, file in modules().items() if file.name != "__init__.py"]


def test_the_table_is_read() -> None:
    assert ("transforms.errors",) == table()[-1]
    assert ("engine.cli",) == table()[0]


def test_every_module_has_its_line() -> None:
    """A module that the table does not know could import anything."""
    assert [name for name in own() if place(name) is None] == []


def test_imports_point_downwards() -> None:
    """A line may import the lines below it, never above; names on one line never import each other."""
    wrong = []
    for name in own():
        here = place(name)
        for imported, line in imports(name):
            there = place(imported)
            if here and there and there[1] != here[1] and there[0] <= here[0]:
                wrong.append(f"{modules()[name].relative_to(ROOT)}:{line}: {here[1]} imports {imported}")
    assert wrong == []


def test_components_do_not_know_each_other() -> None:
    """A step never imports a step, a rule never a rule, a connector never a connector's source or destination."""
    wrong = []
    for name in own():
        for imported, line in imports(name):
            for package in ("transforms.steps", "transforms.rules"):
                if name.startswith(package + ".") and imported.startswith(package + ".") and imported != name:
                    wrong.append(f"{name}:{line} imports {imported}")
    assert wrong == []


def test_no_module_imports_relatively() -> None:
    wrong = [name for name in modules() for node in ast.walk(tree(name)) if isinstance(node, ast.ImportFrom) and node.level]
    assert wrong == []


def test_transforms_are_pure() -> None:
    """No network, no clock, no randomness, no environment; only packaged data is opened."""
    wrong = []
    for name in own():
        if not name.startswith("transforms.") or name.rsplit(".", 1)[1] in MAKERS:
            continue
        wrong += [f"{name}:{line} imports {imported}" for imported, line in imports(name) if imported.split(".")[0] in IMPURE]
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in IMPURE_CALLS:
                wrong.append(f"{name}:{node.lineno} calls {ast.unparse(node.func)}")
    assert wrong == []


def test_nothing_imports_a_maker() -> None:
    makers = {name for name in own() if name.rsplit(".", 1)[1] in MAKERS and name.startswith("transforms.")}
    assert [(name, imported) for name in own() for imported, _ in imports(name) if imported in makers and name not in makers] == []


def test_the_reactor_is_a_parameter() -> None:
    """Only the application and the commands import it: importing it installs it."""
    allowed = ("engine.application", "engine.cli")
    wrong = []
    for name in own():
        for node in ast.walk(tree(name)):
            names = [each.name for each in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            inside = isinstance(node, ast.ImportFrom) and node.module == "twisted.internet"
            if "twisted.internet.reactor" in names or (inside and "reactor" in names):
                wrong.append(name)
    assert [name for name in wrong if not name.startswith(allowed)] == []


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    wrong = []
    for name, file in modules().items():
        if file.name == "__init__.py" and not (len(tree(name).body) == 1 and ast.get_docstring(tree(name))):
            wrong.append(name)
    assert wrong == []


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name in own() if not ast.get_docstring(tree(name))] == []


def test_names_say_something() -> None:
    assert [name for name in modules() if name.rsplit(".", 1)[-1] in BANNED_NAMES] == []


def test_no_wildcard_imports() -> None:
    wrong = [
        name
        for name in own()
        for node in ast.walk(tree(name))
        if isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names)
    ]
    assert wrong == []


def test_modules_can_be_read_at_one_sitting() -> None:
    lengths = {name: len(modules()[name].read_text("utf-8").splitlines()) for name in own()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
