"""A FHIR server for tests, as values: requests in, replies out, with the habits of real ones switched on or off.

It keeps resources by reference, honours conditions, resolves `urn:uuid:` inside a transaction, and undoes what fails.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from channels.fhir.conversation import Claim, Conversation, Request, Settings
from channels.fhir.references import References
from channels.http.answer import Failure, Reply
from channels.message import Outcome
from transforms.fhir.serialization import dumps, loads

Resource = dict[str, Any]


class Refused(Exception):
    def __init__(self, status: int, code: str = "invalid") -> None:
        self.status, self.code = status, code


@dataclass
class Receiver:
    create_on_update: bool = True
    most_if_conditional: int = 10_000  # entries of a transaction that has a conditional one (Medplum: 8)
    most_updates: int = 10_000
    checks_references: bool = False
    says_entries: bool = True
    says_resources: bool = False
    fails: list[Reply | Failure] = field(default_factory=list)  # answers to give instead, the first first
    resources: dict[str, Resource] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    recalled: dict[str, str] = field(default_factory=dict)
    _made: int = 0

    def __call__(self, request: Request) -> Reply | Failure:
        """What becomes of a request."""
        self.requests.append(request)
        if self.fails:
            return self.fails.pop(0)
        before = copy.deepcopy(self.resources)
        try:
            return self._answer(request)
        except Refused as refused:
            self.resources = before
            outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": refused.code}]}
            return Reply(refused.status, {}, dumps(outcome))

    def _answer(self, request: Request) -> Reply:
        if request.method == "GET":
            if "?" in request.path:
                return Reply(
                    200,
                    {},
                    dumps({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in self.search(request.path)]}),
                )
            if request.path not in self.resources:
                raise Refused(404, "not-found")
            return Reply(200, {}, dumps(self.resources[request.path]))
        body = loads(request.body)
        if body["resourceType"] == "Bundle" and not request.path:
            return self._transaction(body)
        entry = {"resource": body, "request": {"method": request.method, "url": request.path}}
        if condition := request.headers.get("If-None-Exist"):
            entry["request"]["ifNoneExist"] = condition
        if tag := request.headers.get("If-Match"):
            entry["request"]["ifMatch"] = tag
        status, reference = self._one(entry)
        return Reply(status, {"location": f"http://server.example/fhir/{reference}/_history/1"}, b"")

    def _transaction(self, bundle: Resource) -> Reply:
        entries = bundle["entry"]
        conditional = [e for e in entries if "ifNoneExist" in e["request"] or "?" in e["request"]["url"]]
        if conditional and len(entries) > self.most_if_conditional:
            raise Refused(400)
        if sum(e["request"]["method"] == "PUT" for e in entries) > self.most_updates:
            raise Refused(400)
        answers = [self._one(entry) for entry in entries]
        names = {entry["fullUrl"]: reference for entry, (_, reference) in zip(entries, answers, strict=True)}
        for reference in names.values():
            self.resources[reference] = _pointing(self.resources[reference], names)
        if self.checks_references:
            self._check([reference for _, reference in answers])
        if not self.says_entries:
            return Reply(200, {}, b'{"resourceType":"Bundle","type":"transaction-response"}')
        said = [{"response": {"status": f"{status} Fine", "location": f"{reference}/_history/1"}} for status, reference in answers]
        if self.says_resources:
            said = [{**each, "resource": self.resources[reference]} for each, (_, reference) in zip(said, answers, strict=True)]
        return Reply(200, {}, dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": said}))

    def _one(self, entry: Resource) -> tuple[int, str]:
        request, resource = entry["request"], entry["resource"]
        url = request["url"]
        if condition := request.get("ifNoneExist"):
            found = self.search(f"{url}?{condition}")
            if len(found) > 1:
                raise Refused(412, "multiple-matches")
            return (200, _name(found[0])) if found else self._store(resource, "")
        if request["method"] == "POST":
            return self._store(resource, "")
        if "?" in url:
            assert "id" not in resource, "a conditional update has no id in its body"
            found = self.search(url)
            if len(found) > 1:
                raise Refused(412, "multiple-matches")
            return self._store(resource, found[0]["id"] if found else "")
        if url not in self.resources and not self.create_on_update:
            raise Refused(405, "not-supported")
        assert url == _name(resource)
        if (tag := request.get("ifMatch")) and tag != f'W/"{self.resources[url]["meta"]["versionId"]}"':
            raise Refused(412, "conflict")
        return self._store(resource, resource["id"])

    def _store(self, resource: Resource, id: str) -> tuple[int, str]:
        self._made += 1
        kept = {**copy.deepcopy(resource), "id": id or f"s{self._made}", "meta": {"versionId": str(self._made)}}
        new = _name(kept) not in self.resources
        self.resources[_name(kept)] = kept
        return (201 if new else 200), _name(kept)

    def search(self, path: str) -> list[Resource]:
        type_name, _, query = path.partition("?")
        wanted = [tuple(unquote(each).split("|", 1)) for each in query.partition("=")[2].partition("&")[0].split(",")]
        return [
            resource
            for name, resource in self.resources.items()
            if name.startswith(type_name + "/") and any((i.get("system"), i.get("value")) in wanted for i in resource.get("identifier", ()))
        ]

    def _check(self, names: list[str]) -> None:
        for name in names:
            for reference in _references(self.resources[name]):
                if reference not in self.resources:
                    raise Refused(422, "not-found")

    def of(self, type_name: str) -> list[Resource]:
        """What it has of a type."""
        return [resource for name, resource in self.resources.items() if name.startswith(type_name + "/")]

    def dangling(self) -> list[str]:
        """References that lead nowhere."""
        return [reference for resource in self.resources.values() for reference in _references(resource) if reference not in self.resources]

    def takes(
        self, bundle: Resource, references: References | None = None, between: Callable[[Request], None] | None = None, **settings: Any
    ) -> Outcome:
        """One attempt at a bundle, without a network."""
        removed = settings.pop("removed", None)
        wanted = Settings(**{"system": "https://site.example/result-key", **settings})
        conversation = Conversation(bundle, None, wanted, references if references is not None else References(), removed).run()
        came: Any = None
        try:
            while True:
                ask = conversation.send(came)
                if isinstance(ask, Request):
                    if between:
                        between(ask)
                    came = self(ask)
                elif isinstance(ask, Claim):
                    came = None
                else:
                    came = {key: self.recalled[key] for key in ask.keys if key in self.recalled}
        except StopIteration as end:
            return end.value


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _pointing(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _pointing(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_pointing(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
