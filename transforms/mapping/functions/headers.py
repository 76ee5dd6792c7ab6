"""What stands in MSH for a MessageHeader: events, endpoints, tags (v2-to-FHIR, MSG[Coding], HD[MessageHeader.*], PT[Meta])."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from transforms.mapping.functions.codes import codeable_concept
from transforms.mapping.functions.composites import apart, components, left, read_components
from transforms.mapping.functions.extensions import NOT_KNOWN, extension
from transforms.mapping.functions.registry import Beside, function
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import table_uri

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_DNS = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


@function("event_coding", gives="Coding", memo=True)
def event_coding(text: str, r: Reading) -> dict[str, Any] | None:
    """MSH-9 as Coding: its trigger event, else its message code; the whole of it as display."""
    parts = [part for part in read_components(text, r, 3)[:3]]
    code, event = parts[0], parts[1]
    if not (code or event):
        return None
    system = table_uri("0003") if event else table_uri("0076")
    return {"system": system, "code": event or code, "display": "^".join(parts).rstrip("^")}


@function("endpoint", gives="url", memo=True)
def endpoint(text: str, r: Reading) -> str | None:
    """HD as the address of an application: its universal id as a URI; a namespace alone is none."""
    _, universal, kind = read_components(text, r, 3)[:3]
    if not universal:
        return None
    if kind.upper() == "DNS" and _DNS.fullmatch(universal):
        return f"urn:dns:{universal}"
    return r.authority("", universal, kind) or None


@function("unsaid_endpoint", gives="url", memo=True, beside=True)
def unsaid_endpoint(text: str, r: Reading) -> Beside:
    """The address of an application nobody says, said to be unknown."""
    return Beside(None, NOT_KNOWN)


@function("application_name", gives="string", memo=True)
def application_name(text: str, r: Reading) -> str | None:
    """HD as the name of an application: its namespace; with an id that is no URI, both."""
    namespace, universal, kind = read_components(text, r, 3)[:3]
    if universal and endpoint(text, r) is None:
        said = f"{kind}:{universal}" if kind else universal
        return f"{namespace} - {said}" if namespace else said
    return namespace or None


@function("language", gives="code", memo=True)
def language(text: str, r: Reading) -> str | None:
    """MSH-19 (CWE) as a code of BCP 47, where it looks like one."""
    parts = components(text, r, 1)
    said = r.text(parts[0]).strip()
    left(parts, r, 2, 3)
    return said if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", said) else None


@function("acknowledged", gives="code", memo=True)
def acknowledged(text: str, r: Reading) -> str | None:
    """MSA-1 as MessageHeader.response.code: AR and CR are about the system and may be tried again, AE and CE are about the content."""
    said = r.text(text).strip().upper()
    return {"AA": "ok", "CA": "ok", "AE": "fatal-error", "CE": "fatal-error", "AR": "transient-error", "CR": "transient-error"}.get(said)


@function("control_id", gives="id", memo=True, beside=True)
def control_id(text: str, r: Reading) -> str | Beside:
    """A message control id as FHIR's id; what is none stands beside it."""
    said = r.text(text).strip()
    if _ID.fullmatch(said):
        return said
    return Beside(None, {"extension": [extension("originalText", "String", said)]} if said else NOT_KNOWN)


@function("error_place", gives="string", memo=True)
def error_place(text: str, r: Reading) -> str | None:
    """ERR-2 (ERL), where an error is, as a path: `PID[1]-3[2].4.1`."""
    segment, occurrence, field, repetition, component, part = read_components(text, r, 6)[:6]
    if not segment:
        return None
    place = segment + (f"[{occurrence}]" if occurrence else "")
    if field:
        place += f"-{field}" + (f"[{repetition}]" if repetition else "")
    return place + (f".{component}" if field and component else "") + (f".{part}" if field and component and part else "")


@function("error_of_old", gives="BackboneElement", memo=True)
def error_of_old(text: str, r: Reading) -> dict[str, Any] | None:
    """ERR-1 (ELD) of versions up to 2.4 as an issue: where, and what."""
    segment, occurrence, field, code = components(text, r, 4)[:4]
    place = error_place(r.component.join((segment, occurrence, field)), r)
    made: dict[str, Any] = {"severity": "error", "code": "processing"}
    if code and (concept := apart(4, lambda: codeable_concept(code.replace(r.subcomponent, r.component), r, table="0357"), r)):
        made["details"] = concept
    if place:
        made["location"] = [place]
    return made if len(made) > 2 else None


@function("raw_message", gives="Attachment")
def raw_message(text: str, r: Reading) -> dict[str, Any] | None:
    """The whole message as it came, as an Attachment; what the rule reads only says that there is one."""
    message = getattr(r, "received", None)
    if message is None:
        return None
    raw = message.raw
    return {"contentType": f"x-application/hl7-v2+er7; charset={message.encoding}", "data": b64encode(raw).decode("ascii")}
