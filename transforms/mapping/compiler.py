"""The rules of one make, written as straight Python lines: fields out of rows, values out of memos, into a dict.

Every line knows the rule it was made from.  What a rule can decide at load (tables, types, options, which fields it
always reads) is decided here; what is left for each message is a list index, a dict look-up and a dict store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from transforms.fhir.elements import resource_types
from transforms.mapping.calls import CallPlan
from transforms.mapping.conditions import Condition
from transforms.mapping.conversion import Line
from transforms.mapping.definition import Action, Rule
from transforms.mapping.functions.registry import Function
from transforms.mapping.kit import Kit
from transforms.mapping.places import Source, Step
from transforms.mapping.targets import (
    Located,
    const_type,
    constant_keys,
    in_wrapping,
    inner_types,
    json_names,
    locate,
    count_readers,
    shaped,
    text_type,
    wraps_pair,
)
from transforms.mapping.writing import Code

SHORT = 4  # rules written before it is asked whether the segment goes on at all
COMMON = 9  # fields up to here are usual; nobody asks for them


@dataclass(frozen=True)
class Frame:
    """Where rules are written: what kind of thing, into which local, and what is known around it."""

    type: str
    out: str  # the local that holds the thing being made
    masks: tuple[str, ...]  # segments whose reads are gathered in a local
    manifold: frozenset[tuple[str, int]]  # fields of which some rule of the message map reads all repetitions
    parted: Mapping[tuple[str, int], frozenset[int]]  # fields of which rules read nothing but these components
    grown: frozenset[str] = frozenset()  # elements that stand already; `*`: any may
    explain: bool = False


class RuleWriter:
    """Writes the rules of one make."""

    def __init__(self, code: Code, kit: Kit, frame: Frame, rules: list[tuple[str, Rule]], all_rules: list[Rule]) -> None:
        self.code, self.kit, self.frame = code, kit, frame
        self.rules = rules  # (map's name, rule)
        self.segments: set[str] = set()
        self.lengths: set[str] = set()  # segments whose length is asked for
        self.static: dict[str, int] = dict.fromkeys(frame.masks, 0)
        self.constant_keys = {"resourceType", "id"} | constant_keys([rule for _, rule in rules])
        self._readers = count_readers(all_rules)
        self._targets: dict[tuple[Step, ...], int] = {}
        for _, rule in rules:
            self._targets[rule.to] = self._targets.get(rule.to, 0) + 1
        self._flags = self._flagged()
        self._containers: dict[tuple[Step, ...], str] = {}
        self._written: set[tuple[Step, ...]] = set()
        self._base = Line("", "", 0, 0)
        self._told: set[tuple[str, int]] = set()
        self._reader: _Reader | None = None  # of the action being written

    def reset(self) -> str:
        """The statements that set up the locals of the rules, to stand before them."""
        containers = [*self._containers.values()]
        flags = [*self._flags.values()]
        parts = [" = ".join(containers) + " = None"] if containers else []
        return "; ".join(parts + ([" = ".join(flags) + " = False"] if flags else []))

    def _flagged(self) -> dict[tuple[Step, ...], str]:
        """Single-valued targets of several rules whose presence no one name tells: a local says whether they were written."""
        flags = {}
        for index, (steps, count) in enumerate(self._targets.items()):
            found = locate(self.frame.type, steps) if steps else ""
            if count > 1 and isinstance(found, Located) and not found.element.many and (found.element.choice or found.containers):
                flags[steps] = f"d{index}"
        return flags

    # rules

    def write(self) -> None:
        """All rules: the required ones first, so that nothing is made in vain."""
        required = sorted({rule.to[0].name for _, rule in self.rules if rule.required and rule.to})
        first = [pair for pair in self.rules if pair[1].to and pair[1].to[0].name in required]
        self._run(first)
        self.code.line = None
        for name in required:
            self.needs(name)
        self._run([pair for pair in self.rules if pair not in first])
        self.code.line = None

    def needs(self, name: str) -> None:
        """Leave the instance out where this element was not written."""
        missing = " and ".join(f"{each!r} not in {self.frame.out}" for each in json_names(self.frame.type, name))
        with self.code.block(f"if {missing}:"):
            self.code.put("continue")

    def _run(self, pairs: list[tuple[str, Rule]]) -> None:
        """Rules in their order; runs over the later fields of a segment end where the segment does."""
        at = 0
        while at < len(pairs):
            end = at
            while end < len(pairs) and self._late_field(pairs[end][1], pairs[at][1]) > COMMON:
                end += 1
            if end - at >= SHORT:
                self._late_run(pairs[at:end])
            else:
                end = max(end, at + 1)
                for pair in pairs[at:end]:
                    self._rule(*pair)
            at = end

    def _late_run(self, pairs: list[tuple[str, Rule]]) -> None:
        segment = pairs[0][1].cases[0].action.sources[0].segment
        self.lengths.add(segment)
        fields = [self._late_field(rule, rule) for _, rule in pairs]
        depth, asked = self.code.depth, COMMON
        for start in range(0, len(pairs), SHORT):
            least = min(fields[start:])
            if least > asked:
                self.code.line, asked = None, least
                self.code.put(f"if L{segment} > {least}:")
                self.code.depth += 1
            for pair in pairs[start : start + SHORT]:
                self._rule(*pair)
        self.code.depth = depth

    def _late_field(self, rule: Rule, first: Rule) -> int:
        """The least field a rule reads, where it does nothing unless its own segment has that; else 0."""
        places = [place for case in rule.cases for place in case.action.sources]
        if rule.drop or not places or any(not case.action.sources for case in rule.cases):
            return 0
        start = [place for case in first.cases for place in case.action.sources]
        if {place.segment for place in places} != {start[0].segment} if start else True:
            return 0
        return min(place.field for place in places)

    def _rule(self, map_name: str, rule: Rule) -> None:
        line, column = rule.spot.place
        self.code.line = self._base = Line(f"{map_name}/{rule.name}", rule.spot.file, line, column)
        if rule.drop:
            self._drop(rule)
            return
        found = locate(self.frame.type, rule.to)
        if isinstance(found, str):
            return
        guards = self._guards(rule, found)
        certain = [each.source for each in rule.when.certain if each.source] if rule.when else []
        if guards:
            with self.code.block(f"if {' and '.join(guards)}:"):
                self._cases(rule, found, True, certain)
        else:
            self._cases(rule, found, False, certain)
        self._written.add(rule.to)

    def _guards(self, rule: Rule, found: Located) -> list[str]:
        guards = [self.condition(rule.when)] if rule.when else []
        if rule.to in self._written and not found.element.many:
            flag = self._flags.get(rule.to)
            guards.insert(0, f"not {flag}" if flag else f"{found.name!r} not in {self.frame.out}")
        return [each for each in guards if each != "True"]

    def _drop(self, rule: Rule) -> None:
        for place in rule.drop:
            self.segments.add(place.segment)
            if rule.when is None and place.segment in self.frame.masks:
                self.static[place.segment] |= 1 << place.field
            elif rule.when is None:
                self._mark([place])
            else:
                with self.code.block(f"if {self.condition(rule.when)}:"):
                    self._mark([place])

    def _cases(self, rule: Rule, found: Located, conditional: bool, certain: list[Source]) -> None:
        code, choose = self.code, rule.choose
        if choose is None:
            self._action(rule, rule.cases[0].action, found, conditional, certain)
            return
        sources = {case.action.sources for case in rule.cases}
        depth = code.depth
        if len(sources) == 1 and len(only := next(iter(sources))) == 1:  # no value: then what chooses is moot
            with code.block(f"if not {self._row(only[0])}:"):
                self._mark([choose])
            code.put("else:")
            code.depth += 1
        cases = {value: index for index, case in enumerate(rule.cases) for value in case.values}
        default = next((index for index, case in enumerate(rule.cases) if not case.values), -1)
        code.put(f"h = {code.bind('Choices', cases, default, choose.component, choose.subcomponent)}[{self._row(choose)}]")
        for index, case in enumerate(rule.cases):
            with code.block(f"{'if' if index == 0 else 'elif'} h == {index}:"):
                self._action(rule, case.action, found, True, [*certain, choose])
            code.line = self._base
        code.depth = depth

    # actions

    def _action(self, rule: Rule, action: Action, found: Located, conditional: bool, certain: list[Source]) -> None:
        code = self.code
        if action.spot is not rule.spot:
            line, column = action.spot.place
            code.line = self._base = replace(self._base, file=action.spot.file, line=line, column=column)
        if not action.sources:
            self._reader = None
            self._constant(rule, action, found, certain)
            return
        reader = self._reader = _Reader(action, found, *self._plan(action, found), certain=certain)
        reader.call = code.bind("Call", reader.plan)
        reader.memo = code.bind("Memo", reader.call) if reader.plan.memo else ""
        if len(action.sources) == 1:
            self._read(rule, reader, action.sources[0], conditional)
            return
        code.put(f"v = {reader.nothing}")
        for index, place in enumerate(action.sources):
            depth = code.depth
            if index:
                code.put(f"if v is {reader.nothing}:")
                code.depth += 1
            self._read(rule, reader, place, True)
            code.depth = depth
        code.line = self._base
        with code.block(f"if v is not {reader.nothing}:"):
            self._store(rule, reader, action.sources)

    def _read(self, rule: Rule, reader: _Reader, place: Source, conditional: bool) -> None:
        """Read one place into `v`; store it, unless the action has other places to fall back on."""
        code, key, several = self.code, (place.segment, place.field), len(reader.action.sources) > 1
        alone = self._readers.get(key, 1) == 1
        code.line = replace(
            self._base, segment=place.segment, field=place.field, withs=reader.with_places, sole=alone or key not in self.frame.manifold
        )
        static = not (conditional or reader.withs or reader.certain) and place.segment in self.frame.masks and alone
        if static:
            self.static[place.segment] |= 1 << place.field
        code.put(f"t = {self._row(place)}")
        with code.block("if t:"):
            self._evaluate(reader)
            with code.block(f"if v is not {reader.nothing}:"):
                if not static:
                    self._mark([place, *reader.withs, *reader.certain])
                if not several:
                    self._store(rule, reader, (place,))
                elif self.frame.explain:
                    code.put(f"took = (i{place.segment}, {place.field})")
            with code.block("elif t != NULL:" if static else "elif t == NULL:"):
                if static:
                    code.put(f"u{place.segment} ^= {1 << place.field}")
                else:
                    self._mark([place])

    def _evaluate(self, reader: _Reader) -> None:
        """`v`, the value for the text `t`: SKIP (None without a memo) where there is none."""
        code, plan, call = self.code, reader.plan, reader.call
        arguments = ""
        for index, each in enumerate(reader.withs):
            code.put(f"w{index} = {self._row(each)}")
            if each.component:
                code.put(f"w{index} = PIECE(w{index}, {each.component}, {each.subcomponent}, S)")
            arguments += f", w{index}"
        if reader.memo:
            code.put(f"v = {reader.memo}({f'(t{arguments})' if arguments else 't'}) or {call}(S, t{arguments})")
            return
        if not plan.inlines:
            code.put(f"v = {call}(S, t{arguments})")
            return
        odd = "".join(f" or REP in w{index} or w{index} == NULL" for index in range(len(reader.withs)))
        parts = " or COMP in t or ESC in t" if reader.function is None else ""
        with code.block(f"if REP in t or t == NULL{parts}{odd}:"):
            code.put(f"v = {call}(S, t{arguments})")
        with code.block("else:"):
            self._straight(reader)

    def _straight(self, reader: _Reader) -> None:
        """`v` for plain text, as a Call would make it."""
        code, plan = self.code, reader.plan
        if reader.function is None:
            code.put("v = t")
        else:
            named = "".join(f", {name}=w{index}" for index, name in enumerate(plan.withs))
            constants = "".join(f", {name}={code.constant(value)}" for name, value in (plan.constants or {}).items())
            code.put(f"v = {code.constant(reader.function.call, 'f')}(t, S{named}{constants})")
        dressed = "v" if plan.wrap is None else code.pattern(plan.wrap, "v")
        if plan.gives_pair:
            dressed = f"({code.constant(plan.properties)}[v[0]], v[1])"
        if plan.many:
            dressed = f"[{dressed}]"
        if dressed != "v":
            with code.block("if v is not None:"):
                code.put(f"v = {dressed}")

    def _plan(self, action: Action, found: Located) -> tuple[CallPlan, Function | None]:
        function = self.kit.functions.get(action.function)
        table = self.kit.tables.get(action.codes)
        types = found.element.types
        takes_table = bool(table and function and "codes" in function.options)
        entries = None
        if table is not None:
            kinds = inner_types(types, action.wrap)
            listed = [*table.codes.items(), *([(None, table.otherwise)] if table.otherwise is not None else [])]
            entries = {key: coded if takes_table else in_wrapping(shaped(coded, kinds), action.wrap) for key, coded in listed}
        gives_pair = bool(function and function.gives == "*")
        choice = found.element.choice and found.name == found.element.name
        wrapped_already = entries is not None and not function and not wraps_pair(action.wrap)
        place = action.sources[0]
        plan = CallPlan(
            component=place.component,
            subcomponent=place.subcomponent,
            function=function.call if function else None,
            gives_pair=gives_pair,
            gives_list=bool(function and function.list),
            beside=bool(function and function.beside),
            memo=function.memo if function else table is not None or place.component > 0,
            table=entries,
            table_to="codes" if takes_table else "",
            properties={each: found.element.property_for(each) for each in types} if choice and gives_pair else None,
            withs=tuple(name for name, value in action.withs if isinstance(value, Source)),
            constants={name: value for name, value in action.withs if not isinstance(value, Source)},
            many=found.element.many or action.each_of != "",
            each=action.each,
            wrap=None if wrapped_already else action.wrap,
            taken=self._taken(action),
            shares=bool(function and function.gives in resource_types()) and "Reference" in types,
        )
        return plan, function

    def _taken(self, action: Action) -> frozenset[int] | None:
        """The components that rules take of a field which none reads whole; told to one of these rules, which says what is left."""
        key = (action.sources[0].segment, action.sources[0].field)
        taken = self.frame.parted.get(key)
        if taken is None or key in self._told or (action.sources[0].component or 1) != min(taken):
            return None
        self._told.add(key)
        return taken

    # storing

    def _constant(self, rule: Rule, action: Action, found: Located, certain: list[Source]) -> None:
        if action.const is None:
            return
        self._mark(certain)
        value = action.const
        if found.element.many and not isinstance(value, list):
            value = [value]
        name = found.name
        if found.element.choice and found.name == found.element.name:
            name = found.element.property_for(const_type(value, found.element))
        with self._standing(found):
            self._put(rule, found, self._holder(found), repr(name), self.code.constant(value), ())

    @contextmanager
    def _standing(self, found: Located) -> Iterator[None]:
        """Only where the list element a constant goes into stands already: a constant makes none."""
        lists = [index for index, (_, many) in enumerate(found.containers) if many]
        if not lists:
            yield
            return
        path = tuple(step for step, _ in found.containers[: lists[-1] + 1])
        with self.code.block(f"if {self._local(path)} is not None:"):
            yield

    def _store(self, rule: Rule, reader: _Reader, sources: tuple[Source, ...]) -> None:
        action, found, plan = reader.action, reader.found, reader.plan
        name, value = repr(found.name), "v"
        if plan.properties is not None:
            name, value = "v[0]", "v[1]"
        elif found.element.choice and found.name == found.element.name:
            kind = reader.function.gives if reader.function and action.wrap is None else text_type(found.element)
            name = repr(found.element.property_for("Reference" if plan.shares else kind))
        if plan.shares and self.frame.explain:
            self.code.put(f"TRACE_SHARED(S, v, {self.code.constant(self._base, 'L')}, {self._places(reader, sources)})")
        if plan.shares:
            value = f"[REFER(x, S, home) for x in {value}]" if plan.many else f"REFER({value}, S, home)"
        if action.each_of:
            self._store_each(action, found, value, sources)
            return
        if action.with_each:
            value = f"[{{**{self.code.constant(action.with_each)}, **x}} for x in {value}]"
        if plan.beside:
            self._store_beside(rule, found, plan, name, sources)
            return
        self._put(rule, found, self._holder(found), name, value, sources)

    def _store_beside(self, rule: Rule, found: Located, plan: CallPlan, name: str, sources: tuple[Source, ...]) -> None:
        """A primitive and what stands beside it: `v` ends in (value, beside)."""
        holder = self._holder(found)
        beside = f"'_' + {name}" if plan.properties is not None else repr("_" + name.strip("'"))
        with self.code.block("if v[-2] is not None:"):
            self._put(rule, found, holder, name, "v[-2]", sources)
        with self.code.block("if v[-1] is not None:"):
            self._put(rule, found, holder, beside, "v[-1]", sources)

    def _store_each(self, action: Action, found: Located, value: str, sources: tuple[Source, ...]) -> None:
        """One element of the list `action.each_of` for every value."""
        index = [step.name for step, _ in found.containers].index(action.each_of)
        holder = self._holder(found, index)
        inner = "x"
        for name, many in [(found.name, found.element.many), *reversed([(step.name, many) for step, many in found.containers[index + 1 :]])]:
            inner = f"{{{name!r}: [{inner}]}}" if many else f"{{{name!r}: {inner}}}"
        if action.with_each:
            inner = f"{{**{self.code.constant(action.with_each)}, **{inner}}}"
        self._append(holder, repr(action.each_of), f"[{inner} for x in {value}]", sources)

    def _put(self, rule: Rule, found: Located, holder: str, name: str, value: str, sources: tuple[Source, ...]) -> None:
        if found.element.many and not self._fresh(rule, found, holder):
            self._append(holder, name, value, sources)
            return
        self.code.put(f"{holder}[{name}] = {value}")
        if flag := self._flags.get(rule.to):
            self.code.put(f"{flag} = True")
        self._trace(holder, name, "0" if found.element.many else "None", sources)

    def _fresh(self, rule: Rule, found: Located, holder: str) -> bool:
        """Whether nothing can stand in this list yet."""
        if found.containers or holder == self.frame.out and self.frame.grown & {found.name, "*"}:
            return False
        return not any(written and written[0].name == rule.to[0].name for written in self._written)

    def _append(self, holder: str, name: str, value: str, sources: tuple[Source, ...]) -> None:
        """Lists are never grown in place: a memo may hold them."""
        self.code.put(f"x = {holder}.get({name})")
        self.code.put(f"{holder}[{name}] = {value} if x is None else [*x, *{value}]")
        self._trace(holder, name, "0 if x is None else len(x)", sources)

    def _trace(self, holder: str, name: str, start: str, sources: tuple[Source, ...]) -> None:
        if self.frame.explain:
            self.code.put(f"TRACE(({holder}, {name}, {start}, {self.code.constant(self._base, 'L')}, {self._places(self._reader, sources)}))")

    def _places(self, reader: _Reader | None, sources: tuple[Source, ...]) -> str:
        """An expression for the fields a value came from."""
        withs = reader.withs if reader and sources else ()
        self.segments |= {each.segment for each in (*sources, *withs)}
        read = "".join(f"(i{each.segment}, {each.field}), " for each in (withs if len(sources) > 1 else (*sources, *withs)))
        return f"(took, {read})" if len(sources) > 1 else f"({read})"

    def _local(self, path: tuple[Step, ...]) -> str:
        return self._containers.setdefault(path, f"e{len(self._containers)}")

    def _holder(self, found: Located, depth: int | None = None) -> str:
        """The local that holds the element a target stands in, made where it is not there yet."""
        holder, path = self.frame.out, tuple(step for step, _ in found.containers)
        for index, (step, many) in enumerate(found.containers[:depth]):
            name = self._local(path[: index + 1])
            with self.code.block(f"if {name} is None:"):
                if many:
                    self.code.put(f"{name} = {{}}; {holder}[{step.name!r}] = [*{holder}.get({step.name!r}, ()), {name}]")
                else:
                    self.code.put(f"{name} = {holder}[{step.name!r}] = {{**{holder}.get({step.name!r}, NOTHING)}}")
            holder = name
        return holder

    # reading and conditions

    def _row(self, place: Source) -> str:
        self.segments.add(place.segment)
        return f"{place.segment}[{place.field}]"

    def _mark(self, places: list[Source]) -> None:
        """Note fields as read."""
        masks: dict[str, int] = {}
        for place in places:
            masks[place.segment] = masks.get(place.segment, 0) | 1 << place.field
            self.segments.add(place.segment)
        for segment, mask in masks.items():
            self.code.put(f"u{segment} |= {mask}" if segment in self.frame.masks else f"U[i{segment}] |= {mask}")

    def condition(self, condition: Condition) -> str:
        """A Python expression that is true where the condition holds."""
        if condition.source is not None:
            self.segments.add(condition.source.segment)
        elif condition.kind in ("valued", "absent"):
            self.segments.add(condition.segment)
        return _CONDITIONS[condition.kind](self, condition)

    def _equals(self, condition: Condition) -> str:
        place = condition.source
        return f"{self.code.bind('Truths', condition.values, place.component, place.subcomponent)}[{self._row(place)}]"

    def _valued(self, condition: Condition) -> str:
        place = condition.source
        if place is None:
            return f"i{condition.segment} >= 0"
        if place.component:
            return f"VALUED({self._row(place)}, {place.component}, {place.subcomponent}, S)"
        return f"{self._row(place)} not in ABSENT"

    def _absent(self, condition: Condition) -> str:
        place = condition.source
        if place is None:
            return f"i{condition.segment} < 0"
        return f"not {self._valued(condition)}" if place.component else f"{self._row(place)} in ABSENT"

    def _not(self, condition: Condition) -> str:
        return f"not {self.condition(condition.inner[0])}"

    def _joined(self, condition: Condition) -> str:
        """`all` or `any`; what is known already is left out."""
        parts = [self.condition(each) for each in condition.inner]
        decisive, idle = ("False", "True") if condition.kind == "all" else ("True", "False")
        if decisive in parts:
            return decisive
        word = " and " if condition.kind == "all" else " or "
        return "(" + (word.join(each for each in parts if each != idle) or idle) + ")"

    def _repeats(self, condition: Condition) -> str:
        return f"(REP in {self._row(condition.source)})"

    def _matches(self, condition: Condition) -> str:
        test = self.kit.predicates.get(condition.values[0])
        return f"MATCHES({self.code.constant(test, 'p')}, {self._row(condition.source)}, S)"

    def _option(self, condition: Condition) -> str:
        wanted = condition.values[0]
        return repr(getattr(self.kit.options, condition.segment, None) in (wanted if isinstance(wanted, list) else [wanted]))


_CONDITIONS = {
    "equals": RuleWriter._equals,
    "valued": RuleWriter._valued,
    "absent": RuleWriter._absent,
    "not": RuleWriter._not,
    "all": RuleWriter._joined,
    "any": RuleWriter._joined,
    "repeats": RuleWriter._repeats,
    "matches": RuleWriter._matches,
    "option": RuleWriter._option,
}


@dataclass
class _Reader:
    """One action while it is written."""

    action: Action
    found: Located
    plan: CallPlan
    function: Function | None
    certain: list[Source]
    call: str = ""
    memo: str = ""

    @property
    def nothing(self) -> str:
        """What `v` is where there is no value."""
        return "SKIP" if self.memo else "None"

    @property
    def withs(self) -> tuple[Source, ...]:
        """The fields read for `with:`."""
        return tuple(value for _, value in self.action.withs if isinstance(value, Source))

    @property
    def with_places(self) -> Mapping[str, tuple[str, int]]:
        """The same by the names of the function's parameters."""
        return {name: (value.segment, value.field) for name, value in self.action.withs if isinstance(value, Source)}
