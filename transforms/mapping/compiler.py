"""The rules of one make, written as straight Python lines: fields out of rows, values out of memos, into a dict.

Every line knows the rule it was made from.  What a rule can decide at load (tables, types, options, which fields it
always reads) is decided here; what is left for each message is a list index, a dict look-up and a dict store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from transforms.fhir.elements import Element, children, element, primitive_types
from transforms.mapping.conditions import Condition
from transforms.mapping.definition import Action, Coded, Rule, Table
from transforms.mapping.functions.registry import Function
from transforms.mapping.options import MapOptions
from transforms.mapping.places import Source, Step
from transforms.mapping.runtime import CallPlan, Line

TEXT_TYPES = ("string", "markdown", "code", "uri", "url", "id", "canonical", "oid", "base64Binary")


@dataclass
class Kit:
    """What maps may name: functions, predicates, tables; and the site's options."""

    functions: Mapping[str, Function]
    predicates: Mapping[str, Any]
    tables: Mapping[str, Table]
    options: MapOptions


@dataclass
class Code:
    """Python text being written, its table of lines, and the objects it names."""

    file: str
    lines: list[str] = field(default_factory=list)
    table: dict[int, Line] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)  # constants, the same in every environment
    bound: list[tuple[str, str, tuple[Any, ...]]] = field(default_factory=list)  # (name, kind, arguments), made per environment
    depth: int = 0
    line: Line | None = None

    def put(self, text: str) -> None:
        """One line at the current depth, standing for the current rule."""
        self.lines.append("    " * self.depth + text)
        if self.line is not None:
            self.table[len(self.lines)] = self.line

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """`head` and what is put inside it."""
        self.put(head)
        self.depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.put("pass")
        self.depth -= 1

    def constant(self, value: Any, prefix: str = "K") -> str:
        """A name for an object."""
        if isinstance(value, (str, int, bool)) or value is None:
            return repr(value)
        for name, known in self.names.items():
            if known is value and name.startswith(prefix):
                return name
        name = f"{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def bind(self, kind: str, *arguments: Any) -> str:
        """A name for an object made anew in every environment."""
        name = f"{kind[0].upper()}{len(self.bound)}_"
        self.bound.append((name, kind, arguments))
        return name


@dataclass(frozen=True)
class Located:
    """A target found in R4: the containers on the way, and the element written."""

    containers: tuple[tuple[Step, bool], ...]  # (step, it is a list)
    name: str
    element: Element
    primitive_side: bool = False  # `_status`: what stands beside a primitive


def locate(type_name: str, steps: tuple[Step, ...]) -> Located | str:
    """The element that `steps` name below a type; or the name that R4 does not have there."""
    containers: list[tuple[Step, bool]] = []
    for index, step in enumerate(steps):
        found = _child(type_name, step.name)
        if found is None:
            return step.name
        if index == len(steps) - 1:
            return Located(tuple(containers), step.name, found)
        containers.append((step, found.many))
        type_name = "Element" if step.name.startswith("_") else _type_below(type_name, step.name, found)
    return ""


def _child(type_name: str, name: str) -> Element | None:
    if name.startswith("_"):
        beside = element(type_name, name[1:])
        if beside is None or not set(beside.types) & primitive_types():
            return None
        return Element(beside.path, name, 0, beside.max, ("Element",))
    if type_name == "Element" and name == "extension":
        return element("Quantity", "extension")
    return element(type_name, name)


def _type_below(type_name: str, name: str, found: Element) -> str:
    if found.choice and name != found.name:
        return next(each for each in found.types if found.property_for(each) == name)
    return found.types[0]


def shaped(coded: Coded, types: tuple[str, ...]) -> Any:
    """What a table's entry is as a value of one of `types`."""
    if "CodeableConcept" in types or "Coding" in types:
        coding = {key: each for key, each in (("system", coded.system), ("code", coded.code), ("display", coded.display)) if each}
        return {"coding": [coding]} if "CodeableConcept" in types else coding
    return coded.code


class RuleWriter:
    """Writes the rules of one make.  `rows` are the segments in scope; `masks` those whose reads are gathered in a local."""

    def __init__(self, code: Code, kit: Kit, type_name: str, rules: list[tuple[str, Rule]], *, masks: tuple[str, ...], manifold: set[tuple[str, int]],
                 explain: bool, grown: frozenset[str] = frozenset()) -> None:  # fmt: skip
        self.code, self.kit, self.type, self.explain = code, kit, type_name, explain
        self.rules = rules  # (map's name, rule)
        self.masks, self.manifold = masks, manifold
        self.segments: set[str] = set()
        self.static: dict[str, int] = dict.fromkeys(masks, 0)
        self._targets: dict[tuple[Step, ...], int] = {}
        self._containers: dict[tuple[Step, ...], str] = {}
        self._readers = _count_readers([rule for _, rule in rules])
        for _, rule in rules:
            self._targets[rule.to] = self._targets.get(rule.to, 0) + 1
        self._written: set[tuple[Step, ...]] = set()
        self._grown = grown
        self.constant_keys = {"resourceType", "id"} | _constant_keys([rule for _, rule in rules])

    # what the caller must set up at the start of each instance

    def containers(self) -> list[str]:
        """Locals that hold elements being filled; None at the start."""
        return sorted(self._containers.values())

    def flags(self) -> list[str]:
        """Locals that say a choice was written; False at the start."""
        return sorted(f"d{index}" for index in self._flagged().values())

    def _flagged(self) -> dict[tuple[Step, ...], int]:
        chosen = {}
        for index, (steps, count) in enumerate(self._targets.items()):
            found = locate(self.type, steps) if steps else ""
            if count > 1 and isinstance(found, Located) and not found.element.many and (found.element.choice or found.containers):
                chosen[steps] = index
        return chosen

    # rules

    def write(self) -> None:
        """All rules: the required ones first, so that nothing is made in vain."""
        required = {rule.to[0].name for _, rule in self.rules if rule.required and rule.to}
        first = [pair for pair in self.rules if pair[1].to and pair[1].to[0].name in required]
        for pair in first:
            self._rule(*pair)
        self.code.line = None
        for name in sorted(required):
            found = locate(self.type, (Step(name),))
            names = [name] if isinstance(found, str) or not found.element.choice else [found.element.property_for(each) for each in found.element.types]
            with self.code.block("if " + " and ".join(f"{each!r} not in out" for each in names) + ":"):
                self.code.put("continue")
        for pair in self.rules:
            if pair not in first:
                self._rule(*pair)
        self.code.line = None

    def _rule(self, map_name: str, rule: Rule) -> None:
        code = self.code
        line, column = rule.spot.place
        self._base = Line(f"{map_name}/{rule.name}", rule.spot.file, line, column)
        code.line = self._base
        if rule.drop:
            self._drop(rule)
            return
        found = locate(self.type, rule.to)
        if isinstance(found, str):
            return
        guards = self._guards(rule, found)
        conditional = bool(guards)
        certain = [each.source for each in rule.when.certain] if rule.when else []
        if guards:
            with code.block(f"if {' and '.join(guards)}:"):
                self._cases(rule, found, conditional, certain)
        else:
            self._cases(rule, found, conditional, certain)
        self._written.add(rule.to)

    def _guards(self, rule: Rule, found: Located) -> list[str]:
        guards = [self.condition(rule.when)] if rule.when else []
        if rule.to in self._written and not found.element.many:
            flag = self._flagged().get(rule.to)
            guards.insert(0, f"not d{flag}" if flag is not None else f"{found.name!r} not in out")
        return guards

    def _drop(self, rule: Rule) -> None:
        for place in rule.drop:
            self.segments.add(place.segment)
            if rule.when is None and place.segment in self.masks:
                self.static[place.segment] |= 1 << place.field
            else:
                with self.code.block(f"if {self.condition(rule.when)}:" if rule.when else "if True:"):
                    self._mark([place])

    def _cases(self, rule: Rule, found: Located, conditional: bool, certain: list[Source]) -> None:
        code = self.code
        if rule.choose is None:
            self._action(rule, rule.cases[0].action, found, conditional, certain)
            return
        cases = {value: index for index, case in enumerate(rule.cases) for value in case.values}
        default = next((index for index, case in enumerate(rule.cases) if not case.values), -1)
        chosen = code.bind("Choices", cases, default, rule.choose.component, rule.choose.subcomponent)
        code.put(f"h = {chosen}[{self._row(rule.choose)}]")
        for index, case in enumerate(rule.cases):
            with code.block(f"{'if' if index == 0 else 'elif'} h == {index}:"):
                self._moot(case.action, rule.choose)
                self._action(rule, case.action, found, True, [*certain, rule.choose])
            code.line = self._base

    def _moot(self, action: Action, chosen: Source) -> None:
        """Where there is no value to choose a way for, what chooses says nothing: it counts as read."""
        if len(action.sources) == 1:
            with self.code.block(f"if not {self._row(action.sources[0])}:"):
                self._mark([chosen])

    # actions

    def _action(self, rule: Rule, action: Action, found: Located, conditional: bool, certain: list[Source]) -> None:
        code = self.code
        if action.spot is not rule.spot:
            line, column = action.spot.place
            code.line = self._base = Line(self._base.rule, action.spot.file, line, column)
        if not action.sources:
            self._constant(rule, action, found, certain)
            return
        plan, function = self._plan(rule, action, found)
        call = code.bind("Call", plan)
        memo = code.bind("Memo", call) if plan.memo else ""
        several = len(action.sources) > 1
        withs = tuple(value for _, value in action.withs if isinstance(value, Source))
        nothing = "SKIP" if memo else "None"
        if several:
            code.put(f"v = {nothing}")
        for index, place in enumerate(action.sources):
            self._read(rule, action, found, place, plan, function, call, memo, withs, certain, conditional or several, nested=several and index > 0)
        code.line = self._base
        if several:
            with code.block(f"if v is not {nothing}:"):
                self._store(rule, action, found, plan, action.sources)

    def _read(self, rule: Rule, action: Action, found: Located, place: Source, plan: CallPlan, function: Function | None, call: str, memo: str,
              withs: tuple[Source, ...], certain: list[Source], conditional: bool, *, nested: bool) -> None:  # fmt: skip
        code, key = self.code, (place.segment, place.field)
        code.line = Line(
            self._base.rule, self._base.file, self._base.line, self._base.column, place.segment, place.field,
            {name: (value.segment, value.field) for name, value in action.withs if isinstance(value, Source)},
            self._readers.get(key, 1) == 1 or key not in self.manifold,
        )  # fmt: skip
        static = not conditional and not withs and not certain and place.segment in self.masks and self._readers.get(key, 1) == 1
        if static:
            self.static[place.segment] |= 1 << place.field
        nothing = "SKIP" if memo else "None"
        if nested:
            code.put(f"if v is {nothing}:")
            code.depth += 1
        code.put(f"t = {self._row(place)}")
        several = len(action.sources) > 1
        with code.block("if t:"):
            self._evaluate(plan, function, call, memo, withs)
            with code.block(f"if v is not {nothing}:"):
                if not static:
                    self._mark([place, *withs, *certain])
                if not several:
                    self._store(rule, action, found, plan, (place,))
                elif self.explain:
                    code.put(f"took = ((i{place.segment}, {place.field}),)")
            if static:
                with code.block("elif t != NULL:"):
                    code.put(f"u{place.segment} ^= {1 << place.field}")
            else:
                with code.block("elif t == NULL:"):
                    self._mark([place])
        if nested:
            code.depth -= 1

    def _evaluate(self, plan: CallPlan, function: Function | None, call: str, memo: str, withs: tuple[Source, ...]) -> None:
        """`v`, the value for the text `t`: SKIP (None without a memo) where there is none."""
        code = self.code
        arguments = ""
        for index, each in enumerate(withs):
            code.put(f"w{index} = {self._row(each)}")
            if each.component:
                code.put(f"w{index} = PIECE(w{index}, {each.component}, {each.subcomponent}, S)")
            arguments += f", w{index}"
        if memo:
            code.put(f"v = {memo}({f'(t{arguments})' if arguments else 't'})")
            with code.block("if v is None:"):
                code.put(f"v = {call}(S, t{arguments})")
            return
        if not self._inlines(plan) or function is None:
            code.put(f"v = {call}(S, t{arguments})")
            return
        odd = "".join(f" or REP in w{index} or w{index} == NULL" for index in range(len(withs)))
        with code.block(f"if REP in t or t == NULL{odd}:"):
            code.put(f"v = {call}(S, t{arguments})")
        with code.block("else:"):
            named = "".join(f", {name}=w{index}" for index, name in enumerate(plan.withs))
            constants = "".join(f", {name}={code.constant(value)}" for name, value in (plan.constants or {}).items())
            code.put(f"v = {code.constant(function.call, 'f')}(t, S{named}{constants})")
            if plan.gives_pair:
                with code.block("if v is not None:"):
                    code.put(f"v = ({code.constant(plan.properties)}[v[0]], v[1])")

    def _inlines(self, plan: CallPlan) -> bool:
        """Whether the function may be called straight: nothing is done to its text before nor to its value after."""
        plain = not (plan.component or plan.table or plan.gives_list or plan.many or plan.wrap is not None or plan.shares or plan.each == "lines")
        return plain and (plan.properties is None or plan.gives_pair)

    def _plan(self, rule: Rule, action: Action, found: Located) -> tuple[CallPlan, Function | None]:
        function = self.kit.functions.get(action.function)
        table = self.kit.tables.get(action.codes)
        types = found.element.types
        wrapped = _wraps_pair(action.wrap)
        takes_table = bool(table and function and "codes" in function.options)
        entries: dict[str | None, Any] | None = None
        if table is not None:
            keep = (lambda coded: coded) if takes_table else (lambda coded: fill_plain(shaped(coded, _inner_types(types, action.wrap)), action.wrap))
            entries = {key: keep(coded) for key, coded in table.codes.items()}
            if table.otherwise is not None:
                entries[None] = keep(table.otherwise)
        gives_pair = bool(function and function.gives == "*")
        properties = None
        if found.element.choice and found.name == found.element.name:
            properties = {each: found.element.property_for(each) for each in types}
            if function is not None and not gives_pair or function is None:
                properties = None
        resource = bool(function and function.gives in _resource_types())
        place = action.sources[0]
        plan = CallPlan(
            component=place.component, subcomponent=place.subcomponent, function=function.call if function else None,
            gives_pair=gives_pair, gives_list=bool(function and function.list), memo=function.memo if function else True,
            table=entries, table_to="codes" if takes_table else "", properties=properties,
            withs=tuple(name for name, value in action.withs if isinstance(value, Source)),
            constants={name: value for name, value in action.withs if not isinstance(value, Source)},
            many=self._many(action, found), each=action.each, wrap=None if entries is not None and not function and not wrapped else action.wrap,
            shares=resource and "Reference" in types,
        )  # fmt: skip
        return plan, function

    def _many(self, action: Action, found: Located) -> bool:
        return found.element.many or (isinstance(action.each, str) and action.each not in ("lines",))

    # storing

    def _constant(self, rule: Rule, action: Action, found: Located, certain: list[Source]) -> None:
        if action.const is None:
            return
        self._mark(certain)
        value = action.const
        if found.element.many:
            value = value if isinstance(value, list) else [value]
        name = found.name
        if found.element.choice and found.name == found.element.name:
            name = found.element.property_for(_const_type(value, found.element))
        with self._standing(found):
            self._put(rule, found, self._holder(rule, found), repr(name), self.code.constant(value), ())

    @contextmanager
    def _standing(self, found: Located) -> Iterator[None]:
        """Only where the list element a constant goes into stands already: a constant makes none."""
        lists = [index for index, (_, many) in enumerate(found.containers) if many]
        if not lists:
            yield
            return
        path = tuple(step for step, _ in found.containers[: lists[-1] + 1])
        with self.code.block(f"if {self._containers.setdefault(path, f'e{len(self._containers)}')} is not None:"):
            yield

    def _store(self, rule: Rule, action: Action, found: Located, plan: CallPlan, sources: tuple[Source, ...]) -> None:
        code = self.code
        value = "v"
        name = repr(found.name)
        if plan.properties is not None:
            name, value = "v[0]", "v[1]"
        elif found.element.choice and found.name == found.element.name:
            function = self.kit.functions.get(action.function)
            kind = function.gives if function and action.wrap is None else _text_type(found.element)
            name = repr(found.element.property_for("Reference" if plan.shares else kind))
        if plan.shares:
            value = f"[REFER(x, S, home) for x in {value}]" if plan.many else f"REFER({value}, S, home)"
        if isinstance(action.each, str) and action.each != "lines":
            self._store_each(rule, action, found, value, sources)
            return
        if action.with_each:
            value = f"[{{**{code.constant(action.with_each)}, **x}} for x in {value}]"
        self._put(rule, found, self._holder(rule, found), name, value, sources)

    def _store_each(self, rule: Rule, action: Action, found: Located, value: str, sources: tuple[Source, ...]) -> None:
        """One element of the list `action.each` for every value."""
        names = [step.name for step, _ in found.containers]
        index = names.index(action.each)
        holder = self._holder_of(tuple(step for step, _ in found.containers[:index]), found)
        inner = "x"
        for name, many in [*reversed([(step.name, many) for step, many in found.containers[index + 1 :]]), ]:  # fmt: skip
            inner = f"{{{found.name!r}: {inner}}}" if name is None else inner
        path = [found.name, *reversed([step.name for step, _ in found.containers[index + 1 :]])]
        lists = [found.element.many, *reversed([many for _, many in found.containers[index + 1 :]])]
        for name, many in zip(path, lists):
            inner = f"{{{name!r}: [{inner}]}}" if many else f"{{{name!r}: {inner}}}"
        if action.with_each:
            inner = f"{{**{self.code.constant(action.with_each)}, **{inner}}}"
        self._append(holder, repr(action.each), f"[{inner} for x in {value}]", sources)

    def _put(self, rule: Rule, found: Located, holder: str, name: str, value: str, sources: tuple[Source, ...]) -> None:
        code = self.code
        if found.element.many:
            first = rule.to not in self._written and not (holder == "out" and (found.name in self._grown or "*" in self._grown)) and not found.containers
            if first and self._targets[rule.to] == 1 or first and not self._prior(rule.to):
                code.put(f"{holder}[{name}] = {value}")
                self._trace(holder, name, "0", sources)
            else:
                self._append(holder, name, value, sources)
            return
        code.put(f"{holder}[{name}] = {value}")
        flag = self._flagged().get(rule.to)
        if flag is not None:
            code.put(f"d{flag} = True")
        self._trace(holder, name, "None", sources)

    def _prior(self, steps: tuple[Step, ...]) -> bool:
        """Whether something may stand in this list already: the same target or labelled elements of it."""
        return any(written and written[0].name == steps[0].name for written in self._written)

    def _append(self, holder: str, name: str, value: str, sources: tuple[Source, ...]) -> None:
        code = self.code
        code.put(f"x = {holder}.get({name})")
        code.put(f"{holder}[{name}] = {value} if x is None else [*x, *{value}]")
        self._trace(holder, name, "0 if x is None else len(x)", sources)

    def _trace(self, holder: str, name: str, start: str, sources: tuple[Source, ...]) -> None:
        if not self.explain:
            return
        took = "".join(f"(i{each.segment}, {each.field}), " for each in sources)
        places = "took" if len(sources) > 1 else f"({took})"
        for each in sources:
            self.segments.add(each.segment)
        self.code.put(f"TRACE(({holder}, {name}, {start}, {self.code.constant(self._base, 'L')}, {places}))")

    def _holder(self, rule: Rule, found: Located) -> str:
        return self._holder_of(tuple(step for step, _ in found.containers), found)

    def _holder_of(self, steps: tuple[Step, ...], found: Located) -> str:
        """The local that holds the element at `steps`, made where it is not there yet."""
        holder = "out"
        for index, (step, many) in enumerate(found.containers[: len(steps)]):
            path = steps[: index + 1]
            name = self._containers.setdefault(path, f"e{len(self._containers)}")
            code = self.code
            with code.block(f"if {name} is None:"):
                if many:
                    code.put(f"{name} = {{}}")
                    code.put(f"{holder}[{step.name!r}] = [*{holder}.get({step.name!r}, ()), {name}]")
                else:
                    code.put(f"{name} = {holder}[{step.name!r}] = {{**{holder}.get({step.name!r}, NOTHING)}}")
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
            self.code.put(f"u{segment} |= {mask}" if segment in self.masks else f"U[i{segment}] |= {mask}")

    def condition(self, condition: Condition) -> str:
        """A Python expression that is true where the condition holds."""
        place = condition.source
        if place is not None:
            self.segments.add(place.segment)
        elif condition.segment and condition.kind != "option":
            self.segments.add(condition.segment)
        return getattr(self, f"_when_{condition.kind}")(condition)

    def _when_equals(self, condition: Condition) -> str:
        place = condition.source
        truths = self.code.bind("Truths", condition.values, place.component, place.subcomponent)
        return f"{truths}[{self._row(place)}]"

    def _when_valued(self, condition: Condition) -> str:
        place = condition.source
        if place is None:
            return f"i{condition.segment} >= 0"
        if place.component:
            return f"VALUED({self._row(place)}, {place.component}, {place.subcomponent}, S)"
        return f"{self._row(place)} not in ABSENT"

    def _when_absent(self, condition: Condition) -> str:
        return f"not ({self._when_valued(condition)})"

    def _when_not(self, condition: Condition) -> str:
        return f"not ({self.condition(condition.inner[0])})"

    def _when_all(self, condition: Condition) -> str:
        return "(" + " and ".join(map(self.condition, condition.inner)) + ")"

    def _when_any(self, condition: Condition) -> str:
        return "(" + " or ".join(map(self.condition, condition.inner)) + ")"

    def _when_repeats(self, condition: Condition) -> str:
        return f"REP in {self._row(condition.source)}"

    def _when_matches(self, condition: Condition) -> str:
        test = self.kit.predicates.get(condition.values[0])
        return f"MATCHES({self.code.constant(test, 'p')}, {self._row(condition.source)}, S)"

    def _when_option(self, condition: Condition) -> str:
        wanted = condition.values[0]
        wanted = wanted if isinstance(wanted, list) else [wanted]
        return repr(getattr(self.kit.options, condition.segment, None) in wanted)


def fill_plain(value: Any, wrap: Any) -> Any:
    """A table's value in its wrapping."""
    from transforms.mapping.runtime import fill

    return value if wrap is None else fill(wrap, value, _kind_of(value))


def _kind_of(value: Any) -> str:
    if isinstance(value, dict):
        return "CodeableConcept" if "coding" in value else "Coding"
    return "boolean" if isinstance(value, bool) else "code"


def _wraps_pair(wrap: Any) -> bool:
    if isinstance(wrap, dict):
        return any(key.endswith("[x]") or _wraps_pair(each) for key, each in wrap.items())
    return isinstance(wrap, list) and any(map(_wraps_pair, wrap))


def _inner_types(types: tuple[str, ...], wrap: Any) -> tuple[str, ...]:
    """The types a table's entry should be shaped for inside `wrap`."""
    if wrap is None:
        return types
    for key, value in _pairs(wrap):
        if value == "@":
            for name in ("CodeableConcept", "Coding"):
                if key.endswith(name):
                    return (name,)
            if key == "coding":
                return ("Coding",)
    return ("code",)


def _pairs(wrap: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(wrap, dict):
        for key, value in wrap.items():
            yield key, value[0] if isinstance(value, list) and value else value
            yield from _pairs(value)
    elif isinstance(wrap, list):
        for each in wrap:
            yield from _pairs(each)


def _resource_types() -> frozenset[str]:
    from transforms.fhir.elements import resource_types

    return resource_types()


def _text_type(found: Element) -> str:
    return next((each for each in ("string", "code", "markdown") if each in found.types), found.types[0])


def _const_type(value: Any, found: Element) -> str:
    """The type of a constant in a choice."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        names = [each for each in found.types if children(each) and all(key in children(each) for key in value)]
        return names[0] if names else found.types[0]
    return _text_type(found)


def _constant_keys(rules: list[Rule]) -> set[str]:
    """First names of targets that only constants write."""
    keys: dict[str, bool] = {}
    for rule in rules:
        for case in rule.cases:
            if rule.to:
                keys[rule.to[0].name] = keys.get(rule.to[0].name, True) and not case.action.sources
    return {key for key, constant in keys.items() if constant}


def _count_readers(rules: list[Rule]) -> dict[tuple[str, int], int]:
    """How many rules (cases count each) read a field."""
    counts: dict[tuple[str, int], int] = {}
    for rule in rules:
        for place in fields_read(rule):
            counts[place] = counts.get(place, 0) + 1
    return counts


def fields_read(rule: Rule) -> Iterator[tuple[str, int]]:
    """The fields a rule may use, once for each case and place that does."""
    for case in rule.cases:
        for place in case.action.sources:
            yield place.segment, place.field
        for _, value in case.action.withs:
            if isinstance(value, Source):
                yield value.segment, value.field
    if rule.choose is not None:
        yield rule.choose.segment, rule.choose.field
    if rule.when is not None:
        for each in rule.when.certain:
            yield each.source.segment, each.source.field
    for place in rule.drop:
        yield place.segment, place.field
