"""The laws of the inverses: what a function makes of a text, its inverse gives back as a text of which it makes the same."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy, builds, from_regex, integers, lists, sampled_from, text

from transforms.document import Context, Identity
from transforms.mapping.backward.elements import leaves
from transforms.mapping.backward.registry import inverses
from transforms.mapping.backward.writing import Writing, encoded
from transforms.mapping.functions.registry import Beside, functions
from transforms.mapping.library import Library

CONTEXT = Context(datetime(2024, 1, 15, tzinfo=timezone.utc), timezone="Europe/Zurich", identity=Identity(base="https://site.example/ids"))
WRITING = Writing(CONTEXT, ("LAB", "HOSP"))
TABLES = Library.load().tables

WORDS = text("abcXYZ019 .,-&^|\\~äß", min_size=1, max_size=12).filter(lambda said: said == said.strip() and said != '""' and "  " not in said)
PLAIN = from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)
NUMBERS = from_regex(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?", fullmatch=True)
MOMENTS = sampled_from(["2024", "202403", "20240305", "202403051230", "20240305123045", "20240305123045.25+0100", "20240305123045-0500"])
SYSTEMS = sampled_from(["LN", "SCT", "HL70001", "", "L", "1.2.3.4"])


def parts(*strategies: SearchStrategy[str]) -> SearchStrategy[str]:
    """A composite of these components."""
    return builds(lambda *each: encoded(each), *strategies)


OPTIONAL = WORDS | sampled_from([""])
HD = builds(lambda *each: "&".join(each), PLAIN, sampled_from(["", "1.2.3.4"]), sampled_from(["ISO"])).map(lambda said: said.replace("&&ISO", ""))

TEXTS: dict[str, SearchStrategy[str]] = {
    "text": parts(WORDS),
    "boolean": sampled_from(["Y", "N"]),
    "integer": integers(0, 99999).map(str),
    "date": MOMENTS,
    "date_time": MOMENTS,
    "instant": MOMENTS,
    "birth_date": MOMENTS,
    "time": sampled_from(["1230", "123045", "123045.5"]),
    "codeable_concept": parts(PLAIN, OPTIONAL, SYSTEMS, PLAIN, OPTIONAL, SYSTEMS, OPTIONAL, OPTIONAL, OPTIONAL),
    "coding": parts(PLAIN, OPTIONAL, SYSTEMS),
    "identifier": builds(lambda number, authority, kind: f"{number}^^^{authority}^{kind}", PLAIN, HD, sampled_from(["MR", "PI", "AN", ""])),
    "entity_identifier": builds(lambda number, authority: f"{number}^{authority.replace('&', '^')}", PLAIN, HD),
    "human_name": parts(WORDS, OPTIONAL, OPTIONAL, OPTIONAL, OPTIONAL, sampled_from([""]), sampled_from(["L", "D", "N", "M", ""])),
    "practitioner": parts(PLAIN, WORDS, OPTIONAL, sampled_from([""]), sampled_from(["", "Jr"]), sampled_from(["", "Dr"])),
    "address": parts(OPTIONAL, OPTIONAL, WORDS, OPTIONAL, OPTIONAL, OPTIONAL, sampled_from(["H", "B", "M", "C", ""])),
    "contact_point": builds(lambda number, use, kind: f"{number}^{use}^{kind}", from_regex(r"[0-9]{3}-[0-9]{4}", fullmatch=True), sampled_from(["PRN", "WPN", ""]), sampled_from(["PH", "FX", "CP", ""])),
    "structured_numeric": builds(lambda sign, number: f"{sign}^{number}", sampled_from(["<", ">", "<=", ">="]), NUMBERS)
    | builds(lambda one, mark, two: f"^{one}^{mark}^{two}", sampled_from(["1", "2"]), sampled_from([":", "-", "/"]), sampled_from(["3", "128"])),
    "quantity": NUMBERS,
    "numeric_range": builds(lambda one, two: f"{one}^{two}", NUMBERS, NUMBERS),
    "reference_range": sampled_from(["1-5", "3.5 - 5.0 mg/dL", "<5", ">=60", "negative", "29 to 72"]),
    "organization": parts(WORDS, sampled_from(["", "L"]), sampled_from([""]), sampled_from([""]), sampled_from([""]), sampled_from([""]), sampled_from([""]), sampled_from([""]), sampled_from([""]), PLAIN),
    "sub_id": lists(sampled_from(["", "1", "2.5"]), min_size=1, max_size=3).map("^".join).filter(lambda said: said.strip("^")),
    "race": sampled_from(["2106-3^White^HL70005", "2028-9", "X1^Other thing^HL70005", "^Something"]),
    "ethnicity": sampled_from(["H^Hispanic^HL70189", "N", "2186-5"]),
}  # fmt: skip


def read(name: str, said: str, **named: Any) -> Any:
    """What a function makes of a text."""
    function = functions()[name]
    told = function.call(said, WRITING.reading, **named)
    told = told[1] if function.gives == "*" and told is not None else told
    return (told.value, told.element) if isinstance(told, Beside) else told


def written_back(name: str, value: Any, **named: Any) -> list[str]:
    """The texts that the inverse proposes."""
    return [encoded(each.parts) for each in inverses()[name](value, WRITING, **named)]


@pytest.mark.parametrize("name", TEXTS)
def test_what_was_read_is_read_again(name: str) -> None:
    """One of the texts that an inverse proposes means the same as the text that was read: nothing of the value is lost, nothing added."""

    @settings(max_examples=40, deadline=None)
    @given(TEXTS[name])
    def law(said: str) -> None:
        value = read(name, said)
        if value is None:
            return
        back = [read(name, each) for each in written_back(name, value) if each]
        assert leaves(value) in [leaves(each) for each in back], (said, value, written_back(name, value))

    law()


@pytest.mark.parametrize("table", ["observation_status", "report_status", "administrative_gender", "interpretation", "encounter_class", "marital_status"])
def test_a_table_turned_round_means_the_same(table: str) -> None:
    """Every code of a table comes back as one that the table gives the same for."""
    codes = {**TABLES[table].codes}
    function = "codeable_concept" if next(iter(codes.values())).system else "code_of_table"
    for code in codes:
        value = read(function, code, codes=codes, table="0085")
        back = written_back(function, value, codes=codes, table="0085")
        assert leaves(value) in [leaves(read(function, each, codes=codes, table="0085")) for each in back if each], code


def test_an_inverse_is_one_of_a_function() -> None:
    """No name is inverted that no map could use."""
    assert set(inverses()) - {""} <= set(functions())
