"""The makes of a message map, written as Python: one function a make, a loop over the instances its plan has.

An instance: see whether it is wanted, find out who it is (results), write its rules, tie its links, put it where it
belongs: an entry of its own (PUT for what we own, conditional POST for what is shared, rule 6), inside what refers to it
(rule 7), or into an element of another make.  What is the same for all Observations of an order (their links, rules that
read only the order) is written once into `base`.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha1
from typing import Any

from transforms.fhir.elements import Element, children, element, resource_types
from transforms.mapping.arrangement import Site
from transforms.mapping.calls import fill, matches, piece, valued
from transforms.mapping.compiler import RuleWriter
from transforms.mapping.conversion import GENERATED, NULL, SKIP, Line
from transforms.mapping.definition import Make, MessageMap, Rule, SegmentMap
from transforms.mapping.expressions import Frame
from transforms.mapping.kit import Kit
from transforms.mapping.made import Made, keyed_of, manifold_of, parted_of, widest_of
from transforms.mapping.placing import PlaceWriter
from transforms.mapping.references import contain, hold, keep_form, place_shared, place_twin, refer, share
from transforms.mapping.targets import json_names
from transforms.mapping.tracing import trace_shared
from transforms.mapping.uniting import leave_to_prior
from transforms.mapping.usual import with_usual
from transforms.mapping.writing import Code

RESULTS = ("DiagnosticReport", "Observation")  # never left out for what they lack
OWN_WEIGHT = ("DiagnosticReport", "Observation", "DocumentReference", "Provenance")  # something even if only constants were written

PREFACE = {
    "NULL": NULL,
    "SKIP": SKIP,
    "ABSENT": frozenset(("", NULL)),
    "NOTHING": {},
    "REFER": refer,
    "SHARE": share,
    "CONTAIN": contain,
    "HOLD": hold,
    "KEEP_FORM": keep_form,
    "PLACE_SHARED": place_shared,
    "PLACE_TWIN": place_twin,
    "LEAVE_TO_PRIOR": leave_to_prior,
    "FILL": fill,
    "MATCHES": matches,
    "VALUED": valued,
    "PIECE": piece,
    "TRACE_SHARED": trace_shared,
}
LOCALS = {
    "F": "S.rows",
    "U": "S.used",
    "N": "S.refs",
    "O": "S.outs",
    "E": "S.entries",
    "IDS": "S.ids",
    "NAME": "S.name",
    "ISSUER": "S.issuer",
    "REP": "S.repetition",
    "COMP": "S.component",
    "ESC": "S.escape",
}
"""What generated code calls parts of a conversion; a make gets those it speaks of."""
TRACED = {"TRACE": "S.trace.append"}
_NAMES = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class Module:
    """Generated code, compiled: `factory(bound objects)` gives a function for each make, and the late ones."""

    source: str
    file: str
    factory: Any
    bound: tuple[tuple[str, str, tuple[Any, ...]], ...]
    sites: tuple[Site, ...]
    makes: tuple[Make, ...]
    widest: Mapping[str, int]  # segment -> number of its last field that is read
    keyed: Mapping[str, tuple[int, ...]]  # segment -> fields that keys the map declares are made of


def write_module(message_map: MessageMap, maps: Mapping[str, SegmentMap], kit: Kit, *, explain: bool) -> Module:
    """Write and compile the code of a message map."""
    return _ModuleWriter(message_map, maps, kit, explain).module()


class _ModuleWriter(PlaceWriter):
    """Writes one module; `made` are its makes with what they are written of."""

    def __init__(self, message_map: MessageMap, maps: Mapping[str, SegmentMap], kit: Kit, explain: bool) -> None:
        self.map, self.kit, self.explain = message_map, kit, explain
        self.made = [Made(index, make, maps) for index, make in enumerate(with_usual(message_map, maps).makes)]
        self.named = {each.make.name: each for each in self.made}
        self.manifold, self.parted = manifold_of(self.made), parted_of(self.made)
        self.code = Code()
        self.code.names.update(PREFACE)

    def module(self) -> Module:
        code = self.code
        code.depth = 1
        for made in self.made:
            for name, _ in made.make.link:
                made.link(*self._linked(dict(made.make.link)[name]))
        for made in self.made:
            self._make(made)
        late = [made for made in self.made if self._late_links(made)]
        for made in late:
            self._late(made)
        head = ["def environment(BOUND):", "    (" + "".join(f"{name}, " for name, _, _ in code.bound) + ") = BOUND"]
        functions = "".join(f"make_{made.index}, " for made in self.made)
        tail = f"    return ({functions}), (" + "".join(f"({made.index}, late_{made.index}), " for made in late) + ")"
        source = "\n".join([*head, *code.lines, tail]) + "\n"
        file = f"{GENERATED}{self.map.name} {sha1(source.encode()).hexdigest()[:10]}>"
        names = dict(code.names, LINES={number + len(head): line for number, line in code.table.items()})
        exec(compile(source, file, "exec"), names)  # our own text, written from checked rules: no part of it is input
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        sites, makes = tuple(made.site() for made in self.made), tuple(made.make for made in self.made)
        return Module(source, file, names["environment"], tuple(code.bound), sites, makes, widest_of(self.made), keyed_of(self.made))

    @staticmethod
    def _linked(wanted: str) -> tuple[str, bool]:
        return wanted.removesuffix("[]"), wanted.endswith("[]")

    # one make

    def _make(self, made: Made) -> None:
        code, make = self.code, made.make
        own_line = Line(f"{self.map.name}/{make.name}", make.spot.file, *make.spot.place)
        for name in made.identity.links if made.identity else ():
            made.link(name, False)
        if make.into:
            made.link(make.into.partition(".")[0], False)
        head, rules = self._shares_of(made)
        grown = made.grown | {rule.to[0].name for _, rule in head}
        frame = Frame(make.type, "out", made.own, self.manifold, self.parted, grown, self.explain, bool(make.verb))
        every = [rule for _, rule in made.rules]
        writer = RuleWriter(code, self.kit, frame, rules, every)
        heading = RuleWriter(code, self.kit, replace(frame, out="base", masks=(), grown=frozenset()), head, every)
        code.line = None
        code.put(f"def make_{made.index}(S, steps):")
        code.depth += 1
        used = self._hole()
        loop = self._hole()
        code.depth += 1
        if made.grouped:
            outer_rows = self._hole()
            if made.identity.quick:
                code.put(f"ORDINALS = S.ordinals; CODES = S.codes; AROUND = S.keys[{made.link(made.identity.links[0], False)}]; weak = S.weak")
            code.put("base = {}")
            outer_reset = self._hole()
            heading.write()
            code.line = own_line
            self._links(made, "base")
            code.line = None
            inner_loop = self._hole()
            code.depth += 1
        rows = self._hole()
        code.line = own_line
        if make.when is not None:
            with code.block(f"if not {writer.condition(make.when)}:"):
                code.put("continue")
        self._begin(made)
        if self.explain and made.resource:
            read = made.identity.reads if made.identity else ()
            places = "".join(f"(i{segment}, {number}), " for segment, number in read if segment in made.identity.segments)
            code.put(f"TRACE((out, None, None, {code.constant(code.line, 'L')}, ({places})))")
        reset = self._hole()
        writer.write()
        code.line = own_line
        self._links(made, "out")
        self._complete(made, writer)
        self._finish(made)
        self._settle(made)
        code.line = None
        made.see(writer.segments | heading.segments, writer.lengths)
        depth = code.depth
        code.depth = 2
        if made.grouped:
            self._fill(loop, f"for {made.names('outer')}, inner in steps:", 2)
            self._fill(outer_rows, self._rows(made, heading.segments | writer.segments, set(made.outer), {}), 3)
            self._fill(outer_reset, heading.reset() or "pass", 3)
            self._fill(inner_loop, f"for {made.names('inner')} in inner:", 3)
            self._fill(rows, self._rows(made, writer.segments, set(made.inner), writer.static), depth)
        else:
            self._fill(loop, f"for {made.names('all')} in steps:", 2)
            self._fill(rows, self._rows(made, writer.segments, set(made.segments), writer.static), depth)
        self._fill(reset, writer.reset() or "pass", depth)
        spoken = set(_NAMES.findall("\n".join(code.lines[used:])))
        known = LOCALS | (TRACED if self.explain else {})
        self._fill(used, "; ".join(f"{name} = {value}" for name, value in known.items() if name in spoken) or "pass", 2)
        code.depth = 1

    def _hole(self) -> int:
        """A line to be filled when it is known what must stand there."""
        self.code.put("")
        return len(self.code.lines) - 1

    def _fill(self, hole: int, text: str, depth: int) -> None:
        self.code.lines[hole] = "    " * depth + text

    def _rows(self, made: Made, read: set[str], standing: set[str], static: Mapping[str, int]) -> str:
        """Locals for the rows of segments, their lengths, and what is read of them."""
        parts = [f"{name} = F[i{name}]" for name in made.segments if name in read & standing]
        parts += [f"L{name} = S.lengths[i{name}]" for name in made.segments if name in made.lengths & standing]
        parts += [f"u{name} = {mask}" for name, mask in static.items()]
        return "; ".join(parts or ["pass"])

    def _shares_of(self, made: Made) -> tuple[list[tuple[str, Rule]], list[tuple[str, Rule]]]:
        """The rules that can be written once for a group, and the others.

        Once: the rules of an element that read nothing but segments around and make no resources: all of them, or of a list the first.
        """
        if not made.grouped or self.explain:
            return [], made.rules
        inner = {rule.to[0].name.lstrip("_") for _, rule in made.rules if rule.to and not self._is_outer(made, rule)}
        begun = set(made.grown)  # elements of which the next rules are no first ones
        head = []
        for pair in made.rules:
            if not pair[1].to:
                continue
            name, rest = pair[1].to[0].name.lstrip("_"), pair[1].to[1:]
            found = element(made.make.type, name)
            lists = found is not None and found.many and not rest
            if name not in begun and (name not in inner or lists and self._is_outer(made, pair[1])):
                head.append(pair)
            else:
                begun.add(name)
        return head, [pair for pair in made.rules if pair not in head]

    def _is_outer(self, made: Made, rule: Rule) -> bool:
        names = {self.kit.functions[case.action.function].gives for case in rule.cases if case.action.function in self.kit.functions}
        return not names & resource_types() and not made.segments_of(rule) & set(made.own)

    def _complete(self, made: Made, writer: RuleWriter) -> None:
        """What lacks an element that R4 requires, or says nothing but constants, is left out, its fields left over.

        A result never is (design, section 9).  What no rule writes is not asked for here.
        """
        make = made.make
        if make.type in RESULTS or make.into and "." not in make.into:
            return
        late = {name for name, _ in self._late_links(made)}
        plain = [rule for _, rule in made.rules if len(rule.to) == 1 and rule.when is None and not rule.choose]
        certain = {rule.to[0].name for rule in plain if not rule.cases[0].action.sources}
        written = {rule.to[0].name for _, rule in made.rules if rule.to} | {name for name, _ in make.link}
        for name, child in children(make.type).items():
            if child.min and name not in late and name not in certain and written & {name, *json_names(make.type, name)}:
                writer.needs(name)
        if make.needs:
            with self.code.block(f"if out.keys().isdisjoint({self.code.constant(frozenset(make.needs))}):"):
                self.code.put("continue")
        if make.into or make.type not in OWN_WEIGHT:
            known = frozenset(writer.constant_keys | {name for name, _ in make.link if made.rules and not make.into})
            with self.code.block(f"if out.keys() <= {self.code.constant(known)}:"):
                self.code.put("continue")

    # links

    def _late_links(self, made: Made) -> list[tuple[str, str]]:
        """Links to what is made later."""
        others = [(name, wanted, self.named.get(self._linked(wanted)[0])) for name, wanted in made.make.link]
        return [(name, wanted) for name, wanted, other in others if other is not None and other.index > made.index]

    def _links(self, made: Made, into: str) -> None:
        """Links to what is made already: to entries once for a group, where there are groups; into `out` what must stand inside."""
        late = self._late_links(made)
        for name, wanted in made.make.link:
            target = element(made.make.type, name)
            if self._linked(wanted)[0] not in self.named or target is None or (name, wanted) in late:
                continue
            self._link(made, name, target, wanted, into)

    def _link(self, made: Made, name: str, target: Element, wanted: str, into: str) -> None:
        code = self.code
        other, many = self._linked(wanted)
        local = made.link(other, many)
        inside = self.named[other].identity is not None and not self.named[other].identity.counted
        allowed = self.named[other].make.contain_in
        contained = inside and (allowed is None or made.make.name in allowed)
        home = "out" if (name, wanted) in self._late_links(made) else "home"
        by_number = f" or S.logical[{local}]" if inside and not contained else ""
        if many:
            form = f"(S.forms[j] and HOLD(S, {home}, j))" if contained else "S.logical[j]" if inside else "None"
            code.put(f"v = [x for x in [N[j] or {form} for j in {local}] if x is not None]")
            with code.block("if v:"):
                *around, last = name.split(".")
                into = self._inside("out", around)
                code.put(f"{into}[{last!r}] = [*{into}.get({last!r}, ()), *v]")
                self._trace(into, last, "0")
            return
        if not made.grouped or into == "base":
            held = f" or (S.forms[{local}] and HOLD(S, {home}, {local}))" if contained and not made.grouped else ""
            code.put(f"v = N[{local}]{by_number}{held}")
            self._tie(into, name, target)
        elif contained:
            with code.block(f"if N[{local}] is None and S.forms[{local}] is not None:"):
                code.put(f"v = HOLD(S, {home}, {local})")
                self._tie(into, name, target)

    def _tie(self, into: str, name: str, target: Element) -> None:
        """Put the reference `v` into an element, which may stand in another."""
        code = self.code
        with code.block("if v is not None:"):
            *around, name = name.split(".")
            into = self._inside(into, around)
            code.put(f"{into}[{name!r}] = " + (f"[*{into}.get({name!r}, ()), v]" if target.many else "v"))
            self._trace(into, name, "0" if target.many else "None")

    def _late(self, made: Made) -> None:
        """A function run when all is made, for links to what was made later."""
        code = self.code
        code.put(f"def late_{made.index}(S, steps):")
        code.depth += 1
        code.put("N = S.refs; O = S.outs" + ("; TRACE = S.trace.append" if self.explain else ""))
        with code.block(f"for {made.names('all')} in steps:"):
            code.line = Line(f"{self.map.name}/{made.make.name}", made.make.spot.file, *made.make.spot.place)
            code.put("out = O[n]")
            with code.block("if out is None:"):
                code.put("continue")
            for name, wanted in self._late_links(made):
                target = element(made.make.type, name)
                if target is not None:
                    self._link(made, name, target, wanted, "out")
            code.line = None
        code.depth -= 1
