"""Names of code systems as HL7 v2 sends them (table 0396), and the URI FHIR knows each by.

Owns the lookup and nothing else: what has no honest URI gets none.  The names of table 0396 that the guide's and FHIR's
own lists give a URI stand in `data/code_systems.csv`; local names (`L`, `99zzz`) are a site's business, never ours.
"""

from __future__ import annotations

import csv
import re
from importlib.resources import files

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
DATA_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

_TABLE = re.compile(r"HL7\s?([0-9]{4})", re.IGNORECASE)
_TABLE_OID = re.compile(r"2\.16\.840\.1\.113883\.12\.([1-9][0-9]{0,3})")  # the arc HL7 keeps its v2 tables under
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*)){2,}")


def _load() -> tuple[dict[str, str], dict[str, str]]:
    text = files("transforms.terminology").joinpath("data/code_systems.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return {row["name"].upper(): row["uri"] for row in rows}, {row["oid"]: row["uri"] for row in rows if row["oid"]}


_BY_NAME, _BY_OID = _load()


def table_uri(table: str) -> str:
    """The code system of an HL7 v2 table, given its four digits."""
    return f"http://terminology.hl7.org/CodeSystem/v2-{table}"


def uri_of(name: str) -> str:
    """The URI of a code system named as in CWE.3, or '' where the name says nothing certain.

    Takes names of table 0396, `HL7nnnn`, and OIDs, which some senders put there.
    """
    if known := _BY_NAME.get(name.upper()):
        return known
    if table := _TABLE.fullmatch(name):
        return table_uri(table[1])
    return uri_of_oid(name)


def uri_of_oid(oid: str) -> str:
    """The URI of a code system given by OID (CWE.14): its FHIR name if it has one, else `urn:oid:`; '' for what is no OID."""
    if oid.startswith("urn:oid:"):
        oid = oid[8:]
    if known := _BY_OID.get(oid):
        return known
    if table := _TABLE_OID.fullmatch(oid):
        return table_uri(table[1].rjust(4, "0"))
    return f"urn:oid:{oid}" if _OID.fullmatch(oid) else ""
