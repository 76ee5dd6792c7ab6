"""From a pure bundle to what is sent: which resources go along, under which verbs, pointing where.  No I/O.

A pure bundle points inside itself with `urn:uuid:`.  **Shared** resources (Patient, Practitioner ...) carry a criterion
(`ifNoneExist`): where the receiver's own id is known the entry goes and references become literal; those to be **updated** (a
conditional PUT) are put under that id.  **Owned** ones are put under their own id.  **Patches** (a status that changes) are read, changed and written back by `conversation`.

Nothing walks the tree of a message on its straight way: entries are looked at, and references changed in the encoded bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from transforms.fhir.serialization import dumps

URN = "urn:uuid:"
_URNS = re.compile(rb'"(urn:uuid:[0-9a-fA-F-]{36})"')

Bundle = dict[str, Any]
Entry = dict[str, Any]


# Not frozen, for every message makes several and freezing makes that four times as dear; never changed.
@dataclass(slots=True, unsafe_hash=True)
class Shared:
    """A resource that others may have made: created only where its criterion matches nothing."""

    key: str  # `Patient?identifier=…`: what a destination remembers its reference under
    type_name: str
    condition: str
    urn: str
    entry: Entry  # as it is created
    updates: bool = False  # what the receiver has is changed
    whole: Bundle | None = None  # what the receiver shall have: what it has, with what is said here
    removed: tuple[str, ...] = ()  # elements that are no longer so
    match: Mapping[str, str] = field(default_factory=dict)  # the condition that nobody else wrote meanwhile

    def update(self, reference: str) -> Entry:
        """The entry that changes what the receiver has under `reference`."""
        resource = {**(self.whole or self.entry["resource"]), "id": reference.partition("/")[2]}
        return {**self.entry, "resource": resource, "request": {"method": "PUT", "url": reference, **self.match}}


@dataclass(slots=True)
class Content:
    """A bundle, sorted by how its entries are sent."""

    bundle: Bundle
    shared: list[Shared] = field(default_factory=list)
    owned: list[Entry] = field(default_factory=list)
    patches: list[Entry] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)  # urn of a second entry of one identity -> urn of the first


def sort(bundle: Bundle, indexes: Sequence[int] | None = None) -> Content:
    """The entries of a bundle (or of one part of it) by kind.  Of one identity that stands twice, one is kept.

    KeyError where an entry has no resource, or does not say how it is to be sent.
    """
    content = Content(bundle)
    shared: dict[str, Shared] = {}
    owned: dict[str, Entry] = {}
    entries = bundle.get("entry", ())
    for entry in entries if indexes is None else [entries[index] for index in indexes]:
        request = entry["request"]
        url = request["url"]
        if condition := request.get("ifNoneExist"):
            key = f"{url}?{condition}"
            if key in shared:
                content.same[entry["fullUrl"]] = shared[key].urn
            else:
                shared[key] = Shared(key, url, condition, entry["fullUrl"], entry)
        elif request["method"] == "PUT" and "?" in url:
            _update(entry, url, shared, content)
        elif request["method"] == "PATCH":
            content.patches.append(entry)
        else:
            name = url if request["method"] == "PUT" and entry["resource"] else entry.get("fullUrl", str(len(owned)))
            if name in owned and entry.get("fullUrl") != owned[name].get("fullUrl"):
                content.same[owned[name]["fullUrl"]] = entry["fullUrl"]
            owned[name] = entry  # the later one is what the message said last
    content.shared, content.owned = list(shared.values()), list(owned.values())
    return content


def _update(entry: Entry, url: str, shared: dict[str, Shared], content: Content) -> None:
    """A shared resource to be overwritten; what another entry says of the same one goes."""
    type_name, _, condition = url.partition("?")
    request = {"method": "POST", "url": type_name, "ifNoneExist": condition}
    if url in shared:
        content.same[shared[url].urn] = entry["fullUrl"]
    shared[url] = Shared(url, type_name, condition, entry["fullUrl"], {**entry, "request": request}, True)


def transaction(bundle: Bundle, entries: list[Entry], literal: Mapping[str, str]) -> bytes:
    """The body: these entries, and `urn`s replaced where the receiver's reference is known."""
    body = dumps({**bundle, "entry": entries})
    for urn, reference in literal.items():
        body = body.replace(b'"%b"' % urn.encode(), b'"%b"' % reference.encode())
    return body


def single(resource: Bundle, literal: Mapping[str, str]) -> bytes:
    """The body of one resource sent by itself."""
    body = dumps(resource)
    for urn, reference in literal.items():
        body = body.replace(b'"%b"' % urn.encode(), b'"%b"' % reference.encode())
    return body


def without(resource: Bundle, urns: Iterable[str]) -> Bundle:
    """A resource without the elements that point at one of these."""
    gone = set(urns)
    return {name: value for name, value in resource.items() if gone.isdisjoint(pointed({name: value}))} if gone else resource


def pointed(resource: Bundle) -> set[str]:
    """The `urn:uuid:` a resource points at."""
    return {found.decode() for found in _URNS.findall(dumps(resource))}


def literal_of(entry: Entry) -> str:
    """How an owned resource is pointed at from outside its bundle."""
    return f"{entry['resource']['resourceType']}/{entry['resource']['id']}"


def ahead(unknown: Iterable[Shared]) -> list[Shared]:
    """Shared resources in an order in which each points only at earlier ones."""
    by_urn = {each.urn: each for each in unknown}
    return [
        by_urn[urn] for urn in _after_what_they_need({urn: pointed(each.entry["resource"]) for urn, each in by_urn.items()}, list(by_urn))
    ]


def split(owned: Sequence[Entry], most: int) -> Iterator[list[Entry]]:
    """Owned entries in portions of at most `most`: report by report, what is pointed at before what points."""
    by_urn = {entry["fullUrl"]: entry for entry in owned}
    needs = {urn: pointed(entry["resource"]) for urn, entry in by_urn.items()}
    reports = [urn for urn, entry in by_urn.items() if entry["resource"]["resourceType"] == "DiagnosticReport"]
    portion: list[Entry] = []
    done: set[str] = set()
    for start in [*([report] for report in reports), list(by_urn)]:
        group = [by_urn[urn] for urn in _after_what_they_need(needs, start) if urn not in done]
        done |= {entry["fullUrl"] for entry in group}
        if portion and len(portion) + len(group) > most:
            yield portion
            portion = []
        portion += group
        while len(portion) > most:
            yield portion[:most]
            portion = portion[most:]
    if portion:
        yield portion


def _after_what_they_need(needs: Mapping[str, set[str]], starts: Sequence[str]) -> list[str]:
    """`starts` and everything they need among the keys of `needs`, needed ones first (a circle is cut where it closes)."""
    order: dict[str, None] = {}
    seen: set[str] = set()
    stack = [(urn, False) for urn in reversed(starts)]
    while stack:
        urn, visited = stack.pop()
        if visited:
            order[urn] = None
        elif urn not in seen and urn in needs:
            seen.add(urn)
            stack.append((urn, True))
            stack += [(each, False) for each in sorted(needs[urn], reverse=True)]
    return list(order)


def delicate(condition: str) -> bool:
    """The criterion holds escaped characters, which servers read wrongly (Medplum takes `A|1` for `A`)."""
    return "%5C" in condition.upper()


def token(criterion: str) -> tuple[str, str] | None:
    """(system, value) of `…identifier=SYSTEM%7CVALUE`, as they stand in an Identifier; None for other criteria."""
    name, _, text = criterion.partition("?")[2].partition("=")
    if name != "identifier" or "&" in text:
        return None
    parts = re.split(r"(?<!\\)((?:\\\\)*)\|", unquote(text), maxsplit=1)
    if len(parts) != 3:
        return None
    system, value = parts[0] + parts[1], parts[2]
    return re.sub(r"\\(.)", r"\1", system), re.sub(r"\\(.)", r"\1", value)


def carries(resource: object, criterion: str) -> bool | None:
    """Whether a resource has exactly the identifier of a criterion; None where the criterion is about something else."""
    wanted = token(criterion)
    if wanted is None:
        return None
    identifiers = resource.get("identifier") if isinstance(resource, dict) else None
    listed = identifiers if isinstance(identifiers, list) else ()
    return any(isinstance(each, dict) and (each.get("system"), each.get("value")) == wanted for each in listed)
