"""Where people and organizations are found: XAD, XTN, TN (v2-to-FHIR, XAD[Address], SAD[Address], XTN[ContactPoint])."""

from __future__ import annotations

import re
from typing import Any

from transforms.mapping.functions.codes import original_code
from transforms.mapping.functions.composites import components, left, left_beyond, reading, subcomponents
from transforms.mapping.functions.extensions import extension
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import period_of
from transforms.mapping.reading import Reading
from transforms.terminology.concepts import concept_map

_ADDRESS_USES, _ADDRESS_TYPES = concept_map("address_use"), concept_map("address_type")
_TELECOM_USES, _TELECOM_SYSTEMS = concept_map("telecom_use"), concept_map("telecom_system")
_NUMBER = re.compile(r"[0-9+()\[\]./\-\s]*[0-9][0-9+()\[\]./\-\s]*((x|ext\.?|X)\s*[0-9]+)?.{0,20}")
_PARTS = ((4, "contactpoint-country"), (5, "contactpoint-area"), (6, "contactpoint-local"), (7, "contactpoint-extension"))


@function("address", gives="Address", memo=True)
def address(text: str, r: Reading, use: str = "") -> dict[str, Any] | None:
    """XAD as Address; `use` where XAD.7 says none."""
    parts = components(text, r, 19)
    made: dict[str, Any] = {}
    _say_purpose(made, reading(parts[6], r), use)
    if lines := _lines(parts, r):
        made["line"] = lines
    county = _county(parts[8], r)
    for name, raw in (("city", parts[2]), ("district", county), ("state", parts[3]), ("postalCode", parts[4]), ("country", parts[5])):
        if raw and (said := reading(raw, r)):
            made[name] = said
    if period := period_of(parts[11].replace(r.subcomponent, r.component), parts[12], parts[13], r, (12, 14)):
        made["period"] = period
    kept = [extension("iso21090-AD-use", "Code", "HV")] if parts[6] == "HV" else []  # a holiday home: no use of FHIR's says so
    if tract := subcomponents(parts[9], r, 1)[0]:
        kept.append(extension("iso21090-ADXP-censusTract", "String", tract))
    if kept:
        made["extension"] = kept
    left(parts, r, 8, 11, 15, 16, 17, 18)
    left_beyond(parts, r, 19)
    return made if any(name in made for name in ("line", "city", "district", "state", "postalCode", "country", "extension")) else None


@function("address_text", gives="Address", memo=True)
def address_text(text: str, r: Reading) -> dict[str, Any] | None:
    """A place written as it comes (ST, or an XAD's parts) as Address.text."""
    parts = [reading(part, r) for component in components(text, r, 0) for part in component.split(r.subcomponent)]
    said = ", ".join(part for part in parts if part and part != '""')
    return {"text": said} if said else None


@function("district", gives="Address", memo=True)
def district(text: str, r: Reading) -> dict[str, Any] | None:
    """PID-12, a county that stands outside the address, as an Address of its own."""
    said = reading(components(text, r, 1)[0], r)
    return {"district": said} if said else None


def _lines(parts: list[str], r: Reading) -> list[str]:
    street = subcomponents(parts[0], r, 3)[:3] if parts[0] else []
    lines = [*street, reading(parts[1], r), reading(parts[18], r)]
    return [line for line in lines if line]


def _county(raw: str, r: Reading) -> str:
    """XAD.9, a code in newer versions: its text, else the code."""
    if r.subcomponent not in raw:
        return raw
    parts = raw.split(r.subcomponent)
    return parts[1] or parts[0]


def _say_purpose(made: dict[str, Any], code: str, default: str) -> None:
    """XAD.7 as use or type; what has neither stays as a code of table 0190."""
    use, kind = _ADDRESS_USES.get(code, "" if code else default), _ADDRESS_TYPES.get(code, "")
    if use:
        made["use"] = use
    if kind:
        made["type"] = kind
    if code and code != "HV" and (not (use or kind) or code in ("B", "P", "SH")):
        made["_use" if use or not kind else "_type"] = original_code("0190", code)


@function("contact_point", gives="ContactPoint", memo=True)
def contact_point(text: str, r: Reading, use: str = "") -> dict[str, Any] | None:
    """XTN or TN as ContactPoint; `use` where XTN.2 says none."""
    parts = [reading(part, r) for part in components(text, r, 18)]
    equipment = parts[2].upper()
    value = _value(parts, equipment)
    if not value:
        return None
    made: dict[str, Any] = {"system": _system(value, equipment, parts), "value": value}
    _say_telecom_use(made, parts[1], equipment, use)
    if kept := [extension(url, "String", parts[place]) for place, url in _PARTS if parts[place]]:
        made["extension"] = kept
    if period := period_of("", parts[12], parts[13], r, (0, 14)):
        made["period"] = period
    if parts[17].isdigit() and int(parts[17]) > 0:
        made["rank"] = int(parts[17])
    _leave_rest(parts, value, r)
    return made


def _value(parts: list[str], equipment: str) -> str:
    """What to dial or to write to: the address of mail, the number as written, or put together."""
    if equipment in ("INTERNET", "X.400"):
        return parts[3] or parts[0]
    return parts[0] or parts[11] or _composed(parts) or parts[3] or parts[8]


def _composed(parts: list[str]) -> str:
    """Country, area, local number and extension as one number, as the guide writes it."""
    country, area, local, inner = parts[4:8]
    if not local:
        return ""
    return " ".join(part for part in (f"+{country.lstrip('+')}" if country else "", area, local, f"X{inner}" if inner else "") if part)


def _system(value: str, equipment: str, parts: list[str]) -> str:
    if known := _TELECOM_SYSTEMS.get(equipment):
        return known
    if "@" in value or value == parts[3] or parts[1] == "NET":
        return "email"
    if parts[1] == "BPN":
        return "pager"
    return "phone" if _NUMBER.fullmatch(value) else "other"


def _say_telecom_use(made: dict[str, Any], code: str, equipment: str, default: str) -> None:
    use = "mobile" if equipment == "CP" else _TELECOM_USES.get(code, "" if code else default)
    if use:
        made["use"] = use
    if code and _TELECOM_USES.get(code) != use:
        made["_use"] = original_code("0201", code)


def _leave_rest(parts: list[str], value: str, r: Reading) -> None:
    for place in (0, 3, 8, 11):
        if parts[place] and parts[place] != value:
            r.left(place + 1)
    left(parts, r, 10, 11, 15, 16, 17)
    left_beyond(parts, r, 18)
