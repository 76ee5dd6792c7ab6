"""Two bundles of one message laid side by side: resources are paired by what they say, then compared leaf by leaf.

Ids, full URLs, profiles and narrative are nobody's fault and are not compared; a reference is compared by the type it leads to,
a time by the moment it means.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

Resource = dict[str, Any]
NOT_COMPARED = frozenset({"id", "meta", "text", "fullUrl", "resourceType", "request", "contained", "implicitRules", "language"})
AGREED, ELSEWHERE, OTHER, MISSING = "agreed", "elsewhere", "other value", "missing"
_TIME = re.compile(r"\d{4}(-\d{2}(-\d{2}(T.*)?)?)?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


class Leaf(NamedTuple):
    """A value at an element's path, without indices."""

    path: str
    value: str


class Difference(NamedTuple):
    """A leaf of theirs that ours does not have as they have it."""

    resource: str
    path: str
    kind: str  # ELSEWHERE: the value stands at another path; OTHER: the path has another value; MISSING
    value: str


@dataclass(frozen=True)
class Comparison:
    """How far ours says what theirs says."""

    agreed: int
    differences: tuple[Difference, ...]
    unpaired: tuple[str, ...]  # types of their resources that have no counterpart

    @property
    def total(self) -> int:
        """All leaves of theirs."""
        return self.agreed + len(self.differences)


def compare(theirs: Resource, ours: Resource) -> Comparison:
    """Lay two bundles side by side."""
    own, other = _resources(ours), _resources(theirs)
    said = {each.value for resource in own for each in leaves(resource, ours)}
    agreed, differences, unpaired = 0, [], []
    for resource, counterpart in _paired(_flat(other, theirs), _flat(own, ours)):
        kind, found = resource[0]["resourceType"], resource[1]
        if counterpart is None:
            unpaired.append(kind)
        for leaf in found:
            what = _kind(leaf, counterpart, said)
            agreed += what == AGREED
            if what != AGREED:
                differences.append(Difference(kind, leaf.path, what, leaf.value))
    return Comparison(agreed, tuple(differences), tuple(unpaired))


def leaves(resource: Resource, bundle: Resource) -> Iterator[Leaf]:
    """The leaves of a resource that are compared."""
    types = {entry.get("fullUrl", ""): entry["resource"]["resourceType"] for entry in bundle.get("entry", ()) if "resource" in entry}
    types |= {f"#{each['id']}": each["resourceType"] for each in resource.get("contained", ()) if "id" in each}
    for name, value in resource.items():
        if name not in NOT_COMPARED:
            yield from _leaves(value, name, types)


def _leaves(value: Any, path: str, types: dict[str, str]) -> Iterator[Leaf]:
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each, path, types)
    elif isinstance(value, dict):
        place = f"{path}({value['url'].rpartition('/')[2]})" if path.endswith("xtension") and isinstance(value.get("url"), str) else path
        for name, each in value.items():
            if name == "reference" and isinstance(each, str):
                yield Leaf(f"{place}.reference", types.get(each) or each.partition("/")[0])
            elif name not in ("id", "url" if place != path else "id"):
                yield from _leaves(each, f"{place}.{name}", types)
    elif value is not None:
        yield Leaf(path, normal(value))


def normal(value: Any) -> str:
    """A value as it is compared: numbers by size, times by moment, text without case and blanks."""
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(str(value).split())
    if _NUMBER.fullmatch(text) and not text.startswith("0"):
        try:
            return format(Decimal(text).normalize(), "f")
        except InvalidOperation:
            return text
    if _TIME.fullmatch(text) and "T" in text:
        try:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return f"@{int(moment.timestamp())}" if moment.tzinfo else text
        except ValueError:
            return text
    return text.lower()


def _resources(bundle: Resource) -> list[Resource]:
    """All resources of a bundle, those contained too."""
    found = [entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry]
    return [*found, *(each for resource in found for each in resource.get("contained", ()))]


Flat = tuple[Resource, list[Leaf]]


def _flat(resources: list[Resource], bundle: Resource) -> list[Flat]:
    """Resources with their leaves, each once: some converters make the same one anew for every field that names it."""
    found = {(each["resourceType"], *sorted(set(leaves(each, bundle)))): each for each in resources}
    return [(each, [*leaves(each, bundle)]) for each in found.values()]


def _paired(theirs: list[Flat], ours: list[Flat]) -> Iterator[tuple[Flat, list[Leaf] | None]]:
    """Each of theirs with the one of ours of its type that says most of the same, no one twice."""
    scores = []
    for number, (resource, found) in enumerate(theirs):
        wanted = Counter(found)
        for index, (own, said) in enumerate(ours):
            if own["resourceType"] == resource["resourceType"]:
                common = sum((wanted & Counter(said)).values())
                values = sum((Counter(each.value for each in found) & Counter(each.value for each in said)).values())
                scores.append((-common, -values, number, index))
    taken: dict[int, int] = {}
    for _, _, number, index in sorted(scores):
        if number not in taken and index not in taken.values():
            taken[number] = index
    for number, flat in enumerate(theirs):
        yield flat, ours[taken[number]][1] if number in taken else None


def _kind(leaf: Leaf, counterpart: list[Leaf] | None, said: set[str]) -> str:
    if counterpart is not None:
        if leaf in counterpart:
            return AGREED
        if any(each.path == leaf.path and _same_day(each.value, leaf.value) for each in counterpart):
            return AGREED
        if leaf.value in said:
            return ELSEWHERE
        return OTHER if any(each.path == leaf.path for each in counterpart) else MISSING
    return ELSEWHERE if leaf.value in said else MISSING


def _same_day(one: str, other: str) -> bool:
    """Ours is cut to the date where the zone is not known; theirs was completed with somebody's."""
    if not (one[:1] == "@") ^ (other[:1] == "@"):
        return False
    day, moment = (other, one) if one[:1] == "@" else (one, other)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        return False
    return abs(datetime.fromisoformat(day + "T12:00:00+00:00").timestamp() - int(moment[1:])) <= 26 * 3600
