"""Maps as values: what they mean, and where each rule stands.

Reading checks shape (keys, types, paths that are none); meaning (does the element exist, does the type fit) is `checking`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transforms.declaration.building import FAILED, Builder
from transforms.declaration.reading import read, spelled
from transforms.errors import Problem
from transforms.mapping.conditions import Condition, read_condition
from transforms.mapping.keys import Declared, read_declared
from transforms.mapping.places import Source, Spot, Step, source, target
from transforms.mapping.shapes import CaseShape, MakeShape, MessageMapShape, Names, RuleShape, SegmentMapShape, TableShape, TestShape
from transforms.terminology.code_systems import table_uri
from transforms.terminology.concepts import codes_of


@dataclass(frozen=True)
class Action:
    """How a value is made: read a field, convert it, wrap it; or a constant."""

    spot: Spot
    sources: tuple[Source, ...] = ()
    function: str = ""
    codes: str = ""
    withs: tuple[tuple[str, Any], ...] = ()  # a Source is read, anything else is a constant
    const: Any = None
    each: bool | str = True
    wrap: Any = None
    with_each: Any = None

    @property
    def each_of(self) -> str:
        """The list of which every value gets an element of its own; '' where values stand in the target itself."""
        return self.each if isinstance(self.each, str) and self.each not in ("lines", "whole") else ""


@dataclass(frozen=True)
class Case:
    """An action taken when the chosen field says one of `values`; no values: the default."""

    values: tuple[str, ...]
    action: Action


@dataclass(frozen=True)
class Rule:
    """One rule: a target and how its value is made; or fields dropped on purpose."""

    name: str
    spot: Spot
    to: tuple[Step, ...] = ()
    cases: tuple[Case, ...] = ()  # one with no values where there is no `choose`
    choose: Source | None = None
    when: Condition | None = None
    required: bool = False
    drop: tuple[Source, ...] = ()
    why: str = ""
    lossy: str = ""  # why what it reads does not come back from what it writes


@dataclass(frozen=True)
class Example:
    """One of a map's own tests."""

    spot: Spot
    shape: TestShape


@dataclass(frozen=True)
class Waived:
    """Rows of the guide (a pattern) that a map does not follow, and why; `by`: the map that does it instead."""

    spot: Spot
    row: str
    why: str
    by: str = ""


@dataclass(frozen=True)
class SegmentMap:
    """What one segment writes into one resource or datatype."""

    name: str
    segment: str
    type: str
    spot: Spot
    rules: tuple[Rule, ...]
    tests: tuple[Example, ...] = ()
    follows: str = ""
    extends: str = ""
    waived: tuple[Waived, ...] = ()


@dataclass(frozen=True)
class Make:
    """A resource (or a part of one) that a structure makes, where, and how it hangs together with others."""

    name: str
    type: str
    spot: Spot
    at: tuple[str, ...]
    with_: tuple[str, ...] = ()
    with_if_only: tuple[str, ...] = ()
    link: tuple[tuple[str, str], ...] = ()
    when: Condition | None = None
    identify: Declared | str = ""
    verb: str = ""  # of what is shared: `update`, `move` (an update that may change whose it is); else it is created if there is none
    into: str = ""
    wrap: Any = None
    needs: tuple[str, ...] = ()  # one of these elements must have been written
    contain_in: tuple[str, ...] | None = None  # makes that hold it where it is no entry; None: whatever refers to it
    repeat: Source | None = None  # made once for each repetition of that field
    lines: Source | None = None  # neighbours that are lines of one text become one
    if_none: bool = False  # made only where nothing else has gone into that element


@dataclass(frozen=True)
class MessageMap:
    """Which resources a message makes."""

    name: str
    spot: Spot
    messages: tuple[str, ...]  # structures or events; `*`: whatever has no other map
    arrange: str
    part: str
    makes: tuple[Make, ...]
    drop: tuple[Source, ...] = ()
    tests: tuple[Example, ...] = ()
    extends: str = ""
    follows: str = ""
    waived: tuple[Waived, ...] = ()
    without: tuple[str, ...] = ()  # makes of what it extends that it leaves out
    patient: str = "required"  # `optional`: what is about nobody may leave
    inherits: bool = False  # its `messages` are those of what it extends


@dataclass(frozen=True)
class Coded:
    """What a code of a table means."""

    code: Any  # text, or a boolean
    system: str = ""
    display: str = ""


@dataclass(frozen=True)
class Table:
    """A code table: v2 code -> FHIR code."""

    name: str
    spot: Spot
    codes: Mapping[str, Coded]
    otherwise: Coded | None = None
    extends: str = ""
    follows: str = ""
    waived: tuple[Waived, ...] = ()


Definition = SegmentMap | MessageMap | Table


def read_definition(name: str, text: str, file: str, problems: list[Problem]) -> Definition | None:
    """The definition in a YAML text; what is wrong goes to `problems`, and None comes back where nothing usable is there."""
    located = read(text, file)
    builder = Builder(located, {})
    value = located.value if isinstance(located.value, dict) else {}
    spot = Spot(located)
    if "table" in value:
        shape, make = TableShape, _table
    elif "resources" in value or "messages" in value:
        shape, make = MessageMapShape, _message_map
    else:
        shape, make = SegmentMapShape, _segment_map
    built = builder.build(shape, located.value)
    problems += builder.problems
    return None if built is FAILED else make(name, spot, built, problems)


def _segment_map(name: str, spot: Spot, shape: SegmentMapShape, problems: list[Problem]) -> SegmentMap:
    rules = [_rule(each, spot.at("rules", index), problems) for index, each in enumerate(shape.rules)]
    tests = tuple(Example(spot.at("tests", index), each) for index, each in enumerate(shape.tests))
    segment, _, resource = name.partition("_")
    named = _named(rules)
    return SegmentMap(name, shape.segment or segment, shape.resource or shape.within or resource, spot, named, tests, shape.follows, shape.extends, _waived(shape, spot))


def _waived(shape: SegmentMapShape | MessageMapShape | TableShape, spot: Spot) -> tuple[Waived, ...]:
    return tuple(Waived(spot.at("waived", index), each.row, each.why, each.by) for index, each in enumerate(shape.waived))


def _named(rules: list[Rule]) -> tuple[Rule, ...]:
    """Rules with names of their own: a second `to: code` is `code#2`."""
    seen: dict[str, int] = {}
    result = []
    for rule in rules:
        count = seen[rule.name] = seen.get(rule.name, 0) + 1
        result.append(rule if count == 1 else Rule(**{**rule.__dict__, "name": f"{rule.name}#{count}"}))
    return tuple(result)


def _rule(shape: RuleShape, spot: Spot, problems: list[Problem]) -> Rule:
    when = read_condition(shape.when, spot.at("when"), problems) if shape.when is not None else None
    if shape.drop:
        dropped = _sources(shape.drop, spot.at("drop"), problems)
        if not shape.why:
            problems.append(spot.problem("missing", "A field dropped on purpose needs a reason: `why`."))
        return Rule(shape.name or f"drop {_joined(shape.drop)}", spot, when=when, drop=dropped, why=shape.why)
    steps = target(shape.to)
    if steps is None:
        where, key = (spot.at("to"), False) if shape.to else (spot, False)
        problems.append(where.problem("no_target", "A rule needs `to`, a path of elements, or `drop`.", key=key))
        steps = ()
    choose = source(shape.choose) if shape.choose else None
    if shape.choose and choose is None:
        problems.append(spot.at("choose").problem("no_path", f"`{shape.choose}` is no field; write it as OBX-2 or OBX-3.1."))
    cases = tuple(
        Case(_many(each.when), _action(each, spot.at("cases", index), problems, None)) for index, each in enumerate(shape.cases)
    ) or (Case((), _action(shape, spot, problems, shape.with_each)),)
    if bool(shape.choose) != bool(shape.cases):
        problems.append(spot.problem("missing", "`choose` and `cases` go together."))
    return Rule(shape.name or shape.to, spot, steps, cases, choose, when, shape.required, lossy=shape.lossy)


def _action(shape: RuleShape | CaseShape, spot: Spot, problems: list[Problem], with_each: Any) -> Action:
    withs = tuple((key, _with(value)) for key, value in shape.with_.items())
    sources = _sources(shape.from_, spot.at("from"), problems)
    return Action(spot, sources, shape.as_, shape.codes, withs, shape.const, shape.each, shape.wrap, with_each)


def _with(value: Any) -> Any:
    return (source(value) or value) if isinstance(value, str) else value


def _sources(names: Names, spot: Spot, problems: list[Problem]) -> tuple[Source, ...]:
    found = []
    for index, text in enumerate(_many(names)):
        place = source(text)
        if place is None:
            where = spot if isinstance(names, str) else spot.at(index)
            problems.append(where.problem("no_path", f"`{text}` is no field; write it as OBX-5 or PID-3.4.1."))
        else:
            found.append(place)
    return tuple(found)


def _many(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _joined(names: Names) -> str:
    return " ".join(_many(names))


def _message_map(name: str, spot: Spot, shape: MessageMapShape, problems: list[Problem]) -> MessageMap:
    makes = tuple(_make(each, spot.at("resources", index), problems) for index, each in enumerate(shape.resources))
    tests = tuple(Example(spot.at("tests", index), each) for index, each in enumerate(shape.tests))
    drop = _sources(shape.drop, spot.at("drop"), problems)
    return MessageMap(
        name, spot, shape.messages, shape.arrange, shape.part, makes, drop, tests, shape.extends, shape.follows, _waived(shape, spot),
        shape.without, shape.patient,
    )  # fmt: skip


def _make(shape: MakeShape, spot: Spot, problems: list[Problem]) -> Make:
    kind, _, name = shape.make.partition(" as ")
    when = read_condition(shape.when, spot.at("when"), problems) if shape.when is not None else None
    return Make(
        name.strip() or kind.strip().lower(),
        kind.strip(),
        spot,
        _many(shape.at) or _many(shape.each),
        _many(shape.with_),
        _many(shape.with_if_only),
        tuple(shape.link.items()),
        when,
        read_declared(shape.identify, spot.at("identify"), problems),
        shape.verb,
        shape.into,
        shape.wrap,
        _many(shape.needs),
        shape.contain_in,
        source(shape.repeat) if shape.repeat else None,
        source(shape.lines) if shape.lines else None,
        shape.if_none,
    )


def _table(name: str, spot: Spot, shape: TableShape, problems: list[Problem]) -> Table:
    known = codes_of(shape.of) if shape.of else {}
    if shape.of and not known:
        problems.append(spot.at("of").problem("unknown_table", "No such HL7 table or concept map is among the packaged ones."))
    system = shape.system or (table_uri(shape.of) if shape.of.isdigit() else "")
    codes = {key: Coded(code, system) for key, code in known.items()}
    codes |= {key: _coded(value, shape, spot.at("codes", key), problems) for key, value in shape.codes.items()}
    otherwise = None if shape.otherwise is None else _coded(shape.otherwise, shape, spot.at("otherwise"), problems)
    return Table(shape.table or name, spot, codes, otherwise, shape.extends, shape.follows, _waived(shape, spot))


def _coded(value: Any, shape: TableShape, spot: Spot, problems: list[Problem]) -> Coded:
    if isinstance(value, dict):
        if unknown := sorted(set(value) - {"code", "system", "display"}):
            problems.append(spot.at(unknown[0]).problem("unknown_key", f"`{unknown[0]}` is not known here.", key=True))
        code, system = value.get("code", ""), value.get("system", shape.system)
        return Coded(code if isinstance(code, bool) else spelled(code), system, value.get("display", shape.displays.get(code, "")))
    if isinstance(value, list):
        problems.append(spot.problem("wrong_type", "A code is text, or `{code, system, display}`."))
        return Coded("")
    code = value if isinstance(value, bool) else spelled(value)
    return Coded(code, shape.system, shape.displays.get(spelled(value), ""))
