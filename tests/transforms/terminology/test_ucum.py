"""Units: which are UCUM, which may be taken for it, and which a laboratory means otherwise."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis.strategies import text

from transforms.terminology.ucum import code_of, is_plain, is_ucum


@pytest.mark.parametrize(
    "code",
    "mg/dL mmol/L % 10*3/uL 10^9/L /min mm[Hg] m[IU]/mL [in_i] kg/m2 {Ratio} {cells}/uL pg/{cell} kcal/(8.h) ug{FEU}/mL L/L fL "
    "g% cm[H2O] /[HPF] K/uL pH Cel a wk [arb'U]/mL 10*-6 s-1 m2 %[slope] B[10.nV] [m/s2/Hz^(1/2)] dB[SPL] nmol/min/mg{prot} 24.h '".split(),
)
def test_ucum_units_are_recognised(code: str) -> None:
    """Atoms, prefixes, exponents, products, quotients, brackets and annotations."""
    assert is_ucum(code)


@pytest.mark.parametrize(
    "code", ["", *"mg/dl. MG/DL mmHg UMOLL mm(hg) sec IU/L mEq/L k/uL mg/24h / mg// (mg m] 10e9/L 2mg ERU {a}{b}".split()]
)
def test_other_spellings_are_not_ucum(code: str) -> None:
    """What laboratories print is often near UCUM, and near is not enough."""
    assert not is_ucum(code)


@pytest.mark.parametrize("spelling", "K/uL G/L T/L pH C F N/A S ft H a /10".split())
def test_units_that_mean_something_else_in_ucum_stay_text(spelling: str) -> None:
    """Kelvin per microlitre is valid UCUM; a laboratory writing `K/uL` means thousands."""
    assert is_ucum(spelling)
    assert not is_plain(spelling)
    assert code_of(spelling) == ""


@pytest.mark.parametrize(
    ("spelling", "system", "code"),
    [
        ("mg/dL", "", "mg/dL"),
        ("\u00b5mol/L", "", "umol/L"),
        ("K/uL", "UCUM", "K/uL"),
        ("mmHg", "UCUM", ""),
        ("mm(hg)", "ISO+", "mm[Hg]"),
        ("mmol/l", "ANS+", "mmol/L"),
        ("mm(hg)", "", ""),
        ("mg/dL", "L", ""),
        ("beats/min", "", ""),
    ],
)
def test_a_unit_gets_a_code_only_where_it_is_certain(spelling: str, system: str, code: str) -> None:
    """The sender's word, HL7's ISO+ table, or a spelling that cannot mean anything else."""
    assert code_of(spelling, system) == code


def test_every_iso_plus_unit_has_a_ucum_code_that_parses() -> None:
    """The packaged table holds nothing that is not UCUM."""
    rows = csv.DictReader(files("transforms.terminology").joinpath("data/iso_plus.csv").read_text("utf-8").splitlines())
    assert [row["unit"] for row in rows if not is_ucum(row["ucum"])] == []


@given(text())
def test_any_text_is_judged_without_failing(spelling: str) -> None:
    """Whatever stands in OBX-6, it is a unit or it is not."""
    assert code_of(spelling) in ("", spelling.replace("\u00b5", "u").replace("\u03bc", "u"))
