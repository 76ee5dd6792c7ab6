"""Whether maps mean anything: elements exist in R4, types fit, functions and tables are known, links lead somewhere.

Every problem is found at once, each at its line and column, with what was probably meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from transforms.declaration.suggestions import did_you_mean, enumerated
from transforms.errors import Problem
from transforms.fhir.elements import Element, children, element, is_type, primitive_types, resource_types
from transforms.mapping.conditions import Condition
from transforms.mapping.definition import Action, Make, MessageMap, Rule, SegmentMap, Table
from transforms.mapping.grouping import ARRANGEMENTS
from transforms.mapping.keys import Declared
from transforms.mapping.kit import Kit
from transforms.mapping.places import Spot
from transforms.mapping.results import BY_TYPE, IDENTITIES
from transforms.mapping.targets import Located, locate, shaped

VERBS = ("update", "move")
"""What may be done to a shared resource beside making it where there is none."""

_ALIKE = (
    frozenset(("string", "markdown", "code", "uri", "url", "id", "canonical", "oid", "uuid")),
    frozenset(("integer", "positiveInt", "unsignedInt")),
    frozenset(("date", "dateTime")),
    frozenset(("Quantity", "Duration", "Age", "Count", "Distance", "SimpleQuantity", "Money")),
)


def check_segment_map(found: SegmentMap, kit: Kit) -> Iterator[Problem]:
    """What is wrong with the rules of a segment map."""
    if not is_type(found.type) or found.type in primitive_types():
        yield found.spot.at("resource").problem("unknown_type", f"R4 has no type `{found.type}`{did_you_mean(found.type, resource_types())}.")
        return
    for rule in found.rules:
        yield from _rule(rule, found.type, kit)


def _rule(rule: Rule, type_name: str, kit: Kit) -> Iterator[Problem]:
    if rule.when is not None:
        yield from _condition(rule.when, kit)
    if rule.drop or not rule.to:
        return
    located = locate(type_name, rule.to)
    if isinstance(located, str):
        yield _unknown_element(rule, type_name, located)
        return
    for case in rule.cases:
        yield from _action(case.action, located, kit)
    if rule.choose is not None:
        yield from _cases(rule)


def _unknown_element(rule: Rule, type_name: str, name: str) -> Problem:
    at = type_name
    for step in rule.to:
        if step.name == name:
            break
        inside = element(at, step.name)
        at = inside.types[0] if inside is not None else at
    return rule.spot.at("to").problem("unknown_element", f"`{at}` has no element `{name}` in R4{did_you_mean(name, children(at))}.")


def _cases(rule: Rule) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, case in enumerate(rule.cases):
        for value in case.values:
            if value in seen:
                yield rule.spot.at("cases", index, "when").problem("duplicate_case", f"`{value}` has a case already; this one is never taken.")
            seen.add(value)


def _action(action: Action, located: Located, kit: Kit) -> Iterator[Problem]:
    spot, target = action.spot, located.element
    if not action.sources:
        if action.const is None:
            yield spot.problem("missing", "A rule needs `from` or `const`.")
        else:
            yield from _constant(action, target)
        return
    function = kit.functions.get(action.function)
    if action.function and function is None:
        known = did_you_mean(action.function, kit.functions)
        yield spot.at("as").problem("unknown_function", f"No function is called `{action.function}`{known}.")
        return
    table = kit.tables.get(action.codes)
    if action.codes and table is None:
        yield spot.at("codes").problem("unknown_table", f"No table is called `{action.codes}`{did_you_mean(action.codes, kit.tables)}.")
        return
    yield from _withs(action, kit)
    yield from _each(action, located)
    if action.wrap is not None:
        return
    if function is not None:
        if not _fits(function.gives, target):
            wanted = enumerated(target.types)
            yield spot.at("as").problem("wrong_type", f"`{action.function}` gives {function.gives}, and `{target.path}` takes {wanted}.")
        if function.list and not target.many:
            yield spot.at("as").problem("cardinality", f"`{action.function}` gives a list, and `{target.path}` takes one.")
    elif table is None and not _fits("string", target):
        yield spot.problem("missing", f"`{target.path}` takes {enumerated(target.types)}: say how with `as` or `codes`.")
    if table is not None and (function is None or "codes" not in function.options or "code" in target.types):
        yield from _bound(table, target, spot)


def _constant(action: Action, target: Element) -> Iterator[Problem]:
    values = action.const if isinstance(action.const, list) and target.many else [action.const]
    complex_types = [each for each in target.types if each not in primitive_types()]
    for value in values:
        if isinstance(value, dict) != bool(complex_types) and not (target.choice and len(complex_types) < len(target.types)):
            yield action.spot.at("const").problem("wrong_type", f"`{target.path}` takes {enumerated(target.types)}.")
        elif isinstance(value, dict):
            yield from _constant_keys(value, complex_types, action.spot.at("const"))
        elif target.codes is not None and not _allowed(value, target):
            known = did_you_mean(str(value), _codes(target))
            yield action.spot.at("const").problem("unknown_code", f"`{value}` is no code of `{target.path}`{known}.")


def _constant_keys(value: Mapping[str, Any], types: list[str], spot: Spot) -> Iterator[Problem]:
    known = {name for each in types for name in _names(each)}
    for key in value:
        if known and key not in known and key.lstrip("_") not in known:
            where = spot.at(key) if spot.located.place((*spot.path, key)) else spot
            yield where.problem("unknown_element", f"`{enumerated(types)}` has no element `{key}` in R4{did_you_mean(key, known)}.", key=True)


def _names(type_name: str) -> Iterator[str]:
    for each in children(type_name).values():
        if each.choice:
            yield from (each.property_for(kind) for kind in each.types)
        else:
            yield each.name


def _bound(table: Table, target: Element, spot: Spot) -> Iterator[Problem]:
    """Codes of a table that the element's required binding does not have."""
    if target.codes is None or "CodeableConcept" in target.types:
        return
    for key, coded in [*table.codes.items(), *([("otherwise", table.otherwise)] if table.otherwise else [])]:
        code = shaped(coded, target.types)
        code = code.get("code") if isinstance(code, dict) else code
        if isinstance(code, str) and not _allowed(code, target):
            where = table.spot.at("otherwise") if key == "otherwise" else table.spot.at("codes", key)
            yield where.problem("unknown_code", f"`{code}` is no code of `{target.path}`{did_you_mean(code, _codes(target))}.")


def _codes(target: Element) -> set[str]:
    return {code for codes in (target.codes or {}).values() for code in codes}


def _allowed(code: Any, target: Element) -> bool:
    return str(code) in _codes(target)


def _withs(action: Action, kit: Kit) -> Iterator[Problem]:
    function = kit.functions.get(action.function)
    given = {name for name, _ in action.withs}
    if function is None:
        if given:
            yield action.spot.at("with").problem("unknown_key", "`with` is for functions: there is no `as`.")
        return
    for name in sorted(given):
        if not function.any_option and name not in function.options:
            known = did_you_mean(name, function.options)
            yield action.spot.at("with", name).problem("unknown_key", f"`{action.function}` takes no `{name}`{known}.", key=True)
    missing = [name for name in function.required if name not in given and not (name == "codes" and action.codes)]
    if missing:
        yield action.spot.problem("missing", f"`{action.function}` needs `with`: {enumerated(missing, 'and')}.")


def _each(action: Action, located: Located) -> Iterator[Problem]:
    if isinstance(action.each, str) and action.each not in ("lines", "whole"):
        lists = [step.name for step, many in located.containers if many]
        if action.each not in lists:
            known = did_you_mean(action.each, lists)
            yield action.spot.at("each").problem("no_list", f"`{action.each}` is no list on the way to `{located.element.path}`{known}.")


def _fits(gives: str, target: Element) -> bool:
    if gives == "*":
        return target.choice
    for kind in target.types:
        if gives == kind or gives == "BackboneElement" and "." in kind or any(gives in alike and kind in alike for alike in _ALIKE):
            return True
        if kind == "Reference" and gives in resource_types():
            return not target.targets or gives in target.targets or "Resource" in target.targets
    return False


def _condition(condition: Condition, kit: Kit) -> Iterator[Problem]:
    for each in condition.walk():
        if each.kind == "matches" and each.values[0] not in kit.predicates:
            known = did_you_mean(str(each.values[0]), kit.predicates)
            yield each.spot.problem("unknown_test", f"No test is called `{each.values[0]}`{known}.", key=True)
        if each.kind == "option" and not hasattr(kit.options, each.segment):
            known = did_you_mean(each.segment, vars(kit.options))
            yield each.spot.problem("unknown_option", f"There is no map option `{each.segment}`{known}.", key=True)


def check_message_map(found: MessageMap, maps: Mapping[str, SegmentMap], kit: Kit) -> Iterator[Problem]:
    """What is wrong with the makes of a message map."""
    if found.arrange not in ARRANGEMENTS:
        known = did_you_mean(found.arrange, ARRANGEMENTS)
        yield found.spot.at("arrange").problem("unknown_arrangement", f"There is no arrangement `{found.arrange}`{known}.")
    named = {each.name: each for each in found.makes}
    for make in found.makes:
        yield from _make(make, named, maps, kit)


def _make(make: Make, named: Mapping[str, Make], maps: Mapping[str, SegmentMap], kit: Kit) -> Iterator[Problem]:
    if not is_type(make.type) or make.type in primitive_types():
        yield make.spot.at("make").problem("unknown_type", f"R4 has no type `{make.type}`{did_you_mean(make.type, resource_types())}.")
        return
    if not make.at:
        yield make.spot.problem("missing", "A make needs `at` or `each`: the group or segment it is made for.")
    yield from _identified(make, named)
    if make.when is not None:
        yield from _condition(make.when, kit)
    yield from _makes_maps(make, maps)
    for name, wanted in make.link:
        yield from _link(make, name, wanted, named)
    for name in make.needs:
        if name not in children(make.type):
            known = did_you_mean(name, children(make.type))
            yield make.spot.at("needs").problem("unknown_element", f"`{make.type}` has no element `{name}` in R4{known}.")
    if make.into:
        yield from _into(make, named)
    elif make.type not in resource_types():
        yield make.spot.problem("missing", f"{make.type} is no resource: say which make it goes `into`.")


def _identified(make: Make, named: Mapping[str, Make]) -> Iterator[Problem]:
    """Its identity, and what may be done to what is known by it."""
    identify = make.identify or BY_TYPE.get(make.type, "by_identifier")
    if isinstance(identify, Declared):
        earlier = [*named][: [*named].index(make.name)]
        for name in identify.of:
            if name not in earlier:
                known = did_you_mean(name, earlier)
                yield identify.spot.at("of").problem("unknown_make", f"No make before this one is called `{name}`{known}.")
    elif identify not in IDENTITIES:
        yield make.spot.at("identify").problem("unknown_identity", f"`{identify}` is no identity{did_you_mean(identify, IDENTITIES)}.")
        return
    if make.verb and make.verb not in VERBS:
        yield make.spot.at("verb").problem("unknown_verb", f"`{make.verb}` is no verb{did_you_mean(make.verb, VERBS)}; there are {enumerated(VERBS)}.")
    elif make.verb and (make.into or isinstance(identify, Declared) or IDENTITIES[identify].owned):
        yield make.spot.at("verb").problem("no_verb", "Only what is shared with others (known by an identifier of theirs) has a verb; what is ours is put by its id.")


def _makes_maps(make: Make, maps: Mapping[str, SegmentMap]) -> Iterator[Problem]:
    for name in (*make.with_, *make.with_if_only):
        found = maps.get(f"{name}_{make.type}") or maps.get(name)
        if found is None:
            known = did_you_mean(f"{name}_{make.type}", maps)
            yield make.spot.at("with").problem("unknown_map", f"There is no map `{name}_{make.type}`{known}.")
        elif found.type != make.type:
            yield make.spot.at("with").problem("wrong_type", f"The map `{found.name}` writes {found.type}, not {make.type}.")


def _link(make: Make, name: str, wanted: str, named: Mapping[str, Make]) -> Iterator[Problem]:
    target = element(make.type, name)
    spot = make.spot.at("link", name)
    if target is None:
        yield spot.problem("unknown_element", f"`{make.type}` has no element `{name}` in R4{did_you_mean(name, children(make.type))}.", key=True)
        return
    other = named.get(wanted.removesuffix("[]"))
    if other is None:
        yield spot.problem("unknown_make", f"No make is called `{wanted.removesuffix('[]')}`{did_you_mean(wanted, named)}.")
    elif "Reference" not in target.types or not _fits(other.type, target):
        yield spot.problem("wrong_type", f"`{target.path}` cannot refer to {other.type}.")
    elif wanted.endswith("[]") and not target.many:
        yield spot.problem("cardinality", f"`{target.path}` takes one.")


def _into(make: Make, named: Mapping[str, Make]) -> Iterator[Problem]:
    owner, _, path = make.into.partition(".")
    spot = make.spot.at("into")
    if owner not in named:
        yield spot.problem("unknown_make", f"No make is called `{owner}`{did_you_mean(owner, named)}.")
        return
    if not path:
        if named[owner].type != make.type:
            yield spot.problem("wrong_type", f"`{owner}` is {named[owner].type}, not {make.type}.")
        return
    target = element(named[owner].type, path)
    if target is None:
        yield spot.problem("unknown_element", f"`{named[owner].type}` has no element `{path}` in R4.")
    elif make.wrap is None and not _fits(make.type, target):
        yield spot.problem("wrong_type", f"`{target.path}` takes {enumerated(target.types)}, not {make.type}.")


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by their places, each once."""
    return tuple(sorted(set(problems)))
