"""Frozen declarations out of plain values: every problem found, each at its place, with what was probably meant.

pydantic checks types and limits.  What it cannot know is done here, walking the declared types beside the values: components
(`- equals: {…}`, `- validate`), keys nobody declared, text that YAML typed, `yes` where `true` is meant.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import is_pydantic_dataclass
from pydantic.fields import FieldInfo

from transforms.declaration.reading import Located, Path, spelled
from transforms.declaration.sentences import sentence
from transforms.declaration.suggestions import did_you_mean, enumerated, nearest
from transforms.errors import Problem

Registry = Mapping[str, Mapping[str, type]]
SEVERAL_PER_PLACE = ("missing",)  # codes of which one place may have several


@dataclasses.dataclass(frozen=True)
class OneOf:
    """Marks a value that is a component of a kind: a bare name, or a mapping of one name to its options.

    `rules: tuple[Annotated[Any, OneOf("rule")], ...]`.  `inline`: the name stands as a key among the other options.
    """

    kind: str
    inline: bool = False

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """A placeholder: whoever knows the registered components puts their schema here."""
        return {"x-component": self.kind, **({"inline": self.kind} if self.inline else {})}


@dataclasses.dataclass(frozen=True)
class Placed:
    """A component that was built: what it is called, the declaration, and where it stands."""

    name: str
    declaration: Any
    file: str
    line: int
    path: Path = ()  # in the file's values

    @property
    def origin(self) -> str:
        """`file:line`, as errors name it."""
        return f"{self.file}:{self.line}"


class _Failed:
    """Stands for what could not be built, so that its surroundings can still be checked."""

    def __repr__(self) -> str:
        return "FAILED"


FAILED = _Failed()


class Builder:
    """Builds declarations from one located file, gathering problems."""

    def __init__(self, located: Located, registry: Registry) -> None:
        self._located, self._registry = located, registry
        self.problems: list[Problem] = list(located.problems)
        self._blamed = {(each.line, each.column) for each in located.problems}
        self._errors = 0  # told or not
        self._meant: set[Path] = set()  # options that were given, but misspelled: not missing

    def report(self, path: Path, code: str, words: str, *, key: bool = False, severity: str = "error") -> None:
        """Note a problem, unless its place was blamed already: one mistake, one line."""
        self._errors += severity == "error"
        problem = self._located.problem(path, code, words, key=key, severity=severity)
        place = (problem.line, problem.column)
        if place not in self._blamed or (code in SEVERAL_PER_PLACE and problem not in self.problems):
            self.problems.append(problem)
            if code not in SEVERAL_PER_PLACE:
                self._blamed.add(place)

    def build(self, declaration: type, value: Any, path: Path = ()) -> Any:
        """An instance of `declaration`; FAILED where a problem was found."""
        if value is None:  # the text could not be read, which was said
            return FAILED
        before = self._errors
        prepared = self._prepare(declaration, (), value, path)
        if prepared is FAILED:
            return FAILED
        try:
            built = TypeAdapter(declaration).validate_python(prepared)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                self._report(each, path)
            return FAILED
        return built if self._errors == before else FAILED

    def component(self, kind: str, value: Any, path: Path) -> Any:
        """The component of `kind` that `value` names, as Placed; FAILED where a problem was found."""
        if isinstance(value, str):
            name, options, inside = value, {}, path
        elif isinstance(value, dict) and len(value) == 1:
            ((name, options),) = value.items()
            inside = path + (name,)
        else:
            self.report(path, "wrong_type", f"A {kind} is one name, or one name with its options: `- name: {{…}}`.")
            return FAILED
        return self._component(kind, name, options, inside)

    def _component(self, kind: str, name: str, options: Any, path: Path) -> Any:
        known = self._registry.get(kind, {})
        if name not in known:
            self.report(path, f"unknown_{kind}", f"No {kind} is called `{name}`{did_you_mean(name, known)}.", key=True)
            return FAILED
        built = self.build(known[name], options, path)
        if built is FAILED:
            return FAILED
        return Placed(name, built, self._located.file, self._located.place(path, key=True)[0], path)

    # walking types and values

    def _prepare(self, hint: Any, metadata: Sequence[Any], value: Any, path: Path) -> Any:
        """`value` as pydantic may have it for `hint`; FAILED where a problem was reported."""
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            return self._prepare(hint, (*metadata, *more), value, path)
        for mark in metadata:
            if isinstance(mark, OneOf) and not mark.inline:
                return self.component(mark.kind, value, path)
        if get_origin(hint) in (Union, types.UnionType):
            return self._prepare_union(get_args(hint), metadata, value, path)
        if is_pydantic_dataclass(hint):
            return self._prepare_fields(hint, value, path)
        return self._prepare_plain(hint, value, path)

    def _prepare_plain(self, hint: Any, value: Any, path: Path) -> Any:
        origin, arguments = get_origin(hint) or hint, get_args(hint)
        if hint is str and _is_scalar(value):
            return spelled(value)
        if hint is bool and isinstance(value, str) and "${" not in value:
            self.report(path, "wrong_type", f"{_named(path)} should be true or false.")
            return FAILED
        if isinstance(value, list) and isinstance(origin, type) and issubclass(origin, (tuple, list, frozenset, Sequence)) and arguments:
            hints = arguments if origin is tuple and arguments[-1] is not ... else (arguments[0],) * len(value)
            pairs = enumerate(zip(hints, value, strict=False))
            return [self._prepare(each, (), item, path + (index,)) for index, (each, item) in pairs] + value[len(hints) :]
        if isinstance(value, dict) and isinstance(origin, type) and issubclass(origin, Mapping) and arguments:
            return {key: self._prepare(arguments[1], (), each, path + (key,)) for key, each in value.items()}
        return value

    def _prepare_union(self, hints: Sequence[Any], metadata: Sequence[Any], value: Any, path: Path) -> Any:
        """The branch that a value of this shape can only mean; where several could be, pydantic decides."""
        hints = [hint for hint in hints if hint is not type(None)]
        fitting = [hint for hint in hints if _fits(hint, value)] if len(hints) > 1 else hints
        if len(hints) > 1 and len(fitting) == 1 and is_pydantic_dataclass(fitting[0]):
            return self.build(fitting[0], value, path)  # else pydantic would also say why it is none of the others
        if len(fitting) == 1:
            return self._prepare(fitting[0], metadata, value, path)
        return value

    def _prepare_fields(self, declaration: type, value: Any, path: Path) -> Any:
        fields: dict[str, FieldInfo] = {field.alias or name: field for name, field in declaration.__pydantic_fields__.items()}
        short = getattr(declaration, "shorthand", "")
        if short and (not isinstance(value, dict) or (short not in value and _marks(fields[short]))):
            value = {short: value}
        if not isinstance(value, dict):
            return value
        inline = {name: mark for name, field in fields.items() for mark in _marks(field) if mark.inline}
        prepared = {}
        for key, each in value.items():
            if key in fields and key not in inline:
                field = fields[key]
                prepared[key] = self._prepare(field.annotation, field.metadata, each, path + (key,))
            elif not inline or not any(key in self._registry.get(mark.kind, {}) for mark in inline.values()):
                names = [name for name in fields if name not in inline]
                names += [name for mark in inline.values() for name in self._registry.get(mark.kind, {})]
                self._meant |= {path + (name,) for name in nearest(key, names)}
                self.report(path + (key,), "unknown_key", f"`{key}` is not known here{did_you_mean(key, names)}.", key=True)
                prepared = {**prepared, **dict.fromkeys(inline, FAILED)} if inline else prepared
        for name, mark in inline.items():
            prepared[name] = self._inline(mark.kind, value, path, prepared.get(name))
        return prepared

    def _inline(self, kind: str, value: Mapping[str, Any], path: Path, failed: Any) -> Any:
        """The one component among a mapping's keys."""
        names = [key for key in value if key in self._registry.get(kind, {})]
        if not names:
            if failed is not FAILED:
                known = enumerated(sorted(self._registry.get(kind, {})))
                self.report(path, "missing", f"A {kind} is missing: {known}.", key=True)
            return FAILED
        for extra in names[1:]:
            self.report(path + (extra,), "too_many", f"`{names[0]}` stands here already; one {kind} is what it takes.", key=True)
        return self._component(kind, names[0], value[names[0]], path + (names[0],))

    # saying what pydantic found

    def _report(self, error: Mapping[str, Any], path: Path) -> None:
        code, predicate = sentence(error)
        location = path + tuple(error["loc"])
        if code == "missing" and isinstance(location[-1], int):
            code, predicate, location = "wrong_type", "should hold more values", location[:-1]
        missing = code == "missing"
        if error["input"] is FAILED or (missing and location in self._meant):
            return
        named = location if missing or code == "out_of_range" else self._located.known(location) or location
        self.report(location[:-1] if missing else location, code, f"{_named(named)} {predicate}.", key=missing)


def _marks(field: FieldInfo) -> list[OneOf]:
    return [mark for mark in field.metadata if isinstance(mark, OneOf)]


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, (dict, list, _Failed)) and value is not None


def _named(path: Path) -> str:
    """How a sentence speaks of the value at `path`: by the last key."""
    names = [each for each in path if isinstance(each, str)]
    return f"`{names[-1]}`" if names else "This"


def _fits(hint: Any, value: Any) -> bool:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    origin = get_origin(hint) or hint
    if is_pydantic_dataclass(hint):
        return isinstance(value, dict) or hasattr(hint, "shorthand")
    if not isinstance(origin, type):
        return True
    if isinstance(value, dict):
        return issubclass(origin, Mapping)
    if isinstance(value, list):
        return issubclass(origin, (tuple, list, frozenset, Sequence)) and origin is not str
    return not issubclass(origin, (Mapping, tuple, list, frozenset)) and (origin is str or isinstance(value, origin))
