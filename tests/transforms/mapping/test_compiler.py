"""The rule language: what a line of a map does.  Every case is a little map with a test of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from transforms.errors import Problem
from transforms.mapping.definition import SegmentMap, Table, read_definition
from transforms.mapping.examples import run_examples
from transforms.mapping.functions.registry import Beside, Function, described
from transforms.mapping.identity import namer
from transforms.mapping.kit import Kit
from transforms.mapping.options import MapOptions
from transforms.mapping.reading import Reading

FUNCTIONS: dict[str, Function] = {}


def function(name: str, **what: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function of `as:` for these tests alone."""

    def declare(call: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS[name] = described(name, call, **what)
        return call

    return declare


TABLES = """
status: { table: status, codes: { F: final, P: preliminary } }
status_or: { table: status_or, codes: { F: final }, otherwise: unknown }
flags: { table: flags, system: "urn:flags", displays: { H: High }, codes: { H: H, L: L } }
"""


@function("told", gives="string")
def told(text: str, r: Reading, before: str = "", mark: str = "") -> str | None:
    """The text, with what was read beside it; nothing for `nothing`."""
    return None if text == "nothing" else f"{before}{r.text(text)}{mark}"


@function("kept", gives="string", memo=True)
def kept(text: str, r: Reading) -> str | None:
    """As `told`, kept; says what is odd."""
    if text == "odd":
        r.note("odd", "it is odd")
    if r.component in text:
        r.left(2)
    return None if text == "nothing" else text.partition(r.component)[0]


@function("concept", gives="CodeableConcept", memo=True)
def concept(text: str, r: Reading) -> dict[str, str] | None:
    """A CodeableConcept of the text."""
    return None if text == "nothing" else {"text": r.text(text)}


@function("several", gives="CodeableConcept", list=True)
def several(text: str, r: Reading) -> list[dict[str, str]]:
    """One for each letter."""
    return [{"text": each} for each in text if each != "-"]


@function("either", gives="*")
def either(text: str, r: Reading, unit: str = "") -> tuple[str, object] | None:
    """A Quantity of digits, a string of letters, nothing else."""
    if text.isdigit():
        return "Quantity", {"value": int(text), "unit": unit}
    return ("string", text) if text.isalpha() else None


@function("cut", gives="dateTime", memo=True, beside=True)
def cut(text: str, r: Reading) -> Beside | str:
    """A date, with what it was cut from beside it."""
    return Beside(text[:4] or None, {"extension": [{"url": "urn:cut", "valueString": text}]}) if len(text) > 4 else text


@function("unsaid", gives="instant", memo=True, beside=True)
def unsaid(text: str, r: Reading) -> Beside:
    """No instant, and why."""
    return Beside(None, {"extension": [{"url": "urn:cut", "valueString": text}]})


@function("doctor", gives="Practitioner", memo=True)
def doctor(text: str, r: Reading) -> dict[str, object] | None:
    """A Practitioner with a number (`1@system`), with a name alone, or words only (`?`)."""
    number, _, system = text.partition("@")
    if text.startswith("?"):
        return {"resourceType": "Practitioner", "_display": text[1:]}
    return {"resourceType": "Practitioner", "identifier": [{"system": system, "value": number}]} if system else {"resourceType": "Practitioner", "name": [{"text": text}]}


def kit() -> Kit:
    problems: list[Problem] = []
    tables = {}
    for line in TABLES.strip().splitlines():
        name, _, text = line.partition(": ")
        found = read_definition(name, text.strip()[2:-2].join("{}"), "tables.yaml", problems)
        assert isinstance(found, Table), problems
        tables[name] = found
    return Kit(FUNCTIONS, {}, tables, MapOptions())


def failures(name: str, rules: str, test: str) -> list[str]:
    """What a map of these rules does otherwise than its test says."""
    problems: list[Problem] = []
    text = f"map: m\nrules:\n{rules}\ntests:\n  - {{ {test} }}\n"
    found = read_definition(name, text, "m.yaml", problems)
    assert not problems and isinstance(found, SegmentMap), problems
    (outcome,) = run_examples({name: found}, {}, kit())
    return [*outcome.failures]


CASES = {
    "text is copied, unescaped": ("- { to: code.text, from: OBX-5 }", "given: 'OBX|||||a\\T\\b', expect: { code: { text: 'a&b' } }"),
    "a code is looked up": ("- { to: status, from: OBX-11, codes: status }", "given: 'OBX|||||||||||F', expect: { status: final }, leftover: []"),
    "what the table does not know is left over": ("- { to: status, from: OBX-11, codes: status }", "given: 'OBX|||||||||||Q', leftover: [OBX-11]"),
    "otherwise stands for all others": ("- { to: status, from: OBX-11, codes: status_or }", "given: 'OBX|||||||||||Q', expect: { status: unknown }, leftover: []"),
    "the first component is what is looked up": (
        "- { to: status, from: OBX-11, codes: status }",
        "given: 'OBX|||||||||||F^Final', expect: { status: final }, leftover: ['OBX-11.2']",
    ),
    "a table gives a CodeableConcept where one is due": (
        "- { to: interpretation, from: OBX-8, codes: flags }",
        "given: 'OBX||||||||H~L', expect: { interpretation: [{ coding: [{ system: 'urn:flags', code: H, display: High }] }, { coding: [{ code: L }] }] }",
    ),
    "NULL says nothing and is read": ("- { to: status, from: OBX-11, codes: status }", "given: 'OBX|1||||||||||\"\"', leftover: [OBX-1]"),
    "the first rule that gives something wins": (
        "- { to: code, from: OBX-3, as: concept }\n  - { to: code, from: OBX-4, as: concept }\n  - { to: code, const: { text: none } }",
        "given: 'OBX|||nothing|b', expect: { code: { text: b } }, leftover: [OBX-3]",
    ),
    "the second rule is not asked where the first one gave": (
        "- { to: code, from: OBX-3, as: concept }\n  - { to: code, from: OBX-4, as: concept }",
        "given: 'OBX|||a|b', expect: { code: { text: a } }, leftover: [OBX-4]",
    ),
    "a constant is the fallback": ("- { to: status, from: OBX-11, codes: status }\n  - { to: status, const: unknown }\n  - { to: code, from: OBX-3, as: concept }",
                                   "given: 'OBX|||a', expect: { status: unknown, code: { text: a } }"),
    "lists grow by every rule": (
        "- { to: category, from: OBX-3, as: concept }\n  - { to: category, const: [{ text: c }] }\n  - { to: category, from: OBX-4, as: concept }",
        "given: 'OBX|||a~b|d', expect: { category: [{ text: a }, { text: b }, { text: c }, { text: d }] }",
    ),
    "a function may give a list": (
        "- { to: category, from: OBX-3, as: several }",
        "given: 'OBX|||ab~c', expect: { category: [{ text: a }, { text: b }, { text: c }] }",
    ),
    "repetitions that give nothing are left over": (
        "- { to: category, from: OBX-3, as: concept }",
        "given: 'OBX|||a~nothing~c', expect: { category: [{ text: a }, { text: c }] }, leftover: ['OBX-3[2]']",
    ),
    "a single element takes the first repetition": (
        "- { to: code, from: OBX-3, as: concept }",
        "given: 'OBX|||a~b', expect: { code: { text: a } }, leftover: ['OBX-3[2]']",
    ),
    "each false takes the first of a list, too": (
        "- { to: category, from: OBX-3, as: concept, each: false }",
        "given: 'OBX|||a~b', expect: { category: [{ text: a }] }, leftover: ['OBX-3[2]']",
    ),
    "a repetition that another rule reads is not left over": (
        "- { to: code, from: OBX-3, as: concept }\n  - { to: category, from: OBX-3, as: concept }",
        "given: 'OBX|||a~b', expect: { code: { text: a }, category: [{ text: a }, { text: b }] }, leftover: []",
    ),
    "lines are joined": ("- { to: value, from: OBX-5, as: told, each: lines }", "given: 'OBX|||||one~~two', expect: { valueString: \"one\\n\\ntwo\" }"),
    "components are read by number": ("- { to: code.text, from: OBX-3.2 }", "given: 'OBX|||a^b&c', expect: { code: { text: 'b&c' } }, leftover: ['OBX-3.1']"),
    "subcomponents, too": ("- { to: code.text, from: OBX-3.2.2 }", "given: 'OBX|||a^b&c', expect: { code: { text: c } }"),
    "several sources: the first that gives": (
        "- { to: code, from: [OBX-3, OBX-4, OBX-5], as: concept }",
        "given: 'OBX|||nothing|b|c', expect: { code: { text: b } }, leftover: [OBX-3, OBX-5]",
    ),
    "other segments of the scope are read": (
        "- { to: code, from: [OBX-3, OBR-4], as: concept }",
        "given: ['OBX|||', 'OBR||||x'], expect: { code: { text: x } }",
    ),
    "with reads other fields and passes constants": (
        "- { to: value, from: OBX-5, as: told, with: { before: OBX-6, mark: '!' } }",
        "given: 'OBX|||||a|b', expect: { valueString: 'ba!' }, leftover: []",
    ),
    "with of a component, of NULL, of nothing": (
        "- { to: value, from: OBX-5, as: told, with: { before: OBX-6.2 } }",
        "given: 'OBX|||||a|b^c', expect: { valueString: 'ca' }",
    ),
    "NULL beside is nothing beside": ("- { to: value, from: OBX-5, as: told, with: { before: OBX-6 } }", "given: 'OBX|||||a|\"\"', expect: { valueString: a }"),
    "what is beside is left over where nothing came of it": (
        "- { to: value, from: OBX-5, as: told, with: { before: OBX-6 } }",
        "given: 'OBX|||||nothing|b', leftover: [OBX-5, OBX-6]",
    ),
    "a choice is named by the type the function gives": (
        "- { to: value, from: OBX-5, as: either, with: { unit: OBX-6 } }",
        "given: 'OBX|||||12|g', expect: { valueQuantity: { value: 12, unit: g } }, leftover: []",
    ),
    "or by its other type": ("- { to: value, from: OBX-5, as: either }", "given: 'OBX|||||ab', expect: { valueString: ab }"),
    "cases are chosen by a field": (
        "- to: value\n    choose: OBX-2\n    cases:\n      - { when: NM, from: OBX-5, as: either }\n      - { when: [ST, TX], from: OBX-5, as: told }",
        "given: 'OBX||TX|||12', expect: { valueString: '12' }, leftover: []",
    ),
    "no case, no value": (
        "- to: value\n    choose: OBX-2\n    cases:\n      - { when: NM, from: OBX-5, as: either }",
        "given: 'OBX||ST|||12', leftover: [OBX-2, OBX-5]",
    ),
    "a case without when is for all others": (
        "- to: value\n    choose: OBX-2\n    cases:\n      - { when: NM, from: OBX-5, as: either }\n      - { from: OBX-5, as: told }",
        "given: 'OBX||XX|||12', expect: { valueString: '12' }",
    ),
    "what chooses is moot where there is no value": (
        "- to: value\n    choose: OBX-2\n    cases:\n      - { when: NM, from: OBX-5, as: either }\n  - { to: code, from: OBX-3, as: concept }",
        "given: 'OBX||NM|a', expect: { code: { text: a } }, leftover: []",
    ),
    "a value is wrapped": (
        "- { to: extension, from: OBX-4, as: told, wrap: { url: 'urn:x', valueString: '@' } }",
        "given: 'OBX||||1.2', expect: { extension: [{ url: 'urn:x', valueString: '1.2' }] }",
    ),
    "a wrapping may name the type": (
        "- { to: extension, from: OBX-4, as: either, wrap: { url: 'urn:x', 'value[x]': '@' } }",
        "given: 'OBX||||a', expect: { extension: [{ url: 'urn:x', valueString: a }] }",
    ),
    "a code of a table is wrapped": (
        "- { to: extension, from: OBX-8, codes: flags, wrap: { url: 'urn:x', valueCodeableConcept: { coding: ['@'] } } }",
        "given: 'OBX||||||||H', expect: { extension: [{ url: 'urn:x', valueCodeableConcept: { coding: [{ code: H, system: 'urn:flags' }] } }] }",
    ),
    "labels tell elements of one list apart": (
        "- { to: 'component[a].code', from: OBX-3, as: concept }\n  - { to: 'component[b].code', from: OBX-4, as: concept }\n"
        "  - { to: 'component[a].valueString', from: OBX-5 }",
        "given: 'OBX|||a|b|c', expect: { component: [{ code: { text: a }, valueString: c }, { code: { text: b } }] }",
    ),
    "a constant makes no element of a list": (
        "- { to: 'component[a].code', from: OBX-3, as: concept }\n  - { to: 'component[a].valueString', const: x }\n"
        "  - { to: 'component[b].valueString', const: y }\n  - { to: code, from: OBX-4, as: concept }",
        "given: 'OBX||||b', expect: { code: { text: b } }",
    ),
    "a whole and then a part of it": (
        "- { to: code, from: OBX-3, as: concept }\n  - { to: code.id, from: OBX-4 }",
        "given: 'OBX|||a|b', expect: { code: { text: a, id: b } }",
    ),
    "beside a primitive": (
        "- { to: status, from: OBX-11, codes: status }\n  - { to: _status.extension, from: OBX-11, as: told, wrap: { url: 'urn:x', valueCode: '@' } }",
        "given: 'OBX|||||||||||P', expect: { status: preliminary, _status: { extension: [{ valueCode: P }] } }",
    ),
    "a function may give what stands beside its value": (
        "- { to: effective, from: OBX-14, as: cut }\n  - { to: effective, from: OBX-19, as: cut, name: second }",
        "given: 'OBX||||||||||||||20240115', expect: { effectiveDateTime: '2024', _effectiveDateTime: { extension: [{ valueString: '20240115' }] } }",
    ),
    "or nothing but that": (
        "- { to: issued, from: OBX-14, as: unsaid }",
        "given: 'OBX||||||||||||||2024', expect: { _issued: { extension: [{ valueString: '2024' }] } }, leftover: []",
    ),
    "when it is so": ("- { to: code, from: OBX-3, as: concept, when: { OBX-2: [NM, SN] } }", "given: 'OBX||SN|a', expect: { code: { text: a } }, leftover: []"),
    "when it is not so": ("- { to: code, from: OBX-3, as: concept, when: { OBX-2: [NM, SN] } }", "given: 'OBX||ST|a', leftover: [OBX-2, OBX-3]"),
    "when valued, absent": (
        "- { to: code, from: OBX-3, as: concept, when: { all: [{ valued: OBX-4 }, { absent: OBX-6 }, { absent: OBR }] } }",
        "given: 'OBX|||a|b||\"\"', expect: { code: { text: a } }, leftover: [OBX-4]",
    ),
    "when not, any, a component": (
        "- { to: code, from: OBX-3, as: concept, when: { any: [{ valued: OBX-4.3 }, { not: { OBX-4.2: [c] } }] } }",
        "given: 'OBX|||a|b^c^d', expect: { code: { text: a } }",
    ),
    "when it repeats, by an option": (
        "- { to: category, from: OBX-3, as: concept, when: { repeats: OBX-3, option: { text_numbers: text } } }",
        "given: 'OBX|||a~b', expect: { category: [{ text: a }, { text: b }] }, options: { text_numbers: text }",
    ),
    "required and not there: left out": (
        "- { to: code, from: OBX-3, as: concept, required: true }\n  - { to: value, from: OBX-5, as: told }",
        "given: 'OBX|||nothing||a', expect: nothing, leftover: [OBX-3, OBX-5]",
    ),
    "dropped on purpose": ("- { to: code, from: OBX-3, as: concept }\n  - { drop: [OBX-1, OBX-4], why: no use }", "given: 'OBX|1||a|b', leftover: []"),
    "dropped when": (
        "- { to: code, from: OBX-3, as: concept }\n  - { drop: OBX-1, when: { OBX-2: [A] }, why: no use }",
        "given: 'OBX|1|B|a', leftover: [OBX-1, OBX-2]",
    ),
    "notes are kept with what is kept": ("- { to: category, from: OBX-3, as: kept, wrap: { text: '@' } }", "given: 'OBX|||odd~odd', notes: [odd]"),
    "what a function could not carry is left over": (
        "- { to: category, from: OBX-3, as: kept, wrap: { text: '@' } }",
        "given: 'OBX|||a^b', expect: { category: [{ text: a }] }, leftover: ['OBX-3.2']",
    ),
    "who has a number is an entry": (
        "- { to: performer, from: OBX-16, as: doctor }",
        f"given: 'OBX||||||||||||||||1@urn:x', expect: {{ performer: [{{ reference: 'urn:uuid:{namer('test')('Practitioner|urn:x|1')}' }}] }}",
    ),
    "who has none is contained": (
        "- { to: performer, from: OBX-16, as: doctor }",
        "given: 'OBX||||||||||||||||Who', expect: { contained: [{ resourceType: Practitioner, name: [{ text: Who }] }] }",
    ),
    "who is words only is words": (
        "- { to: performer, from: OBX-16, as: doctor }",
        "given: 'OBX||||||||||||||||?Who', expect: { performer: [{ type: Practitioner, display: Who }] }",
    ),
    "late fields of a short segment": (
        "\n  ".join(f"- {{ to: category, from: OBX-{number}, as: concept, name: c{number} }}" for number in range(10, 25)),
        "given: 'OBX||||||||||a|||b', expect: { category: [{ text: a }, { text: b }] }, leftover: []",
    ),
    "late fields of a long one": (
        "\n  ".join(f"- {{ to: category, from: OBX-{number}, as: concept, name: c{number} }}" for number in range(10, 25)),
        "given: 'OBX||||||||||a||||||||||||||b|c', expect: { category: [{ text: a }, { text: b }] }, leftover: [OBX-25]",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_does_what_it_says(name: str) -> None:
    """The little map's own test passes."""
    rules, test = CASES[name]
    assert failures("OBX_Observation", "  " + rules, test) == []


def test_a_backbone_element_is_made_by_itself() -> None:
    """A map may write a part of a resource, or a datatype."""
    assert failures("NK1_Patient.contact", "  - { to: relationship, from: NK1-3, as: concept }", "given: 'NK1|||a', expect: { relationship: [{ text: a }] }") == []
    assert failures("NTE_Annotation", "  - { to: text, from: NTE-3, as: told, each: lines }", "given: 'NTE|||a~b', expect: { text: \"a\\nb\" }") == []


def test_odd_delimiters_are_no_matter() -> None:
    """Whatever MSH-1 and MSH-2 say."""
    given = "given: ['MSH#*!%$#LAB#HOSP#####ORU*R01#1#P#2.5.1', 'OBX###a!b'], expect: { category: [{ text: a }, { text: b }] }, leftover: []"
    assert failures("OBX_Observation", "  - { to: category, from: OBX-3, as: concept }", given) == []
