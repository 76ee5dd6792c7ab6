"""Values put where a rule's `to` says: into single elements, lists, elements inside elements, with what stands beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from transforms.mapping.calls import CallPlan
from transforms.mapping.conversion import Line
from transforms.mapping.definition import Action, Rule
from transforms.mapping.expressions import ExpressionWriter, Frame
from transforms.mapping.functions.registry import Function
from transforms.mapping.kit import Kit
from transforms.mapping.places import Source, Step
from transforms.mapping.targets import Located, const_type, locate, text_type
from transforms.mapping.writing import Code


@dataclass
class Reader:
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


class StoreWriter(ExpressionWriter):
    """Writes what stores values; `targets` are the paths rules write, with how many rules write each."""

    def __init__(self, code: Code, kit: Kit, frame: Frame, targets: Mapping[tuple[Step, ...], int]) -> None:
        super().__init__(code, kit, frame)
        self._flags = _flagged(frame.type, targets)
        self._containers: dict[tuple[Step, ...], str] = {}
        self._written: set[tuple[Step, ...]] = set()
        self._base = Line("", "", 0, 0)
        self._reader: Reader | None = None  # of the action being written

    def reset(self) -> str:
        """The statements that set up the locals of the rules, to stand before them."""
        containers = [*self._containers.values()]
        flags = [*self._flags.values()]
        parts = [" = ".join(containers) + " = None"] if containers else []
        return "; ".join(parts + ([" = ".join(flags) + " = False"] if flags else []))

    def constant(self, rule: Rule, action: Action, found: Located, certain: list[Source]) -> None:
        if action.const is None:
            return
        self.mark(certain)
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

    def store(self, rule: Rule, reader: Reader, sources: tuple[Source, ...]) -> None:
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

    def trace_drop(self, place: Source) -> None:
        """Note that a rule leaves a field out on purpose."""
        if self.frame.explain:
            self.code.put(f"TRACE((None, (i{place.segment}, {place.field}), None, {self.code.constant(self._base, 'L')}, ()))")

    def _places(self, reader: Reader | None, sources: tuple[Source, ...]) -> str:
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


def _flagged(type_name: str, targets: Mapping[tuple[Step, ...], int]) -> dict[tuple[Step, ...], str]:
    """Single-valued targets of several rules whose presence no one name tells: a local says whether they were written."""
    flags = {}
    for index, (steps, count) in enumerate(targets.items()):
        found = locate(type_name, steps) if steps else ""
        if count > 1 and isinstance(found, Located) and not found.element.many and (found.element.choice or found.containers):
            flags[steps] = f"d{index}"
    return flags
