"""What stands in MSH for a MessageHeader: events, endpoints, tags (v2-to-FHIR, MSG[Coding], HD[MessageHeader.*], PT[Meta])."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from transforms.mapping.functions.composites import components, left, read_components
from transforms.mapping.functions.extensions import NOT_KNOWN
from transforms.mapping.functions.registry import Beside, function
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import table_uri

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


@function("processing_tags", gives="Coding", list=True, memo=True)
def processing_tags(text: str, r: Reading, codes: Mapping[str | None, Any]) -> list[dict[str, Any]] | None:
    """PT.1, how a message is to be processed, as a tag of table 0103."""
    parts = read_components(text, r, 2)
    entry = codes.get(parts[0])
    if entry is None:
        return None
    return [{"system": entry.system, "code": entry.code, "display": entry.display}]


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


@function("control_id", gives="id", memo=True)
def control_id(text: str, r: Reading) -> str | None:
    """A message control id as FHIR's id; one that is none gives nothing."""
    said = r.text(text).strip()
    return said if re.fullmatch(r"[A-Za-z0-9.-]{1,64}", said) else None


@function("raw_message", gives="Attachment")
def raw_message(text: str, r: Reading) -> dict[str, Any] | None:
    """The whole message as it came, as an Attachment; what the rule reads only says that there is one."""
    message = getattr(r, "message", None)
    if message is None:
        return None
    raw = message.raw
    return {"contentType": f"x-application/hl7-v2+er7; charset={message.encoding}", "data": b64encode(raw).decode("ascii")}
