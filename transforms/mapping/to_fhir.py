"""HL7 v2 to FHIR: a message in, the pure Bundle out, with parts, ledger and notes.

Pure: what time it is, whose site it is and where the sender stands come in with the context.  Code is written once for a map
and its options, bound once for an environment (a sender's delimiters, version, zone, and the site's identity).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import add
from types import TracebackType
from typing import Any

from transforms.document import WHOLE, Context, Identity, Note, Part
from transforms.errors import ErrorCode, MessageError
from transforms.hl7.delimiters import Delimiters
from transforms.hl7.groups import group
from transforms.hl7.lines import segments_of
from transforms.hl7.message import Message
from transforms.hl7.structures import PACKAGED, Structures
from transforms.mapping.arrangement import Branch, Plan, make_plan
from transforms.mapping.definition import MessageMap
from transforms.mapping.grouping import ARRANGEMENTS
from transforms.mapping.identity import namer
from transforms.mapping.ledger import left_over
from transforms.mapping.making import Module
from transforms.mapping.moments import instant, zone_of
from transforms.mapping.options import MapOptions
from transforms.mapping.outcome import Outcome
from transforms.mapping.preparation import Known, Preparation
from transforms.mapping.reading import Reading, sayable
from transforms.mapping.claims import takes
from transforms.mapping.calls import Call, Choices, Truths, plain
from transforms.mapping.conversion import GENERATED, Conversion

Arrange = Callable[[Any, str], Branch]

ENVIRONMENTS = 64  # senders whose memos are kept
BLANK = [""] * 100  # the row of a segment that is not there
TYPES = 1000  # spellings of MSH-9 that are remembered
PLANS = 2000  # sequences of segments whose plans are kept
NO_ZONE = Note("zone_unknown", "MSH-7", "neither the message nor the channel says a zone: times without an offset of their own are cut to the date")

CONTROLS = Note("control_characters", "MSH", "the message holds control characters, which FHIR has none of: U+FFFD stands for them")


@dataclass(slots=True, unsafe_hash=True)
class Converted:
    """What became of a message."""

    bundle: dict[str, Any]
    parts: tuple[Part, ...] = WHOLE
    leftover: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class _Planned:
    """A plan with what follows from it."""

    plan: Plan
    usual: tuple[tuple[Any, ...], ...]  # its steps where nothing repeats
    pads: tuple[list[str], ...]
    deviations: tuple[Note, ...]
    watch: slice | tuple[int, ...]  # where the OBX stand
    always: tuple[int, ...]
    known: Known


@dataclass(frozen=True)
class Environment:
    """What holds for all messages of one sender: generated functions with their memos."""

    makes: tuple[Callable[..., None], ...]
    late: tuple[tuple[int, Callable[..., None]], ...]
    name: Callable[[str], str]
    issuer: str
    sender: tuple[str, str]
    version: str
    systems: dict[tuple[Any, ...], str]
    codes: dict[str, str]
    held: tuple[Any, ...]  # what the environment's key speaks of by id, kept alive


class Converter:
    """A message map under options, ready to convert messages."""

    def __init__(
        self, message_map: MessageMap, module: Module, options: MapOptions, arrange: Arrange | None = None, structures: Structures = PACKAGED
    ) -> None:
        self.map, self.module, self.options, self.structures = message_map, module, options, structures
        self._always = {"MSH": 1 << 1 | 1 << 2}  # the delimiters: they are how the message was read
        for place in message_map.drop:
            self._always[place.segment] = self._always.get(place.segment, 0) | 1 << place.field
        self._preparation = Preparation(module)
        self._outcome = Outcome(module, optional=message_map.patient == "optional")
        patient = any(make.type == "Patient" and not make.into for make in message_map.makes)
        self._lacking = "OBR" if message_map.arrange == "results" else "PID" if patient else "MSH"
        self._plans: dict[tuple[str, tuple[str, ...]], _Planned] = {}
        self._environments: dict[tuple[Any, ...], Environment] = {}
        self._arrange = arrange or ARRANGEMENTS[message_map.arrange]

    def of(self, message: Message) -> Converter:
        """The converter for a message: this one."""
        return self

    def __call__(self, message: Message, context: Context, received: Message | None = None) -> Converted:
        """Convert one message; `received`: as it came, where a step has changed it.  Raises MessageError with the rule at fault where it cannot."""
        return self.run(message, context, received)[0]

    def run(self, message: Message, context: Context, received: Message | None = None) -> tuple[Converted, Conversion]:
        """Convert one message, and give what is known of how it went."""
        conversion = Conversion.__new__(Conversion)
        conversion.received = received or message
        try:
            return self._convert(message, context, conversion), conversion
        except MessageError:
            raise
        except Exception as error:  # a rule or function at fault: said with its place, never swallowed
            raise _blamed(error, conversion) from error

    def _convert(self, message: Message, context: Context, conversion: Conversion) -> Converted:
        delimiters = message.delimiters
        separator = delimiters.field
        whole = sayable(message.text)
        names, texts = message.lines if whole is message.text else segments_of(whole, separator)
        rows = [text.split(separator) for text in texts]
        header = rows[0]
        header.insert(1, separator)
        component = delimiters.component
        if whole.find(separator + component, 9) >= 0 and _says_nothing(delimiters).search(whole, 9):
            _blank_delimiters(rows, component + delimiters.repetition + delimiters.subcomponent)
        key = (header[9] if len(header) > 9 else "", tuple(names))
        planned = self._plans.get(key) or self._planned(key, message)
        plan = planned.plan
        lengths = [*map(len, rows)]
        rows = [*map(add, rows, planned.pads)]
        rows.append(BLANK)
        lengths.append(0)
        self._begin(conversion, message, context, rows, plan)
        if whole is not message.text:
            conversion.notes.append(CONTROLS)
        conversion.lengths = lengths
        prepared = self._preparation(conversion, plan, planned.usual, planned.watch, planned.known)
        environment = self._environment(conversion, message, context, rows[0])
        makes, steps = environment.makes, prepared.steps
        for index, groups in prepared.active:
            makes[index](conversion, groups)
        for index, late in environment.late:
            late(conversion, steps[index])
        return self._finished(conversion, planned, steps)

    def _begin(self, conversion: Conversion, message: Message, context: Context, rows: list[list[str]], plan: Plan) -> None:
        delimiters = message.delimiters
        conversion.delimiters = delimiters
        conversion.component, conversion.subcomponent = delimiters.component, delimiters.subcomponent
        conversion.repetition, conversion.escape = delimiters.repetition, delimiters.escape
        conversion.context, conversion.options = context, self.options
        conversion.rows, conversion.plan = rows, plan
        conversion.used = [0] * len(rows)
        conversion.notes, conversion.remarks, conversion.entries, conversion._at, conversion.repeating = [], [], [], 0, 0
        conversion.urls, conversion.ordinals, conversion.aliases, conversion.originals = {}, {}, {}, {}
        conversion.leftover, conversion.trace, conversion.weak, conversion.removed = [], [], [], []
        conversion.noted, conversion.repeated, conversion.pending, conversion.kept = set(), set(), {}, set()
        nodes = plan.nodes + 1
        conversion.outs, conversion.refs = [None] * nodes, [None] * nodes
        conversion.forms, conversion.logical = [None] * nodes, [None] * nodes
        conversion.keys, conversion.ids = [""] * nodes, [""] * nodes
        conversion.message = message

    def _environment(self, conversion: Conversion, message: Message, context: Context, header: list[str]) -> Environment:
        """The environment of this message's sender; sets what a Reading says of it."""
        offset, zone = zone_of(header[7], context.timezone)
        identity = context.identity
        key = (id(message.delimiters), header[3], header[4], header[12], header[18], offset, zone, id(identity))
        found = self._environments.get(key)
        if found is None:
            found = self._bind(conversion, header, identity)
            if len(self._environments) >= ENVIRONMENTS:
                self._environments.clear()
            self._environments[key] = found
        conversion.offset, conversion.zone = offset, zone
        conversion.sender, conversion.version = found.sender, found.version
        conversion.systems, conversion.codes = found.systems, found.codes
        conversion.name, conversion.issuer = found.name, found.issuer
        return found

    def _bind(self, conversion: Conversion, header: list[str], identity: Identity) -> Environment:
        name = namer(identity.secret)
        reading = Reading(conversion.delimiters, conversion.context, self.options, codec=conversion.message.encoding)
        bound: list[Any] = []
        calls: dict[str, Call] = {}
        for label, kind, arguments in self.module.bound:
            if kind == "Call":
                calls[label] = Call(arguments[0], name)
                bound.append(calls[label])
            elif kind == "Memo":
                bound.append(calls[arguments[0]].memo.get)
            else:
                bound.append((Truths if kind == "Truths" else Choices)(*arguments, reading))
        makes, late = self.module.factory(bound)
        sender = (plain(header[3], 1, 1, reading), plain(header[4], 1, 1, reading))
        issuer = f"{identity.base.rstrip('/')}/result-key" if identity.base else ""
        held = (conversion.delimiters, identity)
        return Environment(makes, late, name, issuer, sender, plain(header[12], 1, 1, reading), {}, {}, held)

    def _planned(self, key: tuple[str, tuple[str, ...]], message: Message) -> _Planned:
        if self.map.messages and not takes(self.map, message, self.structures):
            why = f"the map {self.map.name} is for {', '.join(self.map.messages)}"
            raise MessageError(ErrorCode.UNSUPPORTED_MESSAGE_TYPE, "MSH-9", why, fatal=True)
        tree = group(message, structures=self.structures)
        names = key[1]
        plan = make_plan(names, self._arrange(tree, self.options.obx_after_spm), self.module.sites, self.map.part, self.structures.followers)
        pads = tuple([""] * (self.module.widest.get(name, 0) + 1) for name in names)
        results = tuple(index for index, name in enumerate(names) if name == "OBX")
        together = bool(results) and results[-1] - results[0] + 1 == len(results)
        watch = slice(results[0], results[-1] + 1) if together else results
        always = tuple(self._always.get(name, 0) for name in names)
        planned = _Planned(plan, self._preparation.usual(plan), pads, tuple(tree.deviations), watch, always, {})
        if len(self._plans) >= PLANS:
            self._plans.clear()
        self._plans[key] = planned
        return planned

    def _finished(self, conversion: Conversion, planned: _Planned, steps: list[Any]) -> Converted:
        if not conversion.entries and self.map.messages:
            raise MessageError(ErrorCode.SEGMENT_SEQUENCE, self._lacking, "there is nothing to convert: no patient, no order and no result")
        header = conversion.rows[0]
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "transaction"}
        if header[10]:
            base = conversion.context.identity.base
            system = {"system": f"{base.rstrip('/')}/message-control-id"} if base else {}
            bundle["identifier"] = {**system, "value": conversion.text(header[10])}
        if stamp := instant(header[7]):
            bundle["timestamp"] = stamp
            conversion.used[0] |= 1 << 7
        bundle["entry"] = conversion.entries
        parts = self._outcome(conversion, steps)
        notes = planned.deviations
        if not (conversion.offset or conversion.zone):
            notes = (*notes, NO_ZONE)
        if conversion.notes:
            notes = (*notes, *conversion.notes)
        return Converted(bundle, parts, left_over(conversion, planned.always), notes)


class AnyConverter:
    """Chooses the message map by the message's type; maps are compiled when the first message for them comes."""

    def __init__(self, choose: Callable[[Message], str], converter: Callable[[str], Converter]) -> None:
        self._choose, self._converter = choose, converter
        self._known: dict[str, Converter] = {}  # by MSH-9

    def of(self, message: Message) -> Converter:
        """The converter for a message.  Raises MessageError where none is for its type."""
        header = message.header
        said = header[9] if len(header) > 9 else ""
        found = self._known.get(said)
        if found is None:
            name = self._choose(message)
            if not name:
                raise MessageError(ErrorCode.UNSUPPORTED_MESSAGE_TYPE, "MSH-9", "no map is for messages of this type", fatal=True)
            found = self._converter(name)
            if len(self._known) < TYPES:
                self._known[said] = found
        return found

    def __call__(self, message: Message, context: Context, received: Message | None = None) -> Converted:
        """Convert one message."""
        return self.of(message)(message, context, received)

    def run(self, message: Message, context: Context, received: Message | None = None) -> tuple[Converted, Conversion]:
        """Convert one message, and give what is known of how it went."""
        return self.of(message).run(message, context, received)


@lru_cache(maxsize=64)
def _says_nothing(delimiters: Delimiters) -> re.Pattern[str]:
    """Finds a field of nothing but delimiters."""
    field = re.escape(delimiters.field)
    inner = "".join(map(re.escape, (delimiters.component, delimiters.repetition, delimiters.subcomponent)))
    return re.compile(rf"{field}[{inner}]+(?={field}|[\r\n]|$)")


def _blank_delimiters(rows: list[list[str]], delimiters: str) -> None:
    """Fields of nothing but delimiters say nothing: make them empty, but MSH-2."""
    for index, row in enumerate(rows):
        rows[index] = [each if not each or number < 3 and index == 0 or each.strip(delimiters) else "" for number, each in enumerate(row)]


def _blamed(error: Exception, conversion: Conversion) -> MessageError:
    """What to say of an exception in generated code: the rule, its line, the place in the message."""
    trace: TracebackType | None = error.__traceback__
    place, origin, rule = "MSH", "", "the map"
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_filename.startswith(GENERATED) and (line := frame.f_globals["LINES"].get(trace.tb_lineno)):
            origin, rule = f"{line.file}:{line.line}", f"rule {line.rule}"
            position = frame.f_locals.get("i" + line.segment, -1)
            if position >= 0:
                place = conversion.place_of(position, line.field)
        trace = trace.tb_next
    return MessageError(ErrorCode.INTERNAL, place, f"{rule} failed with {type(error).__name__}", origin=origin)
