"""Who assigned a number, and what a thing is called for ever: systems, criteria, UUIDs (rules 1 and 2).

Never invents a system: an authority nobody declared gets the site's own URI prefix, or none.  UUIDs are version 5
under a namespace that is the site's secret, so that record numbers cannot be found by trying them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha1
from urllib.parse import quote
from uuid import UUID, uuid5

from transforms.document import Identity

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_SITES = UUID("6f2a9a0e-3c1b-5f0d-9d5c-1f1e0c6b7a11")  # what a site's secret is hashed under
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def authority(namespace: str, universal: str, kind: str, sender: tuple[str, str], identity: Identity) -> str:
    """The URI of an assigning authority (HD components, unescaped), or '' where none is honest (rule 1).

    HD.2 by HD.3; else the site's table of (sending application, sending facility, namespace); else the site's prefix.
    """
    return universal_uri(universal, kind) or declared(namespace, sender, identity) or _prefixed(namespace, sender, identity)


def universal_uri(universal: str, kind: str) -> str:
    """HD.2 as a URI by HD.3: `urn:oid:`, `urn:uuid:`, or the URI it is; '' if it is none of them."""
    kind = kind.upper()
    if kind in ("ISO", "") and _OID.fullmatch(universal):
        return f"urn:oid:{universal}"
    if kind in ("UUID", "GUID", "") and _UUID.fullmatch(universal):
        return f"urn:uuid:{universal.lower()}"
    if kind in ("URI", "URL", "ISO", "") and _URI.fullmatch(universal):
        return universal
    return ""


def declared(namespace: str, sender: tuple[str, str], identity: Identity) -> str:
    """The URI the site's table gives a sender's namespace, exact sender first, then `*`; '' if it gives none."""
    table = identity.authorities
    if not table:
        return ""
    application, facility = sender
    for key in ((application, facility), ("*", facility), (application, "*"), ("*", "*")):
        if uri := table.get((*key, namespace)):
            return uri
    return ""


def _prefixed(namespace: str, sender: tuple[str, str], identity: Identity) -> str:
    if not (identity.base and namespace):
        return ""
    return f"{identity.base.rstrip('/')}/{quote(sender[1] or sender[0] or '-', safe='')}/{quote(namespace, safe='')}"


def criterion(system: str, value: str) -> str:
    """`identifier=SYSTEM|VALUE`, escaped as a FHIR token and then percent-encoded (rule 1)."""
    return f"identifier={_quoted(system)}%7C{value if value.isascii() and value.isalnum() else _quoted(value)}"


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return quote(_token(text), safe="")


def _token(text: str) -> str:
    return text.replace("\\", "\\\\").replace(",", "\\,").replace("|", "\\|").replace("$", "\\$")


@lru_cache(maxsize=16)
def namer(secret: str) -> Callable[[str], str]:
    """A function from a key to its UUIDv5 under the namespace of a site's secret."""
    prefix, variant = uuid5(_SITES, secret).bytes, _VARIANT

    def name(key: str) -> str:
        digits = sha1(prefix + key.encode()).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant[digits[16]]}{digits[17:20]}-{digits[20:32]}"

    return name
