"""R4's invariants of severity `error`, as rules of a JSON Schema by type; what they ask across resources is `integrity`'s.

Each carries its sentence with the specification's key.  Of types that no message gives (definitions of profiles, triggers,
contracts) the invariants are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transforms.fhir.elements import element, primitive_types

Schema = dict[str, Any]

UCUM = "http://unitsofmeasure.org"
UCUM_TERM = r"(?:\[[^\[\]\s]*\]|\{[^{}]*\}|[^\s{}\[\]./])+"
"""Brackets and braces may hold dots and slashes; elsewhere those join terms, and none may be missing."""
CODES = "http://terminology.hl7.org/CodeSystem/"
OVER = ("resolved", "remission", "inactive")
UNPLANNED = ("proposed", "cancelled", "waitlist")


def _names(type_name: str, name: str) -> list[str]:
    """The JSON properties an element may stand in: of a choice one for each type, of a primitive its twin too."""
    found = element(type_name, name)
    assert found is not None, f"{type_name} has no {name}"
    types = found.types if found.choice else found.types[:1]
    return [
        each for kind in types for each in ([found.property_for(kind)] + ["_" + found.property_for(kind)] * (kind in primitive_types()))
    ]


def _has(type_name: str, *names: str) -> Schema:
    """One of the elements is there."""
    return {"anyOf": [{"required": [each]} for name in names for each in _names(type_name, name)]}


def _not(schema: Schema) -> Schema:
    return {"not": schema}


def _if(condition: Schema, then: Schema) -> Schema:
    return {"anyOf": [_not(condition), then]}


def _both(*schemas: Schema) -> Schema:
    return {"allOf": [*schemas]}


def _any(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas]}


def _says(name: str, *codes: Any) -> Schema:
    """A code element has one of these codes."""
    return {"properties": {name: {"enum": [*codes]}}, "required": [name]}


def _coded(name: str, system: str, *codes: str) -> Schema:
    """A CodeableConcept has one of these codes."""
    coding = {"properties": {"system": {"const": CODES + system}, "code": {"enum": [*codes]}}, "required": ["system", "code"]}
    return {"properties": {name: {"properties": {"coding": {"contains": coding}}, "required": ["coding"]}}, "required": [name]}


def _rule(sentence: str, schema: Schema) -> Schema:
    return {"$comment": sentence, "anyOf": [schema]}


def _needs(type_name: str, name: str, other: str, key: str) -> Schema:
    names = _names(type_name, name)
    condition = (
        {"required": names[:1]} if len(names) == 2 and names[1] == "_" + names[0] else _has(type_name, name)
    )  # the usual case costs least
    return {"$comment": f"has {_a(name)}, so it needs {_a(other)} ({key})", "if": condition, "then": _has(type_name, other)}


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}"


def _one_of(type_name: str, key: str, *names: str) -> Schema:
    return _rule(f"needs {' or '.join(names)} ({key})", _has(type_name, *names))


def _not_both(type_name: str, name: str, other: str, key: str) -> Schema:
    return _rule(f"has both {name} and {other} ({key})", _not(_both(_has(type_name, name), _has(type_name, other))))


def _in_ucum(key: str) -> tuple[Schema, ...]:
    coded = _rule(f"has a value, so it needs a code ({key})", _if({"required": ["value"]}, {"required": ["code"]}))
    return coded, _rule(f"has a system that is not UCUM ({key})", _if({"required": ["system"]}, _says("system", UCUM)))


def _not_home(name: str, key: str) -> Schema:
    home = {"items": _not(_says("use", "home"))}
    return {"$comment": f"cannot have {_a(name)} of use 'home' ({key})", "properties": {name: home}}


def _entries(needs: tuple[str, ...], *never: tuple[str, str]) -> Schema:
    """Entries have what they need (name, key), and have not the others."""
    rules = [
        {"$comment": f"needs a {name}, as every entry of such a bundle ({key})", "anyOf": [{"required": [name]}]}
        for name, key in [needs]
        if name
    ]
    rules += [
        {"$comment": f"has a {name}, which no entry of such a bundle has ({key})", **_not({"required": [name]})} for name, key in never
    ]
    return {"properties": {"entry": {"items": {"allOf": rules}}}}


def _first(kind: str, bundle: str, key: str) -> Schema:
    first = {"properties": {"resource": {"properties": {"resourceType": {"const": kind}}}}, "required": ["resource"]}
    entry = {"properties": {"entry": {"prefixItems": [first]}}, "required": ["entry"]}
    return {"$comment": f"is a {bundle}, so its first resource is a {kind} ({key})", "anyOf": [entry]}


_NO_TOTAL = {"$comment": "has a total, but is neither searchset nor history (bdl-1)", **_not({"required": ["total"]})}
_REQUEST, _RESPONSE, _SEARCH = ("request", "bdl-3"), ("response", "bdl-4"), ("search", "bdl-2")
_OF_BUNDLE = {
    "transaction": (_NO_TOTAL, _entries(_REQUEST, _RESPONSE, _SEARCH)),
    "batch": (_NO_TOTAL, _entries(_REQUEST, _RESPONSE, _SEARCH)),
    "transaction-response": (_NO_TOTAL, _entries(_RESPONSE, _REQUEST, _SEARCH)),
    "batch-response": (_NO_TOTAL, _entries(_RESPONSE, _REQUEST, _SEARCH)),
    "history": (_entries(_REQUEST, _SEARCH), _entries(_RESPONSE)),
    "searchset": (_entries(("", ""), _REQUEST, _RESPONSE),),
    "collection": (_NO_TOTAL, _entries(("", ""), _REQUEST, _RESPONSE, _SEARCH)),
    "message": (_NO_TOTAL, _entries(("", ""), _REQUEST, _RESPONSE, _SEARCH), _first("MessageHeader", "message", "bdl-12")),
    "document": (
        _NO_TOTAL,
        _entries(("", ""), _REQUEST, _RESPONSE, _SEARCH),
        {
            "$comment": "is a document, so it needs an identifier with system and value (bdl-9)",
            "anyOf": [{"properties": {"identifier": {"required": ["system", "value"]}}, "required": ["identifier"]}],
        },
        {"$comment": "is a document, so it needs a timestamp (bdl-10)", "anyOf": [{"required": ["timestamp"]}]},
        _first("Composition", "document", "bdl-11"),
    ),
}


def _by_type(types: Mapping[str, tuple[Schema, ...]]) -> Schema:
    """The rules of a bundle's type, that of a transaction asked for first: it is what we make."""
    rest: Schema = {}
    for name, rules in reversed(types.items()):
        rest = {"if": {"properties": {"type": {"const": name}}}, "then": {"allOf": [*rules]}, "else": rest}
    return rest


_REPEAT = "Timing.repeat"
_TIMING = (
    _needs(_REPEAT, "duration", "durationUnit", "tim-1"),
    _needs(_REPEAT, "period", "periodUnit", "tim-2"),
    {"$comment": "has a negative duration (tim-4)", "properties": {"duration": {"minimum": 0}}},
    {"$comment": "has a negative period (tim-5)", "properties": {"period": {"minimum": 0}}},
    _needs(_REPEAT, "periodMax", "period", "tim-6"),
    _needs(_REPEAT, "durationMax", "duration", "tim-7"),
    _needs(_REPEAT, "countMax", "count", "tim-8"),
    _rule(
        "has an offset, so it needs a when that is no meal as such (tim-9)",
        _if({"required": ["offset"]}, {"properties": {"when": {"items": _not({"enum": ["C", "CM", "CD", "CV"]})}}, "required": ["when"]}),
    ),
    _not_both(_REPEAT, "timeOfDay", "when", "tim-10"),
)

_IN_ERROR = {name: _coded("verificationStatus", system, "entered-in-error") for name, system in (
    ("AllergyIntolerance", "allergyintolerance-verification"), ("Condition", "condition-ver-status"),
)}  # fmt: skip


def _no_status(kind: str, key: str) -> Schema:
    words = f"is entered in error, so it has no clinicalStatus ({key})"
    return _rule(words, _not(_both(_IN_ERROR[kind], _has(kind, "clinicalStatus"))))


INVARIANTS: Mapping[str, tuple[Schema, ...]] = {
    "Age": _in_ucum("age-1"),
    "Distance": _in_ucum("dis-1"),
    "Count": (*_in_ucum("cnt-3"), _rule("has a code other than 1 (cnt-3)", _if({"required": ["code"]}, _says("code", "1")))),
    "Duration": (
        _rule(
            "has a code, so it needs a value, in UCUM (drt-1)",
            _if({"required": ["code"]}, _both({"required": ["value"]}, _says("system", UCUM))),
        ),
    ),
    "AllergyIntolerance": (
        _rule(
            "needs a clinicalStatus, unless it is entered in error (ait-1)",
            _any(_IN_ERROR["AllergyIntolerance"], _has("AllergyIntolerance", "clinicalStatus")),
        ),
        _no_status("AllergyIntolerance", "ait-2"),
    ),
    "Appointment": (
        _rule(
            "has a start without an end, or an end without a start (app-2)",
            _any(
                _both(_has("Appointment", "start"), _has("Appointment", "end")),
                _not(_has("Appointment", "start", "end")),
            ),
        ),
        _rule(
            "needs start and end, unless it is proposed, cancelled or on the waitlist (app-3)",
            _any(
                _both(_has("Appointment", "start"), _has("Appointment", "end")),
                _says("status", *UNPLANNED),
            ),
        ),
        _rule(
            "has a cancelationReason, but is neither cancelled nor noshow (app-4)",
            _if(
                _has("Appointment", "cancelationReason"),
                _says("status", "noshow", "cancelled"),
            ),
        ),
    ),
    "Appointment.participant": (_one_of("Appointment.participant", "app-1", "type", "actor"),),
    "AppointmentResponse": (_one_of("AppointmentResponse", "apr-1", "participantType", "actor"),),
    "Attachment": (_needs("Attachment", "data", "contentType", "att-1"),),
    "Bundle": (_by_type(_OF_BUNDLE),),
    "Bundle.entry": (
        _one_of("Bundle.entry", "bdl-5", "resource", "request", "response"),
        _rule(
            "has a fullUrl of a version (bdl-8)",
            _if({"required": ["fullUrl"]}, {"properties": {"fullUrl": _not({"pattern": "/_history/"})}}),
        ),
    ),
    "CarePlan.activity": (_not_both("CarePlan.activity", "detail", "reference", "cpl-3"),),
    "Composition.section": (
        _one_of("Composition.section", "cmp-1", "text", "entry", "section"),
        _not_both("Composition.section", "emptyReason", "entry", "cmp-2"),
    ),
    "Condition": (
        _rule(
            "is abated, so its clinicalStatus is inactive, resolved or remission (con-4)",
            _if(
                _has("Condition", "abatement"),
                _coded("clinicalStatus", "condition-clinical", *OVER),
            ),
        ),
        _no_status("Condition", "con-5"),
    ),
    "Condition.evidence": (_one_of("Condition.evidence", "con-2", "code", "detail"),),
    "Condition.stage": (_one_of("Condition.stage", "con-1", "summary", "assessment"),),
    "Consent": (_one_of("Consent", "ppc-1", "policy", "policyRule"),),
    "ContactPoint": (_needs("ContactPoint", "value", "system", "cpt-2"),),
    "Expression": (_one_of("Expression", "exp-1", "expression", "reference"),),
    "Extension": ({"$comment": "needs a value or extensions (ext-1)", "minProperties": 2},),
    "FamilyMemberHistory": (
        _not_both("FamilyMemberHistory", "age", "born", "fhs-1"),
        _needs("FamilyMemberHistory", "estimatedAge", "age", "fhs-2"),
    ),
    "Goal.target": (_needs("Goal.target", "detail", "measure", "gol-1"),),
    "Group": (_rule("has members, but is not of actual ones (grp-1)", _if(_has("Group", "member"), _says("actual", True))),),
    "Immunization.education": (_one_of("Immunization.education", "imm-1", "documentType", "reference"),),
    "List": (
        _not_both("List", "emptyReason", "entry", "lst-1"),
        _rule(
            "has a deleted entry, but is no list of changes (lst-2)",
            _any(
                _says("mode", "changes"),
                _not({"properties": {"entry": {"contains": {"required": ["deleted"]}}}, "required": ["entry"]}),
            ),
        ),
        _rule(
            "has the date of an entry, but is no working list (lst-3)",
            _any(
                _says("mode", "working"),
                _not({"properties": {"entry": {"contains": {"required": ["date"]}}}, "required": ["entry"]}),
            ),
        ),
    ),
    "MedicationAdministration.dosage": (_one_of("MedicationAdministration.dosage", "mad-1", "dose", "rate"),),
    "Observation.referenceRange": (_one_of("Observation.referenceRange", "obs-3", "low", "high", "text"),),
    "Organization": (_one_of("Organization", "org-1", "identifier", "name"), _not_home("address", "org-2"), _not_home("telecom", "org-3")),
    "Parameters.parameter": (
        {
            "$comment": "has not exactly one of value, resource and part (inv-1)",
            "oneOf": [_has("Parameters.parameter", each) for each in ("value", "resource", "part")],
        },
    ),
    "Patient.contact": (_one_of("Patient.contact", "pat-1", "name", "telecom", "address", "organization"),),
    "Quantity": (
        _needs("Quantity", "code", "system", "qty-3"),
        {
            "$comment": "says UCUM, but its code has no form of UCUM",
            "if": {"properties": {"system": {"const": UCUM}}, "required": ["system"]},
            "then": {"properties": {"code": {"pattern": rf"^/?{UCUM_TERM}(?:[./]{UCUM_TERM})*$"}}},
        },
    ),
    "Ratio": (
        _rule(
            "has a numerator without a denominator, or a denominator alone (rat-1)",
            _any(
                {"required": ["numerator", "denominator"]},
                _not(_has("Ratio", "numerator", "denominator")),
            ),
        ),
        _one_of("Ratio", "rat-1", "numerator", "extension"),
    ),
    "ServiceRequest": (_needs("ServiceRequest", "orderDetail", "code", "prr-1"),),
    "Timing.repeat": _TIMING,
}

SIMPLE = frozenset(
    {"Observation.referenceRange.low", "Observation.referenceRange.high", "Range.low", "Range.high", "SampledData.origin"}
    | {"Specimen.collection.quantity", "Specimen.container.capacity", "Specimen.container.specimenQuantity", "Substance.instance.quantity"}
    | {"Immunization.doseQuantity", "MedicationAdministration.dosage.dose", "MedicationAdministration.dosage.rate[x]"}
    | {"MedicationDispense.quantity", "MedicationDispense.daysSupply", "MedicationRequest.dispenseRequest.quantity"}
    | {"MedicationRequest.dispenseRequest.initialFill.quantity", "Dosage.doseAndRate.dose[x]", "Dosage.doseAndRate.rate[x]"}
    | {
        "Dosage.maxDosePerAdministration",
        "Dosage.maxDosePerLifetime",
        "Coverage.costToBeneficiary.value[x]",
        "CarePlan.activity.detail.quantity",
    }
    | {"CarePlan.activity.detail.dailyAmount", "NutritionOrder.supplement.quantity", "NutritionOrder.oralDiet.nutrient.amount"}
    | {"NutritionOrder.enteralFormula.caloricDensity", "NutritionOrder.enteralFormula.maxVolumeToDeliver"}
    | {"NutritionOrder.enteralFormula.administration.quantity", "NutritionOrder.enteralFormula.administration.rate[x]"}
    | {"SupplyDelivery.suppliedItem.quantity"}
)
"""Elements whose Quantity is a SimpleQuantity."""
