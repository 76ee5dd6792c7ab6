"""YAML text into plain values, each with its place.  The scanning is libyaml's; what a scalar means is decided here.

Scalars are what they look like: `NO`, `ON`, `10:20`, `012`, `~`, `null` and `2024-01-01` stay text, for they are real codes in
our field.  Only `true` and `false`, integers without a leading zero and decimals (as `Decimal`, so that `7.0` stays `7.0`) are
typed, as YAML 1.2's core schema spells them.  An empty value, a key given twice and a tag are mistakes.  Anchors and aliases
work, within a limit.  Works on events, not on nodes: depth and size are bounded however the text is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from transforms.errors import Problem

Path = tuple[str | int, ...]
Place = tuple[int, int]

LONGEST = 8 * 2**20  # characters of one file
DEEPEST = 50  # mappings and lists inside one another
MOST = 200_000  # values of one file, aliases expanded

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # longer digits are identifiers, not numbers
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_OPENS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)


@dataclass(frozen=True)
class Located:
    """What a file says: plain values (dict, list, str, int, Decimal, bool), the place of each, and what was wrong.

    `value` is None where the text is no YAML at all.  Lines and columns count from 1.
    """

    file: str
    value: Any
    values: Mapping[Path, Place]
    keys: Mapping[Path, Place]
    problems: tuple[Problem, ...]

    def known(self, path: Path) -> Path:
        """The path without those of its parts that the text does not have."""
        known: Path = ()
        for each in path:
            if known + (each,) in self.values:
                known += (each,)
        return known

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at `path` stands (`key`: its key), as far as the text has it."""
        known = self.known(path)
        if key and known in self.keys:
            return self.keys[known]
        return self.values.get(known, (1, 1))

    def problem(self, path: Path, code: str, sentence: str, *, key: bool = False, severity: str = "error") -> Problem:
        """Something wrong at `path`."""
        line, column = self.place(path, key=key)
        return Problem(self.file, line, column, code, sentence, severity)


def scalar(text: str) -> str | int | bool | Decimal:
    """The value of an unquoted scalar."""
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    return text


def spelled(value: str | int | bool | Decimal) -> str:
    """The text a scalar was written as: `scalar` run backwards."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def read(text: str, file: str) -> Located:
    """Read one YAML document.  Never raises: what is wrong is in `problems`."""
    reader = _Reader(file)
    if len(text) > LONGEST:
        reader.report((1, 1), "too_long", f"The file is longer than {LONGEST // 2**20} MiB.")
        return reader.located(None)
    try:
        return reader.located(reader.document(yaml.parse(text, Loader=yaml.CSafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        end = _place_of(text, len(text))
        reader.report(min((mark.line + 1, mark.column + 1), end) if mark else end, "syntax", _syntax_sentence(error))
    except yaml.reader.ReaderError as error:
        reader.report(_place_of(text, error.position), "syntax", "There is a character here that YAML does not allow.")
    except UnicodeEncodeError as error:
        reader.report(_place_of(text, error.start), "syntax", "There is a character here that is no Unicode text.")
    except _TooMuch as error:
        reader.report(error.place, "too_much", str(error))
    return reader.located(None)


class _TooMuch(Exception):
    """A limit was reached; reading ends."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class _Reader:
    """Builds values out of events, noting places and problems."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}
        self._problems: list[Problem] = []
        self._anchors: dict[str, tuple[Any, Path]] = {}

    def located(self, value: Any) -> Located:
        return Located(self._file, value, self._values, self._keys, tuple(sorted(self._problems)))

    def report(self, place: Place, code: str, sentence: str) -> None:
        self._problems.append(Problem(self._file, *place, code, sentence))

    def document(self, events: Iterator[yaml.Event]) -> Any:
        value, documents = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    self.report(_place(event), "syntax", "A second document begins here; a file holds one.")
                    return value
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(event, events, ())
        if not documents:
            self.report((1, 1), "empty", "The file is empty.")
        return value

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Any:
        place = _place(event)
        self._note(path, place)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag is not None and event.tag != "!":
            self.report(place, "tag", "Tags (`!…`) are not used here.")
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, place)
        elif len(path) >= DEEPEST:
            raise _TooMuch(place, f"Values stand more than {DEEPEST} deep inside one another.")
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, path)
        else:
            value = self._mapping(events, path)
        if event.anchor:
            self._anchors[event.anchor] = (value, path)
        return value

    def _note(self, path: Path, place: Place) -> None:
        if len(self._values) >= MOST:
            raise _TooMuch(place, f"The file holds more than {MOST} values (aliases counted where they are used).")
        self._values[path] = place

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> Any:
        if event.style:  # quoted, or a block
            return event.value
        if event.value == "":
            self.report(place, "empty", 'A value is missing here (write "" for an empty text).')
        return scalar(event.value)

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._value(event, events, path + (len(items),)))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event, events)
            if key is None or key in mapping:
                self._refuse_key(key, _place(event), path)
                self._discard(next(events), events)
                continue
            self._keys[path + (key,)] = _place(event)
            mapping[key] = None  # keeps the order, also while the value is read
            mapping[key] = self._value(next(events), events, path + (key,))
        return mapping

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event]) -> str | None:
        """The text of a key; None (and its events read over) where it is no text."""
        if isinstance(event, yaml.ScalarEvent) and (event.value or event.style):
            return event.value
        self._discard(event, events)
        return None

    def _refuse_key(self, key: str | None, place: Place, path: Path) -> None:
        if key is None:
            self.report(place, "key", "A key must be text.")
        else:
            first = self._keys[path + (key,)]
            self.report(place, "duplicate_key", f"`{key}` is given twice (first in line {first[0]}).")

    def _discard(self, event: yaml.Event, events: Iterator[yaml.Event]) -> None:
        depth = 0
        while True:
            depth += isinstance(event, _OPENS) - isinstance(event, yaml.CollectionEndEvent)
            if not depth:
                return
            event = next(events)

    def _alias(self, event: yaml.AliasEvent, path: Path) -> Any:
        """The anchored value again; its parts keep the places where they are written."""
        if event.anchor not in self._anchors:
            self.report(_place(event), "alias", f"No `&{event.anchor}` ends before this `*{event.anchor}`.")
            return ""
        value, origin = self._anchors[event.anchor]
        self._copy_places(value, origin, path)
        return value

    def _copy_places(self, value: Any, origin: Path, path: Path) -> None:
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, each in parts:
            self._note(path + (key,), self._values[origin + (key,)])
            if origin + (key,) in self._keys:
                self._keys[path + (key,)] = self._keys[origin + (key,)]
            self._copy_places(each, origin + (key,), path + (key,))


def _place(event: yaml.Event) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _place_of(text: str, position: int) -> Place:
    before = text[: position if isinstance(position, int) else 0]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _syntax_sentence(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return f"This is no YAML: {', '.join(parts)}."
