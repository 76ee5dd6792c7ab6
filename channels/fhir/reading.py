"""What has to be read at the receiver before it can be written: updates, a status that changes, and what takes merges back.  No I/O.

Whatever is read is written back only if nobody else has written meanwhile, where the receiver keeps versions; what changes nothing
is not written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from channels.fhir import answer, plan
from channels.fhir.amending import amended
from channels.fhir.asks import STRANGE, Asks, Request, Stop
from channels.fhir.overlay import overlaid
from channels.fhir.owned import Owned
from channels.fhir.plan import Content, Entry, Shared
from channels.fhir.references import References
from channels.http.answer import Reply
from channels.message import Outcome, Verdict
from transforms.fhir.serialization import loads
from transforms.mapping.identity import criterion

ABSENT = frozenset({404, 410})


class Reading:
    """The part of a conversation that reads first."""

    _references: References
    _ask: Callable[[Request], Asks]
    _find: Callable[..., Asks]
    _recall: Callable[[Sequence[Shared]], Asks]
    _look_up: Callable[[Shared], Asks]
    _literal: Callable[[Content, set[str]], dict[str, str]]
    _forget: Callable[[Sequence[str]], None]
    _outcome: Callable[[Reply], Outcome]

    def __init__(self) -> None:
        self._patched = False  # whether a status is written back only if nobody else has
        self._there: dict[str, tuple[dict[str, Any], Reply]] = {}  # what the receiver has of what is to be updated

    # --- updates

    def _complete(self, content: Content, owned: Owned, updates: Sequence[Shared]) -> Asks:
        """Read what is to be updated; those that change something, to be written back whole.  None where the receiver has one no longer."""
        for each in updates:
            theirs, reply = (yield from self._read_one(each)) or (None, None)
            if theirs is None:
                return None
            self._there[each.key] = theirs, reply
        return [each for each in updates if self._changes(each, content, owned)]

    def _read_one(self, shared: Shared) -> Asks:
        """What the receiver has; None where that is gone, or somebody else by now."""
        if shared.key in self._there:
            return self._there[shared.key]
        reference = self._references.get(shared.key) or ""
        reply = yield from self._ask(Request("GET", reference))
        if reply.status not in ABSENT:
            theirs = self._theirs(reply, reference)
            if plan.carries(theirs, shared.key) is not False:
                return theirs, reply
        self._forget([shared.key])
        return None

    def _changes(self, shared: Shared, content: Content, owned: Owned) -> bool:
        """Lay over what the receiver has what is said of it; whether that changes anything."""
        theirs, reply = self._there[shared.key]
        find, literal = partial(self._found, content), self._literal(content, set())
        said = shared.entry["resource"]
        shared.whole, shared.match = overlaid(theirs, loads(plan.single(said, literal)), find, shared.removed), _if_match(theirs, reply)
        return overlaid(theirs, loads(plan.single(said, {**owned.references(), **literal})), find, shared.removed) is not theirs

    def _found(self, content: Content, target: str) -> str:
        """The receiver's reference for a `urn:uuid:`, or for a Patient's number; empty where it is not known."""
        if target.startswith(plan.URN):
            return next((self._references.get(each.key) or "" for each in content.shared if each.urn == target), "")
        system, bar, value = target.partition("|")
        return (self._references.get(f"Patient?{criterion(system, value)}") or "") if bar else ""

    def _theirs(self, reply: Reply, reference: str) -> dict[str, Any]:
        """The resource that was read."""
        if reply.status >= 300:
            raise Stop(self._outcome(reply))
        resource = answer.body_of(reply)
        if not isinstance(resource, dict) or answer.reference_to(resource) != reference:
            raise Stop(STRANGE)
        return resource

    # --- a status that changes

    def _read(self, content: Content, owned: Owned) -> Asks:
        """Turn patches into what the receiver has, with the new status, to be written back if nobody else has."""
        by_criterion = [entry for entry in content.patches if "?" in entry["request"]["url"]]
        if by_criterion:
            yield from self._amend(content, by_criterion)
        patches = [entry for entry in content.patches if entry not in by_criterion]
        yield from self._find(owned, [entry["request"]["url"] for entry in patches])
        for entry in patches:
            status = entry["resource"]["parameter"][0]["part"][2]["valueCode"]
            reference = owned.reference(entry["request"]["url"])
            reply = (yield from self._ask(Request("GET", reference))) if reference else Reply(404)
            if reply.status in ABSENT:
                if status == "entered-in-error":
                    continue  # nothing there to be wrong
                raise Stop(Outcome(Verdict.HELD, str(reply.status), "only the status came of a result that the receiver does not have"))
            resource = self._theirs(reply, reference)
            if resource.get("status") == status:
                content.same[entry["fullUrl"]] = reference
                continue
            self._patched = True
            request = {"method": "PUT", "url": reference, **_if_match(resource, reply)}
            content.owned.append({"fullUrl": entry["fullUrl"], "resource": {**resource, "status": status}, "request": request})

    def _amend(self, content: Content, patches: Sequence[Entry]) -> Asks:
        """Turn patches of shared resources into what the receiver has, changed; what it does not have needs no change."""
        wanted = {entry["fullUrl"]: _patched(entry) for entry in patches}
        for each in wanted.values():
            if self._references.get(each.key) is None:
                yield from self._recall([each])
            if self._references.get(each.key) is None:
                yield from self._look_up(each)

        def find(target: str) -> str:
            return (self._references.get(wanted[target].key) or "") if target in wanted else ""

        for entry in patches:
            reference = find(entry["fullUrl"])
            reply = (yield from self._ask(Request("GET", reference))) if reference else Reply(404)
            if reply.status in ABSENT:
                continue
            theirs = self._theirs(reply, reference)
            changed = amended(theirs, entry["resource"], find)
            if changed is not theirs:
                self._patched = True
                request = {"method": "PUT", "url": reference, **_if_match(theirs, reply)}
                content.owned.append({"fullUrl": entry["fullUrl"], "resource": changed, "request": request})


def _patched(entry: Entry) -> Shared:
    """The shared resource that a patch is about."""
    url = entry["request"]["url"]
    type_name, _, condition = url.partition("?")
    return Shared(url, type_name, condition, entry["fullUrl"], entry)


def _if_match(resource: Mapping[str, Any], reply: Reply) -> dict[str, str]:
    """The condition that nobody wrote in between, where the receiver keeps versions."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    tag = f'W/"{version}"' if version else reply.headers.get("etag", "")
    return {"ifMatch": tag} if tag else {}
