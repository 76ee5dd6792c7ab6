"""The slow paths of rules: what a field's text gives when the rule's memo does not know it yet.

The straight way of a rule is in the generated code: look the text up.  What is not there comes to a `Call`: NULL,
repetitions, components, tables, functions; and goes into the memo where it may be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.mapping.conversion import NULL, SKIP, Conversion
from transforms.mapping.functions.registry import Beside
from transforms.mapping.reading import Reading
from transforms.mapping.references import share

KEPT = 4096  # values a rule's memo holds before it is emptied
LONGEST = 512  # longer texts are not kept


@dataclass(frozen=True)
class CallPlan:
    """Everything a Call is made of but the environment: decided when the map is compiled."""

    component: int = 0
    subcomponent: int = 0
    function: Callable[..., Any] | None = None
    gives_pair: bool = False  # the function gives (type, value)
    gives_list: bool = False
    beside: bool = False  # what it gives may have something beside it
    memo: bool = False
    table: Mapping[str | None, Any] | None = None  # key -> what it means, shaped for the target; None: otherwise
    table_to: str = ""  # the function's parameter that takes the table itself
    properties: Mapping[str, str] | None = None  # for choices: type -> JSON name
    withs: tuple[str, ...] = ()  # names of the values read from fields
    constants: Mapping[str, Any] | None = None
    many: bool = False  # the target is a list
    each: bool | str = True
    wrap: Any = None
    taken: frozenset[int] | None = None  # components that rules read, where what stands in others is to be told
    shares: bool = False  # the function's resources are referred to

    @property
    def inlines(self) -> bool:
        """Whether generated code may do all of it itself for plain text: no parts, no table, no list of values."""
        dressed = self.component or self.table is not None or self.gives_list or self.shares or self.beside or self.each == "lines"
        return not dressed and (self.wrap is None or not self.gives_pair)


class Call:
    """The slow path of one rule, in one environment."""

    __slots__ = ("plan", "memo", "said", "name", "keeps", "constants", "straight")

    def __init__(self, plan: CallPlan, name: Callable[[str], str]) -> None:
        self.plan, self.name = plan, name
        self.memo: dict[Any, Any] = {}
        self.said: dict[Any, tuple[Any, list[tuple[str, Any, Any]]]] = {}
        self.keeps = plan.memo
        self.constants = dict(plan.constants or {})
        if plan.table_to:
            self.constants[plan.table_to] = plan.table
        if plan.memo and plan.table is not None and plan.function is None and not plan.component and plan.wrap is None:
            self.memo = {key: ([value] if plan.many else value) for key, value in plan.table.items() if key is not None}
        dressed = plan.component or plan.table is not None and not plan.table_to or plan.shares or plan.gives_pair or plan.gives_list or plan.beside
        self.straight = None if dressed or plan.wrap is not None else plan.function

    def __call__(self, conversion: Conversion, text: str, *withs: str) -> Any:
        """The value for a field's whole text.  Pairs (name, value) for choices.

        Where nothing can be said: None, or SKIP if the rule has a memo.
        """
        if not self.keeps:
            return None if text == NULL else self._value(conversion, text, withs)
        if text == NULL:
            return SKIP
        key = (text, *withs) if withs else text
        if key in self.memo:  # kept, and empty: the generated line asks again
            return self.memo[key]
        if self.said and (kept := self.said.get(key)) is not None:
            conversion.say_again(kept[1])
            return kept[0]
        remarks = conversion.remarks
        before = len(remarks)
        value = self._value(conversion, text, withs)
        if value is None:
            value = SKIP
        if len(text) > LONGEST:
            return value
        kept_in: dict[Any, Any] = self.memo if len(remarks) == before else self.said
        if len(kept_in) >= KEPT:
            kept_in.clear()
        kept_in[key] = value if kept_in is self.memo else (value, remarks[before:])
        return value

    def _value(self, conversion: Conversion, text: str, withs: tuple[str, ...]) -> Any:
        plan = self.plan
        options = self.constants
        if withs:
            options = {**options, **{name: _first(value, conversion) for name, value in zip(plan.withs, withs)}}
        if conversion.repetition not in text or plan.each == "whole":
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
            conversion.repeating = number
            value = self._one(conversion, text, options)
            conversion.repeating = 0
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
        said = [each for each in bare if each is not None]
        if not said:
            return None
        if self.plan.gives_pair:
            if len(said) == 1:
                return self._wrapped(said[0])
            return self._wrapped(("string", "\n".join("" if each is None else _line(each[1]) for each in bare)))
        value = self._wrapped("\n".join("" if each is None else each for each in bare))
        return [value] if self.plan.many else value

    def _one(self, conversion: Conversion, text: str, options: dict[str, Any]) -> Any:
        plan = self.plan
        if plan.taken is not None and conversion.component in text:
            for number, part in enumerate(text.split(conversion.component), 1):
                if part and part != NULL and number not in plan.taken:
                    conversion.left(number)
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
            return fill(plan.wrap, value.value if type(value) is Beside else value, kind)
        if plan.beside:
            value = tuple(value) if type(value) is Beside else (value, None)
        if plan.properties is None:
            return value
        return (plan.properties[kind], *value) if plan.beside else (plan.properties[kind], value)


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


def _line(value: Any) -> str:
    """A value as a line of a text: a Quantity as number and unit."""
    if not isinstance(value, dict):
        return str(value)
    return " ".join(str(value[name]) for name in ("comparator", "value", "unit") if name in value)


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
