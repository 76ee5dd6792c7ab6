"""What generated code leans on while one message is converted: its state, slow paths of a rule, references (rule 7).

The straight way of a rule is in the generated code: look the field's text up in the rule's memo.  What the memo does not
know comes to a `Call`: NULL, repetitions, components, tables, functions; and goes into the memo where it may be kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from transforms.document import Note
from transforms.mapping.identity import criterion
from transforms.mapping.reading import Reading

NULL = '""'  # HL7's "delete what you have": a value, and no text
KEPT = 4096  # values a rule's memo holds before it is emptied
LONGEST = 512  # longer texts are not kept
SKIP = ""  # kept in a memo: known to give nothing, and nothing to be said about it
GENERATED = "<flue map "  # how the file names of generated code begin

_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


class Conversion(Reading):
    """One message being converted: its fields, what was read of them, what came of them.

    `rows` are the segments' fields, one blank row behind the last (index -1: a segment that is not there); `used` the
    bits of the fields read.  Nodes are what a plan numbers: `outs` their resources, `refs` references to them.
    """

    __slots__ = (
        "rows", "used", "plan", "entries", "urls", "outs", "refs", "keys", "ids", "ordinals", "leftover", "aliases",
        "trace", "forms", "weak", "systems", "codes", "name", "issuer", "followers", "originals", "noted", "repeated", "odd", "logical",
    )  # fmt: skip

    rows: list[list[str]]
    used: list[int]
    entries: list[dict[str, Any]]
    urls: dict[str, int]  # fullUrl -> index of its entry
    outs: list[dict[str, Any] | None]
    refs: list[dict[str, Any] | None]
    keys: list[str]
    ids: list[str]
    ordinals: dict[str, int]
    leftover: list[tuple[int, int, int, int]]  # (segment, field, repetition, component), 0 where it is the whole
    aliases: dict[int, tuple[int, int, int]]  # made-up segments: -> (the one it was made from, repetition, field)
    followers: dict[int, tuple[int, int]]  # segments whose text went into another: -> (that one, the field)
    originals: dict[int, list[str]]  # rows as they came, where another stands in their place
    trace: list[Any]  # what `explain` is told: (holder, name, index, line, places)
    forms: list[dict[str, Any] | None]  # nodes that are no entry: the resource to be contained
    odd: list[int]  # OBX that may have to be joined or split, or say no value
    logical: list[dict[str, Any] | None]  # the same nodes: a reference by identifier (rule 7)
    noted: set[tuple[str, str, int]]  # what was noted of which field
    repeated: set[int]  # remarks said again in this message
    weak: list[int]  # nodes known by their place in the message only (rule 2)
    systems: dict[str, str]  # of the environment: raw HD -> URI
    codes: dict[str, str]  # of the environment: raw CWE -> its part of a key
    name: Callable[[str], str]  # key -> UUID
    issuer: str  # the `system` of identifiers that are our own keys; '' where the site has no URI for them

    def note(self, code: str, sentence: str) -> None:
        """Say that something odd was borne at the place being read; once a message of each code and field."""
        self.remarks.append(("note", code, sentence))
        position, line = self._standing()
        if line is None:
            self.notes.append(Note(code, "", sentence))
        elif (code, line.segment, line.field) not in self.noted:
            self.noted.add((code, line.segment, line.field))
            self.notes.append(Note(code, self.place_of(position(line.segment), line.field), sentence))

    def left(self, what: int | str) -> None:
        """Say what a value does not carry: a component (its number), or the field a `with:` value was read from (`unit`, `address.8`)."""
        self.remarks.append(("left", what, ""))
        position, line = self._standing()
        if line is None:
            return
        if isinstance(what, int):
            self.leftover.append((position(line.segment), line.field, 0, what))
        else:
            name, _, component = what.partition(".")
            if place := line.withs.get(name):
                self.leftover.append((position(place[0]), place[1], 0, int(component or 0)))

    def unread(self, repetition: int) -> None:
        """Say that a repetition of the field being read was not taken."""
        self.remarks.append(("unread", repetition, ""))
        position, line = self._standing()
        if line is not None and line.sole:
            self.leftover.append((position(line.segment), line.field, repetition, 0))

    def say_again(self, remarks: list[tuple[str, Any, str]]) -> None:
        """Repeat what was said when a kept value was made."""
        again = id(remarks) in self.repeated
        self.repeated.add(id(remarks))
        for kind, what, sentence in remarks:
            if kind == "note":
                if again:
                    continue
                self.note(what, sentence)
            elif kind == "left":
                self.left(what)
            else:
                self.unread(what)

    def place_of(self, position: int, field: int, repetition: int = 0, component: int = 0) -> str:
        """`OBX[3]-15`, `PID-3[2].4`."""
        if position in self.aliases:
            position, repetition = self.aliases[position][0], repetition or self.aliases[position][1]
        text = f"{self.plan.places[position]}-{field}" if field else self.plan.places[position]
        return text + (f"[{repetition}]" if repetition else "") + (f".{component}" if component else "")

    def _standing(self) -> tuple[Callable[[str], int], Any]:
        """The generated line being run, found on the stack: nothing is paid for it until something is said."""
        frame = sys._getframe(2)
        while frame is not None and not frame.f_code.co_filename.startswith(GENERATED):
            frame = frame.f_back
        if frame is None:
            return (lambda name: -1), None
        held = frame.f_locals
        line = frame.f_globals["LINES"].get(frame.f_lineno)
        return (lambda name: held.get("i" + name, -1)), line


@dataclass(frozen=True, slots=True)
class Line:
    """What a line of generated code stands for."""

    rule: str
    file: str
    line: int
    column: int
    segment: str = ""
    field: int = 0
    withs: Mapping[str, tuple[str, int]] = None  # type: ignore[assignment]
    sole: bool = True  # nothing else reads the field


@dataclass(slots=True)
class Shared:
    """A resource a function made, ready to be referred to (rule 7): an entry of its own, contained, or words only.

    `inner` are resources it refers to itself.
    """

    reference: dict[str, Any]
    url: str = ""
    entry: dict[str, Any] | None = None
    contained: dict[str, Any] | None = None
    inner: tuple[Shared, ...] = ()


def refer(shared: Shared, conversion: Conversion, home: dict[str, Any]) -> dict[str, Any]:
    """A reference to `shared`, whose resource is put where it belongs: among the entries, or inside `home`."""
    if shared.entry is not None:
        if shared.url not in conversion.urls:
            conversion.urls[shared.url] = len(conversion.entries)
            conversion.entries.append(shared.entry)
    elif shared.contained is not None:
        contain(home, shared.contained)
    for each in shared.inner:
        refer(each, conversion, home)
    return shared.reference


def contain(home: dict[str, Any], resource: dict[str, Any]) -> None:
    """Put `resource` (it has an id) inside `home`, and what it contains itself beside it: R4 nests only once."""
    inside = home.get("contained")
    if inside is None:
        inside = home["contained"] = []
    if nested := resource.get("contained"):
        resource = {key: value for key, value in resource.items() if key != "contained"}
        for each in nested:
            contain(home, each)
    if all(each["id"] != resource["id"] for each in inside):
        inside.append(resource)


def share(resource: dict[str, Any], name: Callable[[str], str]) -> Shared:
    """A resource made by a function as something to refer to."""
    inner: list[Shared] = []
    resource = {key: _shared_inside(value, name, inner) for key, value in resource.items()}
    kind = resource["resourceType"]
    for identifier in resource.get("identifier", ()):
        system, value = identifier.get("system"), identifier.get("value")
        if system and value:
            url = "urn:uuid:" + name(f"{kind}|{system}|{value}")
            request = {"method": "POST", "url": kind, "ifNoneExist": criterion(system, value)}
            for each in inner:
                if each.contained is not None:
                    contain(resource, each.contained)
            return Shared({"reference": url}, url, {"fullUrl": url, "resource": resource, "request": request}, None, _entries(inner))
    if "_display" in resource:
        reference = {"type": kind}
        if "identifier" in resource:
            reference["identifier"] = resource["identifier"][0]
        if resource["_display"]:
            reference["display"] = resource["_display"]
        return Shared(reference, inner=tuple(inner))
    own = "c" + name(_encode(resource).decode())[:13]
    return Shared({"reference": f"#{own}"}, contained={"resourceType": kind, "id": own, **resource}, inner=tuple(inner))


def _entries(inner: list[Shared]) -> tuple[Shared, ...]:
    """Those that are entries, also behind contained ones."""
    return tuple(entry for each in inner for entry in ((each,) if each.entry is not None else _entries(list(each.inner))))


def _shared_inside(value: Any, name: Callable[[str], str], inner: list[Shared]) -> Any:
    """`value` with references in the place of the resources in it; these go to `inner`."""
    if isinstance(value, dict):
        if "resourceType" in value:
            shared = share(value, name)
            inner.append(shared)
            return shared.reference
        return {key: _shared_inside(each, name, inner) for key, each in value.items()}
    return [_shared_inside(each, name, inner) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class CallPlan:
    """Everything a Call is made of but the environment: decided when the map is compiled."""

    component: int = 0
    subcomponent: int = 0
    function: Callable[..., Any] | None = None
    gives_pair: bool = False  # the function gives (type, value)
    gives_list: bool = False
    memo: bool = False
    table: Mapping[str | None, Any] | None = None  # key -> what it means, shaped for the target; None: otherwise
    table_to: str = ""  # the function's parameter that takes the table itself
    properties: Mapping[str, str] | None = None  # for choices: type -> JSON name
    withs: tuple[str, ...] = ()  # names of the values read from fields
    constants: Mapping[str, Any] | None = None
    many: bool = False  # the target is a list
    each: bool | str = True
    wrap: Any = None
    with_each: Any = None
    shares: bool = False  # the function's resources are referred to


class Call:
    """The slow path of one rule, in one environment."""

    __slots__ = ("plan", "memo", "said", "name", "keeps", "constants", "straight")

    def __init__(self, plan: CallPlan, name: Callable[[str], str]) -> None:
        self.plan, self.name = plan, name
        self.memo: dict[Any, Any] = {}
        self.said: dict[Any, tuple[Any, list[tuple[str, Any, str]]]] = {}
        self.keeps = plan.memo
        self.constants = dict(plan.constants or {})
        if plan.table_to:
            self.constants[plan.table_to] = plan.table
        if plan.memo and plan.table is not None and plan.function is None and not plan.component and plan.wrap is None:
            self.memo = {key: ([value] if plan.many else value) for key, value in plan.table.items() if key is not None}
        dressed = plan.component or plan.table is not None and not plan.table_to or plan.shares or plan.gives_pair or plan.gives_list or plan.with_each
        self.straight = None if dressed or plan.wrap is not None or plan.properties is not None else plan.function

    def __call__(self, conversion: Conversion, text: str, *withs: str) -> Any:
        """The value for a field's whole text.  Pairs (name, value) for choices.

        Where nothing can be said: None, or SKIP if the rule has a memo.
        """
        if not self.keeps:
            return None if text == NULL else self._value(conversion, text, withs)
        if text == NULL:
            return SKIP
        key = (text, *withs) if withs else text
        if self.said and (kept := self.said.get(key)) is not None:
            conversion.say_again(kept[1])
            return kept[0]
        before = len(conversion.remarks)
        value = self._value(conversion, text, withs)
        if value is None:
            value = SKIP
        if len(text) <= LONGEST:
            self._keep(key, value, conversion.remarks[before:])
        return value

    def _keep(self, key: Any, value: Any, remarks: list[tuple[str, Any, str]]) -> None:
        if remarks:
            if len(self.said) >= KEPT:
                self.said.clear()
            self.said[key] = (value, remarks)
        else:
            if len(self.memo) >= KEPT:
                self.memo.clear()
            self.memo[key] = value

    def _value(self, conversion: Conversion, text: str, withs: tuple[str, ...]) -> Any:
        plan = self.plan
        options = self.constants
        if withs:
            options = {**options, **{name: _first(value, conversion) for name, value in zip(plan.withs, withs)}}
        if conversion.repetition not in text:
            if self.straight is not None:
                value = self.straight(text, conversion, **options)
                return value if value is None or not plan.many else [value]
            value = self._one(conversion, text, options)
            if value is None or not plan.many or plan.gives_list:
                return value
            return [value]
        if plan.each == "lines":
            return self._lines(conversion, text, options)
        return self._repeated(conversion, text.split(conversion.repetition), options)

    def _repeated(self, conversion: Conversion, texts: list[str], options: dict[str, Any]) -> Any:
        plan, found = self.plan, []
        valued = [(number, text) for number, text in enumerate(texts, 1) if text and text != NULL]
        if not plan.many or plan.each is False:
            for number, _ in valued[1:]:
                conversion.unread(number)
            del valued[1:]
        for number, text in valued:
            value = self._one(conversion, text, options)
            if value is None:
                conversion.unread(number)
            elif plan.gives_list:
                found += value
            else:
                found.append(value)
        if not found:
            return None
        return found if plan.many else found[0]

    def _lines(self, conversion: Conversion, text: str, options: dict[str, Any]) -> Any:
        """All repetitions as the lines of one text."""
        bare = [None if not each or each == NULL else self._convert(conversion, each, options) for each in text.split(conversion.repetition)]
        if all(each is None for each in bare):
            return None
        if self.plan.gives_pair:
            kind = next(each[0] for each in bare if each is not None)
            return self._wrapped((kind, "\n".join("" if each is None else each[1] for each in bare)))
        value = self._wrapped("\n".join("" if each is None else each for each in bare))
        return [value] if self.plan.many else value

    def _one(self, conversion: Conversion, text: str, options: dict[str, Any]) -> Any:
        plan = self.plan
        if plan.component:
            text = _part(text, conversion.component, plan.component)
            if plan.subcomponent:
                text = _part(text, conversion.subcomponent, plan.subcomponent)
            if not text or text == NULL:
                return None
        value = self._convert(conversion, text, options)
        if value is None:
            return None
        if plan.gives_list:
            return [self._wrapped(each) for each in value] or None
        return self._wrapped(value)

    def _convert(self, conversion: Conversion, text: str, options: dict[str, Any]) -> Any:
        plan = self.plan
        if plan.table is not None and not plan.table_to:
            known = plan.table.get(_code(text, conversion))
            if known is None and plan.function is None:
                known = plan.table.get(None)
            if known is not None or plan.function is None:
                return known
        if plan.function is None:
            return conversion.text(_part(text, conversion.component, 1)) or None
        return plan.function(text, conversion, **options)

    def _wrapped(self, value: Any) -> Any:
        """The value as it is written: shared, wrapped, named."""
        plan = self.plan
        if plan.shares:
            return share(value, self.name)
        kind = ""
        if plan.gives_pair:
            kind, value = value
        if plan.wrap is not None:
            value = fill(plan.wrap, value, kind)
        if plan.with_each:
            value = {**plan.with_each, **value}
        if plan.properties is not None:
            return plan.properties[kind], value
        return value


def fill(pattern: Any, value: Any, kind: str) -> Any:
    """`pattern` with `value` in the place of `@`; a key `value[x]` gets the suffix of its type."""
    if pattern == "@":
        return value
    if isinstance(pattern, dict):
        return {(key[:-3] + kind[:1].upper() + kind[1:] if key.endswith("[x]") else key): fill(each, value, kind) for key, each in pattern.items()}
    if isinstance(pattern, list):
        return [fill(each, value, kind) for each in pattern]
    return pattern


def _first(text: str, conversion: Conversion) -> str:
    """The first valued repetition of a field a `with:` value was read from; '' for NULL."""
    if conversion.repetition in text:
        text = next((each for each in text.split(conversion.repetition) if each and each != NULL), "")
    return "" if text == NULL else text


def _part(text: str, separator: str, number: int) -> str:
    """The component or subcomponent `number` of a text, '' if it has no so many."""
    if separator not in text:
        return text if number == 1 else ""
    parts = text.split(separator)
    return parts[number - 1] if len(parts) >= number else ""


def _code(text: str, conversion: Conversion) -> str:
    """What a table is asked for: the first component as a reader sees it."""
    return conversion.text(_part(_part(text, conversion.component, 1), conversion.subcomponent, 1)).strip()


class Truths(dict[str, bool]):
    """Answers of one equality test by the text of its field: `truths[text]`."""

    def __init__(self, values: tuple[str, ...], component: int, subcomponent: int, reading: Reading) -> None:
        super().__init__()
        self._values, self._component, self._subcomponent, self._reading = frozenset(values), component, subcomponent, reading

    def __missing__(self, text: str) -> bool:
        answer = plain(text, self._component, self._subcomponent, self._reading) in self._values
        if len(self) < KEPT and len(text) <= LONGEST:
            self[text] = answer
        return answer


class Choices(dict[str, int]):
    """Which case a `choose` takes, by the text of its field; -1: none."""

    def __init__(self, cases: Mapping[str, int], default: int, component: int, subcomponent: int, reading: Reading) -> None:
        super().__init__()
        self._cases, self._default, self._component, self._subcomponent, self._reading = cases, default, component, subcomponent, reading

    def __missing__(self, text: str) -> int:
        answer = self._cases.get(plain(text, self._component, self._subcomponent, self._reading), self._default)
        if len(self) < KEPT and len(text) <= LONGEST:
            self[text] = answer
        return answer


def plain(text: str, component: int, subcomponent: int, reading: Reading) -> str:
    """What a condition compares: of the first repetition the component (default: the first), unescaped."""
    part = _part(text.partition(reading.repetition)[0], reading.component, component or 1)
    return reading.text(_part(part, reading.subcomponent, subcomponent or 1)).strip()


def piece(text: str, component: int, subcomponent: int, reading: Reading) -> str:
    """A component of the first repetition, as it stands in the message."""
    part = _part(text.partition(reading.repetition)[0], reading.component, component)
    return _part(part, reading.subcomponent, subcomponent) if subcomponent else part


def valued(text: str, component: int, subcomponent: int, reading: Reading) -> bool:
    """Whether a component says anything in the first repetition."""
    part = _part(text.partition(reading.repetition)[0], reading.component, component)
    if subcomponent:
        part = _part(part, reading.subcomponent, subcomponent)
    return bool(part) and part != NULL


def matches(test: Callable[[str, Reading], bool], text: str, reading: Reading) -> bool:
    """Whether a registered predicate holds of the first repetition."""
    text = text.partition(reading.repetition)[0]
    return bool(text) and text != NULL and bool(test(text, reading))
