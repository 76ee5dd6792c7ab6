"""One delivery to a FHIR server, as a conversation: asks come out, what came of them goes in, an Outcome ends it.  No I/O.

    1  what only changes a status is read at the receiver (`reading`)
    2  shared resources are looked up in memory; for those unknown, nobody else may be asking at the same time (`Claim`)
       (those to be updated are searched for or read, and put back with what the message says; unknown ones are created)
    3  unknown ones go into the transaction on condition that they do not exist, or ahead of it where those would be too many
    4  the transaction is sent, in portions by report where it is too large
    5  references are learned from the answer; a match is believed only if it has exactly the identifier asked for

A refused transaction is tried once more where the refusal may be about its form: without conditions inside, and without
references that were learned earlier (the receiver may have been emptied since).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from channels.fhir import answer, plan
from channels.fhir.answer import Made
from channels.fhir.asks import STRANGE, UNFOUND, Asks, Claim, Recall, Request, Settings, Stop
from channels.fhir.owned import Owned, inlined
from channels.fhir.plan import Content, Entry, Shared
from channels.fhir.reading import Reading
from channels.fhir.references import References
from channels.http.answer import HELD, Failure, Reply, retry_after
from channels.message import Outcome, Verdict
from transforms.fhir.serialization import dumps

STALE = frozenset({400, 404, 409, 410, 412, 422})
"""What servers answer to a reference that leads nowhere."""

CONFLICT = 412
"""And to a change of what somebody else changed in between."""

SHORT = 2048
"""Bytes of a friendly answer that are kept as they are."""


class Conversation(Reading):
    """One attempt at one document."""

    def __init__(
        self,
        body: dict[str, Any],
        indexes: Sequence[int] | None,
        settings: Settings,
        references: References,
        removed: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """`removed`: by `urn:uuid:`, elements of what is updated that are no longer so."""
        super().__init__()
        self._body, self._indexes, self._settings, self._references = body, indexes, settings, references
        self._removed = removed
        self._learned: dict[str, str] = {}
        self._matched: set[str] = set()  # criteria that were to create and found something
        self._sent: list[bytes] = []
        self._ahead = False  # whether conditions may no longer be inside

    def run(self) -> Generator[Request | Claim | Recall, Any, Outcome]:
        """The conversation; what is sent into it is what came of the last ask."""
        try:
            if not isinstance(self._body, dict) or "resourceType" not in self._body:
                return Outcome(Verdict.REFUSED, "not_fhir", "the document is no FHIR resource")
            if self._body["resourceType"] != "Bundle":
                return (yield from self._single())
            content = _sorted(self._body, self._indexes)
            for each in content.shared if self._removed else ():
                each.removed = self._removed.get(each.urn, ())
            owned = Owned(content.owned, self._settings.system if self._settings.conditional else "", self._references)
            if owned.system:
                content.owned = inlined(content.owned)
                owned = Owned(content.owned, owned.system, self._references)
            if content.patches:
                yield from self._read(content, owned)
            if not (content.owned or content.shared):
                return Outcome(Verdict.SENT, reason="nothing was left to send")
            return (yield from self._deliver(content, owned))
        except Stop as stop:
            return stop.outcome

    # --- delivering

    def _deliver(self, content: Content, owned: Owned) -> Asks:
        used: list[str] = []  # references that were known before: they may lead nowhere by now
        reply = Reply(404)
        for _ in range(3):
            self._there.clear()
            unknown = yield from self._claim(content, owned)
            used = [each.key for each in content.shared if each not in unknown and each.key not in self._learned]
            updates = yield from self._complete(content, owned, [each for each in content.shared if each.updates and each not in unknown])
            if updates is None:
                continue
            total = len(unknown) + len(updates) + len(content.owned)
            if not total:
                return Outcome(Verdict.SENT, reason="the receiver has it already", learned=self._learned)
            inside = self._inside(unknown, owned, total)
            if not inside:
                yield from self._create(plan.ahead(unknown), content, owned)
                yield from self._find(owned)
            whole = not self._settings.max_entries or total <= self._settings.max_entries
            reply = yield from self._transactions(content, owned, unknown if inside else [], updates if whole else [])
            if reply.status < 300:
                reply = yield from self._overwrite(content, owned, [] if whole else updates, reply)
            conditions = inside and (unknown or owned.unknown())
            if reply.status < 300:
                if conditions:
                    self._references.taken(total)
                elif self._ahead:
                    self._references.refused(total)
                return self._outcome(reply)
            if conditions and reply.status in (400, 413, 422) and self._references.doubtful(total):
                self._ahead = True
            elif used and reply.status in STALE and not (self._patched and reply.status == CONFLICT):
                self._forget(used)
            elif not (updates and reply.status == CONFLICT) or self._patched:
                break
        return self._outcome(reply)

    def _claim(self, content: Content, owned: Owned) -> Asks:
        """The shared resources whose references are not known, now ours to create."""
        get = self._references.get
        unknown = [each for each in content.shared if get(each.key) is None]
        if not unknown:
            return unknown
        if not self._inside(unknown, owned, len(unknown) + len(content.owned)):  # a request each is saved
            yield from self._recall(unknown)
        yield Claim([each.key for each in unknown])
        wanted = [each for each in unknown if each.updates and get(each.key) is None]
        if wanted:
            yield from self._recall(wanted)
        for each in wanted:
            if get(each.key) is None:
                yield from self._look_up(each)
        return [each for each in unknown if get(each.key) is None]

    def _recall(self, unknown: Sequence[Shared]) -> Asks:
        recalled = yield Recall([each.key for each in unknown])
        for key, reference in recalled.items():
            self._references.learn(key, reference)

    def _look_up(self, shared: Shared) -> Asks:
        """Learn under which id the receiver has what is to be updated, if it has it."""
        resource = yield from self._only(shared)
        if resource is None:
            return
        if plan.carries(resource, shared.key) is False:
            raise Stop(self._mismatch())
        if reference := answer.reference_to(resource):
            self._references.learn(shared.key, reference)
            self._learned[shared.key] = reference
            self._there[shared.key] = resource, Reply(200)

    def _inside(self, unknown: Sequence[Shared], owned: Owned, total: int) -> bool:
        """Whether what is unknown may be made by the transaction itself."""
        most = self._settings.max_conditional
        if (self._settings.max_entries and total > self._settings.max_entries) or owned.must_be_found():
            return False
        if any(plan.delicate(each.condition) for each in unknown):
            return False
        count = len(unknown) + owned.unknown()
        return not count or (not self._ahead and count <= most and self._references.may_be_conditional(total, most))

    def _transactions(self, content: Content, owned: Owned, unknown: Sequence[Shared], updates: Sequence[Shared]) -> Asks:
        """Send owned, unknown and changed shared resources; the reply is the first that is not friendly, or the last."""
        most = self._settings.max_entries
        inside = {each.urn for each in (*unknown, *updates)}
        changed = [each.update(self._references.get(each.key) or "") for each in updates]
        portions = [content.owned]
        if most and len(unknown) + len(updates) + len(content.owned) > most:
            portions = list(plan.split(content.owned, most))
        literal = self._literal(content, inside)
        for number, portion in enumerate(portions):
            here = {entry.get("fullUrl") for entry in portion}
            elsewhere = {urn: reference for urn, reference in owned.references().items() if urn not in here} if len(portions) > 1 else {}
            entries = [each.entry for each in unknown] + changed + owned.entries(portion, bool(unknown) or owned.inside)
            body = plan.transaction(content.bundle, entries, {**literal, **owned.elsewhere(), **elsewhere})
            self._sent.append(body)
            reply = yield from self._ask(Request("POST", "", body, last=number == len(portions) - 1))
            if reply.status >= 300:
                return reply
            made = answer.entries(reply, len(entries))
            if made is not None:
                reply = yield from self._learn(reply, made, unknown, owned, portion)
        return reply

    def _overwrite(self, content: Content, owned: Owned, updates: Sequence[Shared], reply: Reply) -> Asks:
        """Put what could not go with the transaction: too much for one, or found only when it was to be created."""
        for each in content.shared:
            if each.updates and each.key in self._matched:
                if self._references.get(each.key) is None:
                    raise Stop(Outcome(Verdict.COUNTED, "unfound", UNFOUND, sent=b"\n".join(self._sent), learned=self._learned))
                updates = [*updates, *((yield from self._complete(content, owned, [each])) or ())]
        for each in updates:
            entry = each.update(self._references.get(each.key) or "")
            body = plan.single(entry["resource"], {**owned.references(), **self._literal(content, set())})
            self._sent.append(body)
            headers = {"If-Match": tag} if (tag := entry["request"].get("ifMatch")) else {}
            said = yield from self._ask(Request("PUT", entry["request"]["url"], body, headers))
            if said.status >= 300:
                return said
        return reply

    def _literal(self, content: Content, inside: set[str]) -> dict[str, str]:
        """What stands for the `urn:uuid:` of resources that are not in the transaction."""
        found = {}
        for each in content.shared:
            if each.urn not in inside and (reference := self._references.get(each.key)):
                found[each.urn] = reference
        for second, first in content.same.items():
            found[second] = found.get(first, first)
        return found

    # --- learning

    def _learn(self, reply: Reply, made: list[Made], unknown: Sequence[Shared], owned: Owned, portion: list[Entry]) -> Asks:
        """Take references from what the receiver made; a short form of its answer is kept."""
        failed = next((each for each in made if each.status >= 300), None)
        if failed is not None:  # a server that takes a transaction in part: its answer is the worst of the answers
            return Reply(failed.status, reply.headers, reply.body, reply.received)
        for shared, each in zip(unknown, made, strict=False):
            yield from self._believe(shared, each)
        owned.learn(portion, made[len(made) - len(portion) :])
        if len(reply.body) <= SHORT:
            return reply
        short = {"entry": [{"response": {"status": str(each.status), "location": each.reference}} for each in made]}
        return Reply(reply.status, reply.headers, dumps(short), reply.received)

    def _believe(self, shared: Shared, made: Made, needed: bool = False) -> Asks:
        """Remember what the receiver made or matched, once it is sure that a match is the one that was meant."""
        if not made.reference.startswith(shared.type_name + "/"):
            return
        if made.status != 201:
            if shared.updates:
                self._matched.add(shared.key)
            right = plan.carries(made.resource, shared.key) if made.resource else None
            if right is None and plan.token(shared.key):
                right = yield from self._verified(shared, made.reference, needed)
                if right is None:
                    return
            if right is False:
                raise Stop(self._mismatch())
        self._references.learn(shared.key, made.reference)
        self._learned[shared.key] = made.reference

    def _verified(self, shared: Shared, reference: str, needed: bool) -> Asks:
        """Whether a matched resource is the one: remembered as such, or read and compared; None where that cannot be told now."""
        recalled = yield Recall([shared.key])
        if recalled.get(shared.key) == reference:
            return True
        reply = yield Request("GET", reference)
        if isinstance(reply, Reply) and reply.status == 200:
            resource = answer.body_of(reply)
            if isinstance(resource, dict) and answer.reference_to(resource) == reference:
                return plan.carries(resource, shared.key)
            reply = Reply(500)
        if needed:
            raise Stop(self._failed(reply) if isinstance(reply, Failure) else self._outcome(reply))
        return None

    def _mismatch(self) -> Outcome:
        why = "the receiver matched a resource that has another identifier than the one asked for"
        why += "; what was sent points at it" if self._sent else "; nothing was sent"
        return Outcome(Verdict.HELD, "identifier_mismatch", why, sent=b"\n".join(self._sent), learned=self._learned)

    def _forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._references.learn(key, "")
            self._learned[key] = ""

    # --- ahead of the transaction

    def _create(self, unknown: Sequence[Shared], content: Content, owned: Owned) -> Asks:
        """Create shared resources one by one, each pointing at earlier ones literally."""
        for shared in unknown:
            literal = {**owned.references(), **self._literal(content, set())}
            headers = {"If-None-Exist": shared.condition, "Prefer": "return=representation"}
            resource = shared.entry["resource"]
            if shared.updates and (later := plan.pointed(resource) - self._literal(content, set()).keys()):
                resource = plan.without(resource, later)  # of what the receiver does not have yet: said when it has
                self._matched.add(shared.key)
            body = plan.single(resource, literal)
            reply = yield from self._ask(Request("POST", shared.type_name, body, headers))
            if reply.status >= 300:
                raise Stop(self._outcome(reply))
            resource = answer.body_of(reply)
            resource = resource if isinstance(resource, dict) and resource.get("resourceType") == shared.type_name else None
            made = answer.reference(reply.headers.get("location")) or answer.reference_to(resource)
            if not made:
                resource = yield from self._only(shared)
                made = answer.reference_to(resource)
            yield from self._believe(shared, Made(reply.status, made, resource), needed=True)
            if self._references.get(shared.key) is None:
                raise Stop(Outcome(Verdict.COUNTED, "unfound", UNFOUND))

    def _only(self, shared: Shared) -> Asks:
        """The one resource that a criterion finds."""
        found = [each for each in (yield from self._search(shared.key)) if each.get("resourceType") == shared.type_name]
        if len(found) > 1:
            raise Stop(Outcome(Verdict.HELD, "412", HELD[412]))
        return found[0] if found else None

    def _find(self, owned: Owned, more: Sequence[str] = ()) -> Asks:
        """Under which ids the receiver has what is ours."""
        for path in owned.searches(more):
            owned.found((yield from self._search(path)))

    def _search(self, path: str) -> Asks:
        reply = yield from self._ask(Request("GET", path))
        if reply.status >= 300:
            raise Stop(self._outcome(reply))
        body = answer.body_of(reply)
        if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
            raise Stop(STRANGE)
        listed = body["entry"] if isinstance(body.get("entry"), list) else ()
        return [each["resource"] for each in listed if isinstance(each, dict) and isinstance(each.get("resource"), dict)]

    # --- asking

    def _single(self) -> Asks:
        """A resource that came without a bundle."""
        kind, id = self._body["resourceType"], self._body.get("id")
        body = dumps(self._body)
        self._sent.append(body)
        return self._outcome((yield from self._ask(Request("PUT" if id else "POST", f"{kind}/{id}" if id else kind, body, last=True))))

    def _ask(self, request: Request) -> Asks:
        reply = yield request
        if isinstance(reply, Failure):
            raise Stop(self._failed(reply))
        return reply

    def _failed(self, failure: Failure) -> Outcome:
        return Outcome(Verdict.FAILING, failure.code, failure.reason, sent=b"\n".join(self._sent), learned=self._learned)

    def _outcome(self, reply: Reply) -> Outcome:
        found, reason = answer.explained(reply)
        if found is Verdict.HELD and self._patched:  # somebody else wrote in between: read again
            found, reason = Verdict.COUNTED, "somebody else changed what was to be changed"
        return Outcome(
            found,
            str(reply.status),
            reason,
            reply.body,
            b"\n".join(self._sent),
            retry_after(reply.headers, reply.received),
            self._learned,
        )


def _sorted(body: dict[str, Any], indexes: Sequence[int] | None) -> Content:
    try:
        return plan.sort(body, indexes)
    except KeyError:
        why = "an entry of the bundle does not say how it is to be sent"
        raise Stop(Outcome(Verdict.REFUSED, "no_request", why)) from None


def _if_match(resource: Mapping[str, Any], reply: Reply) -> dict[str, str]:
    """The condition that nobody wrote in between, where the receiver keeps versions."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    tag = f'W/"{version}"' if version else reply.headers.get("etag", "")
    return {"ifMatch": tag} if tag else {}
