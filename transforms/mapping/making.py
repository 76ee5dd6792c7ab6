"""The makes of a message map, written as Python: one function a make, a loop over the instances its plan has.

An instance: see whether it is wanted, find out who it is (results), write its rules, tie its links, put it where it
belongs: an entry of its own (PUT for what we own, conditional POST for what is shared, rule 6), inside what refers to it
(rule 7), or into an element of another make.
"""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

from transforms.fhir.elements import Element, children, element, resource_types
from transforms.mapping.arrangement import Site
from transforms.mapping.compiler import Code, Kit, RuleWriter
from transforms.mapping.definition import Make, MessageMap, Rule, SegmentMap
from transforms.mapping.results import BY_TYPE, IDENTITIES, Identity
from transforms.mapping.runtime import GENERATED, NULL, SKIP, Line, contain, matches, piece, refer, share, valued

PREFACE = {
    "NULL": NULL,
    "ABSENT": frozenset(("", NULL)),
    "NOTHING": {},
    "REFER": refer,
    "SHARE": share,
    "CONTAIN": contain,
    "MATCHES": matches,
    "VALUED": valued,
    "PIECE": piece,
    "SKIP": SKIP,
}


RESULTS = ("DiagnosticReport", "Observation")  # never left out for what they lack


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


@dataclass
class _Made:
    """One make with what it is written of."""

    make: Make
    index: int
    rules: list[tuple[str, Rule]]
    own: tuple[str, ...]  # segments of its maps
    identity: Identity | None
    resource: bool
    links: dict[tuple[str, bool], int] = field(default_factory=dict)  # (make, all) -> order in the step

    def link(self, name: str, many: bool = False) -> str:
        """The local that holds a link's node (or nodes)."""
        order = self.links.setdefault((name, many), len(self.links))
        return f"l{order}"


def segment_maps_of(make: Make, maps: Mapping[str, SegmentMap]) -> list[SegmentMap]:
    """The maps a make names in `with`: `OBX` stands for `OBX_Observation` where it makes an Observation."""
    found = [maps.get(f"{name}_{make.type}") or maps.get(name) for name in (*make.with_, *make.with_if_only)]
    return [each for each in found if each is not None]


def write_module(message_map: MessageMap, maps: Mapping[str, SegmentMap], kit: Kit, *, explain: bool) -> Module:
    """Write and compile the code of a message map."""
    return _ModuleWriter(message_map, maps, kit, explain).module()


class _ModuleWriter:
    def __init__(self, message_map: MessageMap, maps: Mapping[str, SegmentMap], kit: Kit, explain: bool) -> None:
        self.map, self.kit, self.explain = message_map, kit, explain
        self.made: list[_Made] = []
        for index, make in enumerate(message_map.makes):
            used = segment_maps_of(make, maps)
            rules = [(each.name, rule) for each in used for rule in each.rules]
            resource = make.type in resource_types()
            name = make.identify or BY_TYPE.get(make.type, "by_identifier")
            own = tuple(dict.fromkeys(each.segment for each in used))
            self.made.append(_Made(make, index, rules, own, IDENTITIES[name] if resource and not make.into else None, resource))
        self.named = {each.make.name: each for each in self.made}
        self.manifold = self._manifold()
        self.sites: list[Site] = []
        self.widest: dict[str, int] = {"MSH": 20}

    def _manifold(self) -> set[tuple[str, int]]:
        """Fields of which some rule reads all repetitions."""
        found = set()
        for made in self.made:
            for _, rule in made.rules:
                for case in rule.cases:
                    many = case.action.each is not False and (case.action.each == "lines" or _many(made.make.type, rule))
                    found |= {(each.segment, each.field) for each in case.action.sources if many}
            if made.make.repeat:
                found.add((made.make.repeat.segment, made.make.repeat.field))
        return found

    def module(self) -> Module:
        code = Code("")
        code.names.update(PREFACE, HOLD=hold, KEEP_FORM=keep_form, PLACE=place_shared, FILL=fill_wrap)
        late: list[str] = []
        code.depth = 1
        for made in self.made:
            self._make(code, made)
        for made in self.made:
            late += self._late(code, made)
        functions = ", ".join(f"make_{made.index}" for made in self.made)
        body = code.lines
        head = ["def environment(BOUND):"]
        if code.bound:
            head.append("    (" + ", ".join(name for name, _, _ in code.bound) + ",) = BOUND")
        lines = [*head, *body, f"    return ({functions},), ({''.join(each + ', ' for each in late)})"]
        source = "\n".join(lines) + "\n"
        file = f"{GENERATED}{self.map.name} {sha1(source.encode()).hexdigest()[:10]}{' explained' if self.explain else ''}>"
        names = dict(code.names, LINES={number + len(head): line for number, line in code.table.items()})
        exec(compile(source, file, "exec"), names)  # our own text, written from checked rules: no part of it is input
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        return Module(source, file, names["environment"], tuple(code.bound), tuple(self.sites), tuple(each.make for each in self.made), self.widest)

    # one make

    def _make(self, code: Code, made: _Made) -> None:
        make = made.make
        code.line = None
        line, column = make.spot.place
        own_line = Line(f"{self.map.name}/{make.name}", make.spot.file, line, column)
        grown = frozenset({"identifier"} if made.identity and made.identity.owned else {"*"} if make.into and "." not in make.into else ())
        writer = RuleWriter(code, self.kit, make.type, made.rules, masks=made.own, manifold=self.manifold, explain=self.explain, grown=grown)
        segments: set[str] = set(made.own)
        code.put(f"def make_{made.index}(S, steps):")
        code.depth += 1
        code.put("F = S.rows; U = S.used; N = S.refs; O = S.outs; E = S.entries; REP = S.repetition; NAME = S.name; ISSUER = S.issuer" + ("; TRACE = S.trace.append" if self.explain else ""))
        loop = len(code.lines)
        code.put("")
        code.depth += 1
        rows = len(code.lines)
        code.put("")
        code.line = own_line
        if make.when is not None:
            with code.block(f"if not ({writer.condition(make.when)}):"):
                code.put("continue")
        if made.identity is not None:
            segments |= set(made.identity.segments)
        self._begin(code, made)
        reset = len(code.lines)
        code.line = None
        code.put("")
        writer.write()
        code.line = own_line
        self._links(code, made)
        self._complete(code, made)
        if self._contextual(made) and (not make.into or "." in make.into):
            with code.block(f"if out.keys() <= {code.constant(frozenset(writer.constant_keys | {name for name, _ in make.link}))}:"):
                code.put("continue")
        self._finish(code, made)
        for name in made.own:
            code.put(f"U[i{name}] |= u{name}")
        code.line = None
        code.depth -= 2
        segments |= writer.segments
        ordered = tuple(sorted(segments))
        self._site(made, ordered)
        for _, rule in made.rules:
            self._widen(rule)
        links = "".join(f", l{order}" for order in made.links.values())
        positions = "".join(f", i{name}" for name in ordered)
        code.lines[loop] = "        for n, part" + positions + links + " in steps:"
        setup = [f"{name} = F[i{name}]" for name in ordered if name in writer.segments or name in made.own]
        setup += [f"u{name} = {mask}" for name, mask in writer.static.items()]
        code.lines[rows] = "            " + "; ".join(setup or ["pass"])
        names = writer.containers()
        flags = writer.flags()
        resets = ([" = ".join(names) + " = None"] if names else []) + ([" = ".join(flags) + " = False"] if flags else [])
        code.lines[reset] = "            " + "; ".join(resets or ["pass"])

    def _widen(self, rule: Rule) -> None:
        from transforms.mapping.compiler import fields_read

        places = list(fields_read(rule))
        if rule.when is not None:
            places += [(each.source.segment, each.source.field) for each in rule.when.walk() if each.source is not None]
        for segment, number in places:
            self.widest[segment] = max(self.widest.get(segment, 0), number)

    def _site(self, made: _Made, segments: tuple[str, ...]) -> None:
        make = made.make
        if make.when is not None:
            for each in make.when.walk():
                if each.source is not None:
                    self.widest[each.source.segment] = max(self.widest.get(each.source.segment, 0), each.source.field)
        only = tuple(make.with_if_only)
        own = tuple(name for name in made.own if name not in only) or made.own
        self.sites.append(Site(make.name, make.at, own, only, segments, tuple(made.links)))

    def _begin(self, code: Code, made: _Made) -> None:
        """`out`, the thing being made, and `home`, the resource it stands in."""
        make, identity = made.make, made.identity
        if make.into:
            owner, _, path = make.into.partition(".")
            code.put(f"home = O[{made.link(owner)}]")
            with code.block("if home is None:"):
                code.put("continue")
            if not path:
                code.put("out = home")
            else:
                code.put(f"out = {{'resourceType': {make.type!r}}}" if made.resource else "out = {}")
            return
        if identity is None:
            code.put("home = out = {}")
            return
        if not identity.owned:
            code.put(f"home = out = {{'resourceType': {make.type!r}}}")
            return
        arguments = "".join(f", i{name}" for name in identity.segments) + "".join(f", {made.link(name)}" for name in identity.links)
        code.put(f"key = {code.constant(identity.call, 'f')}(S, n{arguments})")
        identified = "identifier" in children(make.type) and children(make.type)["identifier"].many
        with code.block("if key:"):
            code.put("uid = NAME(key); url = 'urn:uuid:' + uid")
            tail = ", 'identifier': [{'system': ISSUER, 'value': uid} if ISSUER else {'value': uid}]" if identified else ""
            code.put(f"home = out = {{'resourceType': {make.type!r}, 'id': uid{tail}}}")
            if self.explain:
                line = code.constant(code.line, "L")
                places = "(" + "".join(f"(i{name}, 0), " for name in identity.segments) + ")"
                for name, start in (("id", "None"), *((("identifier", "0"),) if identified else ())):
                    code.put(f"TRACE((out, {name!r}, {start}, {line}, {places}))")
        with code.block("else:"):
            code.put(f"home = out = {{'resourceType': {make.type!r}}}")

    def _contextual(self, made: _Made) -> bool:
        """Whether it is nothing when only constants were written."""
        return bool(made.make.into) or made.make.type not in ("DiagnosticReport", "Observation", "DocumentReference", "Provenance")

    def _complete(self, code: Code, made: _Made) -> None:
        """What lacks an element that R4 requires is left out, its fields left over; a result never is (design, section 9)."""
        if made.make.type in RESULTS or made.make.into and "." not in made.make.into:
            return
        late = {name for name, wanted in made.make.link if wanted.removesuffix("[]") in self.named and self._is_late(made, wanted.removesuffix("[]"))}
        written = {rule.to[0].name for _, rule in made.rules if rule.to and rule.when is None and rule.choose is None and not rule.cases[0].action.sources}
        may = {rule.to[0].name for _, rule in made.rules if rule.to} | {name for name, _ in made.make.link}
        for child in children(made.make.type).values():
            if not child.min or child.name in late or not may & {child.name, *(child.property_for(each) for each in child.types)} or child.name in written and len(child.path.split(".")) == 2:
                continue
            names = [child.property_for(each) for each in child.types] if child.choice else [child.name]
            with code.block("if " + " and ".join(f"{each!r} not in out" for each in names) + ":"):
                code.put("continue")

    def _links(self, code: Code, made: _Made) -> None:
        for name, wanted in made.make.link:
            other = wanted.removesuffix("[]")
            target = element(made.make.type, name)
            if other not in self.named or target is None or self._is_late(made, other):
                continue
            self._link(code, made, name, target, other, many=wanted.endswith("[]"))

    def _is_late(self, made: _Made, other: str) -> bool:
        return self.named[other].index > made.index

    def _link(self, code: Code, made: _Made, name: str, target: Element, other: str, *, many: bool) -> None:
        local = made.link(other, many)
        if many:
            code.put(f"v = [x for x in [N[j] or {self._formed(made, other, 'j')} for j in {local}] if x is not None]")
            with code.block("if v:"):
                code.put(f"out[{name!r}] = v if {name!r} not in out else [*out[{name!r}], *v]")
                self._trace_link(code, name, "0")
            return
        code.put(f"v = N[{local}]" + (f" or {self._formed(made, other, local)}" if self._may_be_inside(other) else ""))
        with code.block("if v is not None:"):
            if target.many:
                code.put(f"out[{name!r}] = [v] if {name!r} not in out else [*out[{name!r}], v]")
            else:
                code.put(f"out[{name!r}] = v")
            self._trace_link(code, name, "0" if target.many else "None")

    def _may_be_inside(self, other: str) -> bool:
        """Whether what is linked may be no entry."""
        identity = self.named[other].identity
        return identity is not None and not identity.counted

    def _formed(self, made: _Made, other: str, local: str) -> str:
        """A reference to what is no entry: contained where it may be, else by its identifier (rule 7)."""
        return f"(S.forms[{local}] and HOLD(out, S.forms[{local}]))" if self._allows(made, other) else f"S.logical[{local}]"

    def _allows(self, made: _Made, other: str) -> bool:
        allowed = self.named[other].make.contain_in
        return allowed is None or made.make.name in allowed

    def _trace_link(self, code: Code, name: str, start: str) -> None:
        if self.explain and code.line is not None:
            code.put(f"TRACE((out, {name!r}, {start}, {code.constant(code.line, 'L')}, ()))")

    def _finish(self, code: Code, made: _Made) -> None:
        make, identity = made.make, made.identity
        code.put("O[n] = out")
        if make.into:
            self._into(code, made)
        elif identity is None:
            return
        elif identity.owned:
            with code.block("if key:"):
                code.put("S.keys[n] = key; S.ids[n] = uid; N[n] = {'reference': url}")
                entry = f"{{'fullUrl': url, 'resource': out, 'request': {{'method': 'PUT', 'url': '{make.type}/' + uid}}}}"
                if identity.counted:
                    code.put(f"S.urls[url] = len(E); E.append({entry})")
                else:
                    with code.block("if url not in S.urls:"):
                        code.put(f"S.urls[url] = len(E); E.append({entry})")
            with code.block("else:"):
                code.put(f"KEEP_FORM(S, n, out, {make.name!r})")
        else:
            arguments = "".join(f", i{name}" for name in identity.segments)
            code.put(f"v = {code.constant(identity.call, 'f')}(S, n{arguments})")
            with code.block(f"if PLACE(S, n, out, v, {make.name!r}):"):
                code.put("continue")

    def _into(self, code: Code, made: _Made) -> None:
        """Put what was made into an element of another make."""
        make = made.make
        owner, _, path = make.into.partition(".")
        if not path:
            return
        owner_type = self.named[owner].make.type if owner in self.named else make.type
        target = element(owner_type, path)
        if target is None:
            return
        code.put("v = out")
        if make.wrap is not None:
            code.put(f"v = FILL({code.constant(make.wrap)}, out)")
        elif made.resource and "Reference" in target.types:
            code.put("v = REFER(SHARE(out, NAME), S, home)")
        *containers, name = path.split(".")
        holder = "home"
        at = owner_type
        for each in containers:
            inside = element(at, each)
            at = inside.types[0]
            code.put(f"x = {holder}.get({each!r}); x = x[-1] if x and type(x) is list else x or {{}}; y = {{**x}}")
            code.put(f"{holder}[{each!r}] = [*{holder}.get({each!r}, ())[:-1], y]" if inside.many else f"{holder}[{each!r}] = y")
            holder = "y"
        if target.many:
            code.put(f"x = {holder}.get({name!r}); {holder}[{name!r}] = [v] if x is None else [*x, v]")
        else:
            code.put(f"{holder}.setdefault({name!r}, v)")
        self._trace_piece(code, holder, name, "len(x or ())" if target.many else "None")

    def _trace_piece(self, code: Code, holder: str, name: str, start: str) -> None:
        if self.explain:
            code.put(f"TRACE(({holder}, {name!r}, {start}, {code.constant(code.line, 'L')}, ()))")

    def _late(self, code: Code, made: _Made) -> list[str]:
        """Links to what is made later: a function run when all is made."""
        late = [(name, wanted) for name, wanted in made.make.link if wanted.removesuffix("[]") in self.named and self._is_late(made, wanted.removesuffix("[]"))]
        if not late:
            return []
        for _, wanted in late:
            made.link(wanted.removesuffix("[]"), wanted.endswith("[]"))
        line, column = made.make.spot.place
        site = self.sites[made.index] = Site(**{**self.sites[made.index].__dict__, "links": tuple(made.links)})
        self._patch_loop(code, made, site)
        code.put(f"def late_{made.index}(S, steps):")
        code.depth += 1
        code.put("N = S.refs; O = S.outs" + ("; TRACE = S.trace.append" if self.explain else ""))
        positions = "".join(f", i{name}" for name in site.segments)
        links = "".join(f", l{order}" for order in made.links.values())
        with code.block(f"for n, part{positions}{links} in steps:"):
            code.line = Line(f"{self.map.name}/{made.make.name}", made.make.spot.file, line, column)
            code.put("out = O[n]")
            with code.block("if out is None:"):
                code.put("continue")
            for name, wanted in late:
                target = element(made.make.type, name)
                if target is not None:
                    self._link(code, made, name, target, wanted.removesuffix("[]"), many=wanted.endswith("[]"))
            code.line = None
        code.depth -= 1
        return [f"({made.index}, late_{made.index})"]

    def _patch_loop(self, code: Code, made: _Made, site: Site) -> None:
        """The steps of a make got longer by its late links."""
        at = code.lines.index(f"    def make_{made.index}(S, steps):")
        positions = "".join(f", i{name}" for name in site.segments)
        links = "".join(f", l{order}" for order in made.links.values())
        code.lines[at + 2] = f"        for n, part{positions}{links} in steps:"


def _many(type_name: str, rule: Rule) -> bool:
    from transforms.mapping.compiler import Located, locate

    found = locate(type_name, rule.to) if rule.to else ""
    return isinstance(found, Located) and (found.element.many or any(isinstance(case.action.each, str) for case in rule.cases))


def hold(home: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    """A reference to a resource that is put inside `home`."""
    contain(home, form)
    return {"reference": f"#{form['id']}"}


def keep_form(conversion: Any, node: int, out: dict[str, Any], name: str) -> None:
    """Keep what is no entry for those who refer to it."""
    out["id"] = f"{name}-{node}"
    conversion.forms[node] = out
    if identifiers := out.get("identifier"):
        first = {key: value for key, value in identifiers[0].items() if key in ("system", "value")}
        conversion.logical[node] = {"type": out["resourceType"], "identifier": first}


def place_shared(conversion: Any, node: int, out: dict[str, Any], known: tuple[str, str] | None, name: str) -> bool:
    """Make an entry of a shared resource, or the form that is contained; True where another one like it stands there already."""
    if known is None:
        keep_form(conversion, node, out, name)
        return False
    system, value = known
    from transforms.mapping.identity import criterion

    uid = conversion.name(f"{out['resourceType']}|{system}|{value}")
    url = f"urn:uuid:{uid}"
    conversion.ids[node] = uid
    conversion.refs[node] = {"reference": url}
    if url in conversion.urls:
        return conversion.entries[conversion.urls[url]]["resource"] != out
    conversion.urls[url] = len(conversion.entries)
    request = {"method": "POST", "url": out["resourceType"], "ifNoneExist": criterion(system, value)}
    conversion.entries.append({"fullUrl": url, "resource": out, "request": request})
    return False


def fill_wrap(pattern: Any, value: dict[str, Any]) -> Any:
    """What was made, in its wrapping."""
    from transforms.mapping.runtime import fill

    return fill(pattern, value, "")
