"""Resources that are ours, under the identity a receiver allows: our id, or an identifier that holds it.  No I/O.

`put_by_id` needs nothing: an entry goes as it is.  A server that does not create resources under ids that we give finds them
by an identifier of the site's own system, `{identity.base}/result-key`, whose value is our id: a conditional update, or, where there
would be too many conditions, a search first, then an update of what was found and a create of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

from channels.fhir.answer import Made, reference_to
from channels.fhir.plan import Entry, literal_of
from channels.fhir.references import References
from transforms.fhir.elements import children
from transforms.fhir.serialization import dumps

TOGETHER = 20
"""Identifiers asked for in one search: a URL has its limits."""

_EARLIER = re.compile(rb'"((?:Observation|DiagnosticReport|Specimen|DocumentReference)/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')


class Owned:
    """The owned entries of one delivery.  Without a `system` they are put by id."""

    def __init__(self, entries: Sequence[Entry], system: str, references: References) -> None:
        self.system, self._references = system, references
        self._entries = entries
        self._ours = {literal_of(each): each for each in entries if "id" in each["resource"]} if system else {}
        self.inside = bool(system)  # conditions stand in the transaction, until a search made them needless
        self._earlier = (
            sorted({found.decode() for each in entries for found in _EARLIER.findall(dumps(each["resource"]))}) if system else []
        )

    def unknown(self) -> int:
        """How many would be conditional."""
        return sum(self._known(name) is None for name in self._ours) if self.system and self.inside else 0

    def must_be_found(self) -> bool:
        """Something sent earlier is pointed at, and nobody knows under which id the receiver has it."""
        return self.inside and any(self._known(name) is None for name in self._earlier)

    def reference(self, name: str) -> str:
        """The receiver's reference for `Observation/OUR-ID`; empty where it has none."""
        return name if not self.system else self._known(name) or ""

    def references(self) -> dict[str, str]:
        """`urn:uuid:` -> the receiver's reference, of those that have one."""
        named = {each["fullUrl"]: literal_of(each) for each in self._entries if "fullUrl" in each and "id" in each["resource"]}
        return {urn: reference for urn, name in named.items() if (reference := self.reference(name))}

    def elsewhere(self) -> dict[str, str]:
        """Our references to what was sent earlier -> the receiver's."""
        return {name: reference for name in self._earlier if (reference := self._known(name))}

    def entries(self, portion: Sequence[Entry], conditions: bool) -> list[Entry]:
        """A portion as it is sent."""
        return [self._entry(each, conditions) for each in portion] if self.system else list(portion)

    def _entry(self, entry: Entry, conditions: bool) -> Entry:
        if "id" not in entry["resource"] or "ifMatch" in entry["request"]:
            return entry
        name = literal_of(entry)
        type_name, _, id = name.partition("/")
        resource = {key: value for key, value in entry["resource"].items() if key != "id"}
        ours = {"system": self.system, "value": id}
        if ours not in resource.get("identifier", ()):  # maps give reports and results theirs
            resource["identifier"] = [*resource.get("identifier", ()), ours]
        resource = _without(resource, {each for each in self._earlier if self._known(each) is None} - self._ours.keys())
        if known := self._known(name):
            return {**entry, "resource": {**resource, "id": known.partition("/")[2]}, "request": {"method": "PUT", "url": known}}
        request = {"method": "PUT", "url": self._key(name)} if conditions and self.inside else {"method": "POST", "url": type_name}
        return {**entry, "resource": resource, "request": request}

    def searches(self, extra: Iterable[str] = ()) -> Iterator[str]:
        """Paths to ask for, to know under which ids the receiver has them; after that nothing is conditional."""
        if not self.system:
            return
        self.inside = False
        wanted: dict[str, list[str]] = {}
        for name in {**self._ours, **dict.fromkeys(self._earlier), **dict.fromkeys(extra)}:
            if self._known(name) is None:
                wanted.setdefault(name.partition("/")[0], []).append(name)
        for type_name, names in wanted.items():
            for start in range(0, len(names), TOGETHER):
                some = names[start : start + TOGETHER]
                yield f"{type_name}?identifier={','.join(map(self._token, some))}&_count={2 * len(some)}"

    def found(self, resources: Iterable[Mapping[str, Any]]) -> None:
        """Learn from what a search gave."""
        for resource in resources:
            identifiers = resource.get("identifier")
            for identifier in identifiers if isinstance(identifiers, list) else ():
                if isinstance(identifier, dict) and identifier.get("system") == self.system:
                    self._references.learn(self._key(f"{resource.get('resourceType')}/{identifier.get('value')}"), reference_to(resource))

    def learn(self, portion: Sequence[Entry], made: Sequence[Made]) -> None:
        """Learn from what a transaction made."""
        if self.system:
            for entry, each in zip(portion, made, strict=False):
                if each.reference and "id" in entry["resource"] and "ifMatch" not in entry["request"]:
                    self._references.learn(self._key(literal_of(entry)), each.reference)

    def _known(self, name: str) -> str | None:
        return self._references.get(self._key(name))

    def _key(self, name: str) -> str:
        return f"{name.partition('/')[0]}?identifier={self._token(name)}"

    def _token(self, name: str) -> str:
        return f"{quote(self.system, safe='')}%7C{name.partition('/')[2]}"


@cache
def has_identifiers(type_name: str) -> bool:
    """R4 gives resources of this type a list of identifiers, in which ours can stand."""
    found = children(type_name).get("identifier")
    return found is not None and found.many


def inlined(entries: Sequence[Entry]) -> list[Entry]:
    """Entries without those that have no identifiers in R4; what a Binary held goes where it was pointed at."""
    binaries = {each["fullUrl"]: each["resource"] for each in entries if each["resource"]["resourceType"] == "Binary"}
    kept = [each for each in entries if has_identifiers(each["resource"]["resourceType"])]
    return [{**each, "resource": _with_data(each["resource"], binaries)} for each in kept] if binaries else kept


def _with_data(value: Any, binaries: Mapping[str, Mapping[str, Any]]) -> Any:
    """Attachments that pointed at a Binary hold its data instead."""
    if isinstance(value, list):
        return [_with_data(each, binaries) for each in value]
    if not isinstance(value, dict):
        return value
    binary = binaries.get(value.get("url", ""))
    if binary is not None:
        return {**{key: each for key, each in value.items() if key != "url"}, "contentType": binary["contentType"], "data": binary["data"]}
    return {key: _with_data(each, binaries) for key, each in value.items()}


def _without(value: Any, gone: set[str]) -> Any:
    """References that lead nowhere at this receiver are taken out of the lists they stand in."""
    if not gone:
        return value
    if isinstance(value, list):
        return [_without(each, gone) for each in value if not (isinstance(each, dict) and each.get("reference") in gone)]
    if isinstance(value, dict):
        return {key: _without(each, gone) for key, each in value.items()}
    return value
