"""What an inverse may know while it proposes a field: who sends, what names code systems and authorities have in v2.

Owns the way from parts to the text of a field: escapes, delimiters, nothing empty at the end.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from transforms.document import Context
from transforms.hl7.delimiters import STANDARD
from transforms.hl7.escapes import escape
from transforms.mapping.backward.registry import Parts
from transforms.mapping.functions.extensions import ALTERNATE_CODES
from transforms.mapping.options import MapOptions
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import uri_of

VERSION = "2.5.1"
_TABLE = re.compile(r"http://terminology\.hl7\.org/CodeSystem/v2-([0-9]{4})")
_URN = {"urn:oid:": "ISO", "urn:uuid:": "UUID"}
_USUAL = {"http://snomed.info/sct": "SCT", "http://loinc.org": "LN", "http://unitsofmeasure.org": "UCUM"}


@dataclass(frozen=True)
class Writing:
    """One message being written."""

    context: Context
    sender: tuple[str, str] = ("", "")  # MSH-3.1, MSH-4.1
    reading: Reading = field(init=False, repr=False)  # how a receiver with the same maps reads what is written

    def __post_init__(self) -> None:
        reading = Reading(STANDARD, self.context, MapOptions(), sender=self.sender, version=VERSION, zone=self.context.timezone)
        object.__setattr__(self, "reading", reading)

    def system(self, uri: str) -> str:
        """The name that v2 has for a code system; an OID where it has only that; '' where nothing would be understood."""
        if table := _TABLE.fullmatch(uri):
            return f"HL7{table[1]}"
        if name := _USUAL.get(uri) or _names().get(uri):
            return name
        oid = uri.removeprefix("urn:oid:")
        if oid != uri and uri_of(oid) == uri:
            return oid
        return self._declared(uri)

    def authority(self, system: str, namespace: str = "") -> Parts:
        """A URI and what it is called by as HD: namespace, universal id, its kind."""
        for scheme, kind in _URN.items():
            if system.startswith(scheme):
                return (namespace, system.removeprefix(scheme), kind)
        base = self.context.identity.base.rstrip("/")
        if base and system.startswith(base + "/"):
            return (unquote(system.rpartition("/")[2]),)
        if known := self._declared(system) if system else "":
            return (known,)
        return (namespace, system, "URI") if system else (namespace,)

    def _declared(self, uri: str) -> str:
        """The namespace by which the site's table knows a URI."""
        return next((key[2] for key, each in self.context.identity.authorities.items() if each == uri), "")


def encoded(parts: Parts) -> str:
    """The text of a field or, joined by subcomponents, of a component."""
    return _joined([_joined([_clean(each) for each in part], "&") if not isinstance(part, str) else _clean(part) for part in parts], "^")


def within(parts: Parts) -> str:
    """The text of a component whose parts are subcomponents."""
    return _joined([_clean(part) if isinstance(part, str) else _clean(" ".join(each for each in part if each)) for part in parts], "&")


def _clean(text: str) -> str:
    return escape(text, STANDARD)


def _joined(texts: list[str], delimiter: str) -> str:
    while texts and not texts[-1]:
        texts.pop()
    return delimiter.join(texts)


def alternate(beside: Mapping[str, Any]) -> str:
    """The sender's own code, kept beside one of FHIR's; '' where there is none."""
    for each in beside.get("extension", ()):
        concept = each.get("valueCodeableConcept", {})
        if each.get("url") == ALTERNATE_CODES:
            return next((coding["code"] for coding in concept.get("coding", ()) if "code" in coding), concept.get("text", ""))
    return ""


def extension_value(holder: Mapping[str, Any], url: str) -> str:
    """The text of an extension whose URL ends so; '' where there is none."""
    for each in holder.get("extension", ()):
        if each.get("url", "").rpartition("/")[2] == url:
            return next((str(value) for key, value in each.items() if key.startswith("value")), "")
    return ""


@cache
def _names() -> dict[str, str]:
    text = files("transforms.terminology").joinpath("data/code_systems.csv").read_text("utf-8")
    names: dict[str, str] = {}
    for row in csv.DictReader(text.splitlines()):
        names.setdefault(row["uri"], row["name"])
    return names
