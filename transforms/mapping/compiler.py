"""The rules of one make, written as straight Python lines: fields out of rows, values out of memos, into a dict.

Every line knows the rule it was made from.  What a rule can decide at load (tables, types, options, which fields it
always reads) is decided here; what is left for each message is a list index, a dict look-up and a dict store.
"""

from __future__ import annotations

from dataclasses import replace

from transforms.fhir.elements import resource_types
from transforms.mapping.calls import CallPlan
from transforms.mapping.conversion import Line
from transforms.mapping.definition import Action, Rule
from transforms.mapping.expressions import Frame
from transforms.mapping.functions.registry import Function
from transforms.mapping.kit import Kit
from transforms.mapping.places import Source, Step
from transforms.mapping.storing import Reader, StoreWriter
from transforms.mapping.targets import Located, constant_keys, count_readers, in_wrapping, inner_types, json_names, locate, shaped, wraps_pair
from transforms.mapping.writing import Code

SHORT = 4  # rules written before it is asked whether the segment goes on at all
ADDED = ("extension", "modifierExtension", "identifier", "link", "contained", "meta")  # elements an update only adds to
COMMON = 9  # fields up to here are usual; nobody asks for them


class RuleWriter(StoreWriter):
    """Writes the rules of one make."""

    def __init__(self, code: Code, kit: Kit, frame: Frame, rules: list[tuple[str, Rule]], all_rules: list[Rule]) -> None:
        targets: dict[tuple[Step, ...], int] = {}
        for _, rule in rules:
            targets[rule.to] = targets.get(rule.to, 0) + 1
        super().__init__(code, kit, frame, targets)
        self.rules = rules  # (map's name, rule)
        self.lengths: set[str] = set()  # segments whose length is asked for
        self.static: dict[str, int] = dict.fromkeys(frame.masks, 0)
        self.constant_keys = {"resourceType", "id"} | constant_keys([rule for _, rule in rules])
        self._readers = count_readers(all_rules)
        self._told: set[tuple[str, int]] = set()

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
        if "*" in self.frame.grown and not found.element.many and not found.containers:  # another make may have said it, as another type
            names = frozenset(json_names(self.frame.type, found.element.name))
            guards.insert(0, f"{self.frame.out}.keys().isdisjoint({self.code.constant(names)})")
        elif rule.to in self._written and not found.element.many:
            flag = self._flags.get(rule.to)
            guards.insert(0, f"not {flag}" if flag else f"{found.name!r} not in {self.frame.out}")
        return [each for each in guards if each != "True"]

    def _drop(self, rule: Rule) -> None:
        for place in rule.drop:
            self.segments.add(place.segment)
            if rule.when is None and place.segment in self.frame.masks:
                self.static[place.segment] |= 1 << place.field
            elif rule.when is None:
                self.mark([place])
            else:
                with self.code.block(f"if {self.condition(rule.when)}:"):
                    self.mark([place])
                    self.trace_drop(place)
                continue
            self.trace_drop(place)

    def _cases(self, rule: Rule, found: Located, conditional: bool, certain: list[Source]) -> None:
        code, choose = self.code, rule.choose
        if choose is None:
            self._action(rule, rule.cases[0].action, found, conditional, certain)
            return
        sources = {case.action.sources for case in rule.cases}
        depth = code.depth
        if len(sources) == 1 and len(only := next(iter(sources))) == 1:  # no value: then what chooses is moot
            with code.block(f"if not {self.row(only[0])}:"):
                self.mark([choose])
                self.trace_drop(choose)
            code.put("else:")
            code.depth += 1
        cases = {value: index for index, case in enumerate(rule.cases) for value in case.values}
        default = next((index for index, case in enumerate(rule.cases) if not case.values), -1)
        code.put(f"h = {code.bind('Choices', cases, default, choose.component, choose.subcomponent)}[{self.row(choose)}]")
        for index, case in enumerate(rule.cases):
            with code.block(f"{'if' if index == 0 else 'elif'} h == {index}:"):
                self._action(rule, case.action, found, True, [*certain, choose])
            code.line = self._base
        code.depth = depth

    # actions

    def _action(self, rule: Rule, action: Action, found: Located, conditional: bool, certain: list[Source]) -> None:
        code = self.code
        file, (line, column) = action.spot.file, action.spot.place
        code.line = self._base = replace(self._base, file=file, line=line, column=column, function=action.function, table=action.codes)
        if not action.sources:
            self._reader = None
            self.constant(rule, action, found, certain)
            return
        reader = self._reader = Reader(action, found, *self._plan(action, found), certain=certain)
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
            self.store(rule, reader, action.sources)

    def _read(self, rule: Rule, reader: Reader, place: Source, conditional: bool) -> None:
        """Read one place into `v`; store it, unless the action has other places to fall back on."""
        code, key, several = self.code, (place.segment, place.field), len(reader.action.sources) > 1
        alone = self._readers.get(key, 1) == 1
        code.line = replace(
            self._base, segment=place.segment, field=place.field, withs=reader.with_places, sole=alone or key not in self.frame.manifold
        )
        static = not (conditional or reader.withs or reader.certain) and place.segment in self.frame.masks and alone
        if static:
            self.static[place.segment] |= 1 << place.field
        code.put(f"t = {self.row(place)}")
        with code.block("if t:"):
            self._evaluate(reader)
            with code.block(f"if v is not {reader.nothing}:"):
                if not static:
                    self.mark([place, *reader.withs, *reader.certain])
                if not several:
                    self.store(rule, reader, (place,))
                elif self.frame.explain or reader.plan.shares:  # what is made may not fit in with what stands there
                    code.put(f"took = (i{place.segment}, {place.field})")
            removed = f"S.removed.append((n, {rule.to[0].name.lstrip('_')!r}))" if self.frame.removes and rule.to[0].name not in ADDED else ""
            with code.block("elif t != NULL:" if static else "elif t == NULL:"):
                if static:
                    code.put(f"u{place.segment} ^= {1 << place.field}")
                else:
                    self.mark([place])
                    if removed:
                        code.put(removed)
            if static and removed:
                with code.block("else:"):
                    code.put(removed)

    def _evaluate(self, reader: Reader) -> None:
        """`v`, the value for the text `t`: SKIP (None without a memo) where there is none."""
        code, plan, call = self.code, reader.plan, reader.call
        arguments = ""
        for index, each in enumerate(reader.withs):
            code.put(f"w{index} = {self.row(each)}")
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

    def _straight(self, reader: Reader) -> None:
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
