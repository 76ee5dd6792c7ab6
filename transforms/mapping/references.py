"""References (rule 7): what has a number with a system is an entry of its own, what has none stays inside what refers to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from transforms.fhir.elements import element
from transforms.mapping.conversion import Conversion
from transforms.mapping.identity import criterion
from transforms.mapping.joining import joined
from transforms.mapping.uniting import unite

_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


@dataclass(slots=True)
class Shared:
    """A resource a function made, ready to be referred to (rule 7): an entry of its own, contained, or words only.

    `inner` are resources it refers to itself.
    """

    reference: dict[str, Any]
    url: str = ""
    entry: dict[str, Any] | None = None
    contained: dict[str, Any] | None = None
    inner: tuple[Shared, ...] = ()


def refer(shared: Shared, conversion: Conversion, home: dict[str, Any]) -> dict[str, Any]:
    """A reference to `shared`, whose resource is put where it belongs: among the entries, or inside `home`."""
    if shared.entry is not None:
        known = conversion.urls.get(shared.url)
        if known is None:
            conversion.urls[shared.url] = len(conversion.entries)
            conversion.entries.append(shared.entry)
            conversion.kept.add(shared.url)
        elif (twin := shared.entry["resource"]) is not (first := conversion.entries[known]["resource"]) and twin != first:
            _join(conversion, shared.url, twin)
    elif shared.contained is not None:
        contain(home, shared.contained)
    for each in shared.inner:
        refer(each, conversion, home)
    return shared.reference


def _join(conversion: Conversion, url: str, twin: dict[str, Any]) -> None:
    """What a field says of somebody who is there already goes there; what contradicts that is left over."""
    first = _own_entry(conversion, url)["resource"]
    made, lost = joined(first, {key: value for key, value in twin.items() if key != "contained"})
    first.update(made)
    _bring(first, _held(first), {each["id"]: each for each in twin.get("contained", ())})
    if lost:
        conversion.lost()


def contain(home: dict[str, Any], resource: dict[str, Any]) -> None:
    """Put `resource` (it has an id) inside `home`, and what it contains itself beside it: R4 nests only once.

    How confidential it is, is said of `home`, for a contained resource may not say it (dom-5).
    """
    inside = home.get("contained")
    if inside is None:
        inside = home["contained"] = []
    own = resource["id"]
    for each in inside:
        if each["id"] == own:
            return
    if "contained" in resource:
        for each in resource["contained"]:
            contain(home, each)
        resource = {key: value for key, value in resource.items() if key != "contained"}
    if labels := resource.get("meta", {}).get("security"):  # what is contained has none of its own (dom-5)
        resource = {key: value for key, value in resource.items() if key != "meta"}
        meta = home.get("meta", {})
        said = meta.get("security", [])
        home["meta"] = {**meta, "security": [*said, *(each for each in labels if each not in said)]}
    inside.append(resource)


def share(resource: dict[str, Any], name: Callable[[str], str]) -> Shared:
    """A resource made by a function as something to refer to."""
    inner: list[Shared] = []
    resource = {key: _shared_inside(value, name, inner) for key, value in resource.items()}
    kind = resource["resourceType"]
    for identifier in resource.get("identifier", ()):
        system, value = identifier.get("system"), identifier.get("value")
        if system and value:
            url = "urn:uuid:" + name(f"{kind}|{system}|{value}")
            request = {"method": "POST", "url": kind, "ifNoneExist": criterion(system, value)}
            for each in inner:
                if each.contained is not None:
                    contain(resource, each.contained)
            return Shared({"reference": url}, url, {"fullUrl": url, "resource": resource, "request": request}, None, _entries(inner))
    if "_display" in resource:
        reference = {"type": kind}
        if "identifier" in resource:
            reference["identifier"] = resource["identifier"][0]
        if resource["_display"]:
            reference["display"] = resource["_display"]
        return Shared(reference, inner=tuple(inner))
    own = "c" + name(_encode(resource).decode())[:13]
    return Shared({"reference": f"#{own}"}, contained={"resourceType": kind, "id": own, **resource}, inner=tuple(inner))


def _entries(inner: list[Shared]) -> tuple[Shared, ...]:
    """Those that are entries, also behind contained ones."""
    return tuple(entry for each in inner for entry in ((each,) if each.entry is not None else _entries(list(each.inner))))


def _shared_inside(value: Any, name: Callable[[str], str], inner: list[Shared]) -> Any:
    """`value` with references in the place of the resources in it; these go to `inner`."""
    if isinstance(value, dict):
        if "resourceType" in value:
            shared = share(value, name)
            inner.append(shared)
            return shared.reference
        return {key: _shared_inside(each, name, inner) for key, each in value.items()}
    return [_shared_inside(each, name, inner) for each in value] if isinstance(value, list) else value


def hold(conversion: Conversion, home: dict[str, Any], node: int) -> dict[str, Any]:
    """A reference to what is no entry, put inside `home`; only now what was read for it counts as read."""
    form = conversion.forms[node]
    contain(home, form)
    for position, mask in conversion.pending.get(node, ()):
        conversion.used[position] |= mask
    return {"reference": f"#{form['id']}"}


def keep_form(conversion: Conversion, node: int, out: dict[str, Any], name: str) -> None:
    """Keep what is no entry for those who refer to it."""
    out["id"] = f"{name}-{node}".replace("_", "-")  # an id has no underscore
    conversion.forms[node] = out
    if identifiers := out.get("identifier"):
        first = {key: value for key, value in identifiers[0].items() if key in ("system", "value")}
        conversion.logical[node] = {"type": out["resourceType"], "identifier": first}


def place_shared(
    conversion: Conversion, node: int, out: dict[str, Any], known: tuple[str, str] | None, name: str, updates: bool
) -> bool:
    """Make an entry of a shared resource, or the form that is contained; True where another one like it stands there already.

    `updates`: what the receiver has is overwritten (rule 6), else it is only made where there is none.  Without a system in
    `known` its value is a key, of which a number of ours is made.
    """
    if known is None:
        keep_form(conversion, node, out, name)
        return False
    system, value = known
    kind = out["resourceType"]
    if system and conversion.context.aliases:
        unite(conversion, out, known)
    uid = conversion.name(f"{kind}|{system}|{value}" if system else f"{kind}|{value}")
    url = f"urn:uuid:{uid}"
    conversion.ids[node] = uid
    conversion.refs[node] = {"reference": url}
    if not system:
        system, value = _own(conversion, out, uid)
    if not system:
        request = {"method": "PUT", "url": f"{kind}/{uid}"}
    elif updates:
        request = _update(kind, criterion(system, value))
    else:
        request = {"method": "POST", "url": kind, "ifNoneExist": criterion(system, value)}
    if url in conversion.urls:
        standing = _own_entry(conversion, url)
        other = updates and standing["resource"].get("code") != out.get("code", standing["resource"].get("code"))
        if updates:
            standing["request"] = request
        return place_twin(conversion, node, out, url) or other
    conversion.urls[url] = len(conversion.entries)
    conversion.entries.append({"fullUrl": url, "resource": out, "request": request})
    return False


def _own(conversion: Conversion, out: dict[str, Any], uid: str) -> tuple[str, str]:
    """Give an order without an authority's number one of ours, as results have; where the site has no URI for it, an id."""
    issuer = conversion.issuer
    out["identifier"] = [{**({"system": issuer} if issuer else {}), "value": uid}, *out.get("identifier", ())]
    if not issuer:
        out["id"] = uid
    return issuer, uid


def _update(kind: str, asked: str) -> dict[str, str]:
    return {"method": "PUT", "url": f"{kind}?{asked}"}


def place_twin(conversion: Conversion, node: int, out: dict[str, Any], url: str) -> bool:
    """What is an entry already: the two are one; True where something it says is lost by that."""
    first = _own_entry(conversion, url)["resource"]
    conversion.outs[node] = first
    return not _merged(first, out)


def _own_entry(conversion: Conversion, url: str) -> dict[str, Any]:
    """An entry that may be changed: one whose resource is kept for other messages is copied first."""
    index = conversion.urls[url]
    if url not in conversion.kept:
        return conversion.entries[index]
    conversion.kept.discard(url)
    kept = conversion.entries[index]
    resource = {key: [*value] if key == "contained" else value for key, value in kept["resource"].items()}
    for each in [each for each in conversion.trace if each[0] is kept["resource"]]:
        conversion.trace.append((resource, *each[1:]))
    entry = conversion.entries[index] = {**kept, "resource": resource}
    return entry


def _merged(first: dict[str, Any], twin: dict[str, Any]) -> bool:
    """Put into a resource what another one with its number says beside it; whether nothing of that is lost.

    Two orders of one number may be for two tests: the second test's name is in its report.
    """
    lost = False
    inside = {each["id"]: each for each in twin.get("contained", ())}
    for key, value in twin.items():
        own = first.get(key)
        if key == "contained" or own == value:
            continue
        if own is None and _chosen_otherwise(first, key):
            lost = True
        elif own is None or isinstance(own, list):
            added = value if own is None else [each for each in value if each not in own]
            first[key] = added if own is None else [*own, *added]
            _bring(first, _held(added), inside)
        elif key != "code":
            lost = True
    return not lost


def _chosen_otherwise(first: dict[str, Any], name: str) -> bool:
    """Whether an element of several types is there already, of another type."""
    found = element(first["resourceType"], name)
    return found is not None and found.choice and any(found.property_for(each) in first for each in found.types)


def _bring(home: dict[str, Any], ids: list[str], inside: dict[str, dict[str, Any]]) -> None:
    """Put contained resources into `home`, and those they refer to in turn."""
    seen: set[str] = set()
    while ids:
        id = ids.pop()
        if id in inside and id not in seen:
            seen.add(id)
            contain(home, inside[id])
            ids += _held(inside[id])


def _held(value: Any) -> list[str]:
    """The ids of contained resources that a value refers to."""
    if isinstance(value, dict):
        found = [each[1:] for key, each in value.items() if key == "reference" and each.startswith("#")]
        return found + [id for each in value.values() for id in _held(each)]
    return [id for each in value for id in _held(each)] if isinstance(value, list) else []
