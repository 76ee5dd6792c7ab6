"""What is read from the text layer of a report, whatever its layout."""

from __future__ import annotations

import importlib.util
from decimal import Decimal
from pathlib import Path

import pytest

from transforms.extraction.errors import ExtractionError
from transforms.extraction.pdf import Limits
from transforms.extraction.reading import extract
from transforms.extraction.report import Result

_spec = importlib.util.spec_from_file_location("pdfs", Path(__file__).with_name("pdfs.py"))
assert _spec and _spec.loader
pdfs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pdfs)
pdf, table = pdfs.pdf, pdfs.table

HEAD = ("Test", "Result", "Flag", "Unit", "Reference Range")


def results(*pages: list) -> list[Result]:
    return list(extract(pdf(*pages)).results)


def row(result: Result) -> tuple:
    value = result.value if result.value is not None else result.value_text
    return result.name, result.comparator, value, result.unit, result.low, result.high, result.flag


def D(text: str) -> Decimal:  # noqa: N802 - as short as a literal
    return Decimal(text)


def test_a_table_with_heads() -> None:
    """Name, value, flag, unit and range of each row, with page, box and the line they came from."""
    found = results(table(HEAD, ("Glucose", "112", "H", "mg/dL", "70 - 99"), ("CA 19-9", "<0.5", "", "U/mL", "< 37.0"), ("Rh", "Positive")))
    assert [row(each) for each in found] == [
        ("Glucose", "", D("112"), "mg/dL", D("70"), D("99"), "H"),
        ("CA 19-9", "<", D("0.5"), "U/mL", None, D("37.0"), ""),
        ("Rh", "", "Positive", "", None, None, ""),
    ]
    assert found[0].evidence.page == 1 and "Glucose  112" in found[0].evidence.text
    left, top, right, bottom = found[0].value_box
    assert 219 < left < right < 240 and 150 < top < bottom < 170


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Glucose: 95 mg/dL (70-99)", ("Glucose", "", D("95"), "mg/dL", D("70"), D("99"), "")),
        ("Vitamin B12 310 pg/mL 197 - 771", ("Vitamin B12", "", D("310"), "pg/mL", D("197"), D("771"), "")),
        ("Kalium: 5,9 mmol/l (3,5 - 5,1) H", ("Kalium", "", D("5.9"), "mmol/l", D("3.5"), D("5.1"), "H")),
        ("Troponin T: >1000 ng/L (Ref: <14)", ("Troponin T", ">", D("1000"), "ng/L", None, D("14"), "")),
        ("Leucocitos: 12.400 /µL (4.000 - 11.000) *", ("Leucocitos", "", D("12400"), "/µL", D("4000"), D("11000"), "*")),
        ("TSH: 2.31mIU/L (0.27 a 4.20)", ("TSH", "", D("2.31"), "mIU/L", D("0.27"), D("4.20"), "")),
    ],
)
def test_results_written_as_a_line(line: str, expected: tuple) -> None:
    assert [row(each) for each in results([(40, 200, line)])] == [expected]


@pytest.mark.parametrize("value", ["1:80", "+++", "Negativo", "Nicht nachweisbar", "Non détecté", "Rilevato", "Trace"])
def test_results_that_are_no_numbers(value: str) -> None:
    (found,) = results(table(("ANA", value)))
    assert (found.name, found.value_text, found.value) == ("ANA", value, None)


@pytest.mark.parametrize(
    ("heads", "cells", "bounds"),
    [
        (
            ("Prueba", "Resultado", "", "Unidad", "Valores de referencia"),
            ("Glucosa", "112,5", "", "mg/dL", "Hasta 99,0"),
            (None, D("99.0")),
        ),
        (
            ("Analyse", "Ergebnis", "", "Einheit", "Referenzbereich"),
            ("Glukose", "112,5", "", "mg/dl", "70,0 – 99,0"),
            (D("70.0"), D("99.0")),
        ),
        (
            ("Paramètre", "Résultat", "", "Unités", "Valeurs de référence"),
            ("Glycémie", "112,5", "", "mg/dL", "70,0 à 99,0"),
            (D("70.0"), D("99.0")),
        ),
        (
            ("Exame", "Resultado", "", "Unidade", "Valores de referência"),
            ("Glicose", "112,5", "", "mg/dL", "até 99,0"),
            (None, D("99.0")),
        ),
        (
            ("Esame", "Risultato", "", "Unità", "Valori di riferimento"),
            ("Glucosio", "112,5", "", "mg/dL", "fino a 99,0"),
            (None, D("99.0")),
        ),
    ],
)
def test_languages(heads: tuple, cells: tuple, bounds: tuple) -> None:
    (found,) = results(table(heads, cells))
    assert (found.value, found.low, found.high) == (D("112.5"), *bounds)


def test_a_table_goes_on_over_pages() -> None:
    """Heads are in force on the next page; what stands at the top and bottom of every page is no result."""
    margin = [(40, 30, "Example Laboratory"), (40, 820, "Phone 555-0142 - 12 Fictional Ave"), (480, 820, "Page 1 of 2")]
    first = [*margin, *table(HEAD, ("Sodium", "140", "", "mmol/L", "136 - 145"))]
    second = [*margin, *table(("ABO Group", "AB"), ("Potassium", "4.1", "", "mmol/L", "3.5 - 5.1"), top=80)]
    assert [(each.name, each.evidence.page) for each in results(first, second)] == [("Sodium", 1), ("ABO Group", 2), ("Potassium", 2)]


def test_two_columns_on_a_page() -> None:
    """Rows of the left column come first, also where the lines of both stand at different heights."""
    salts = ((name, "4.1", "", "mmol/L", "3.5 - 5.1") for name in ("Sodium", "Potassium", "Calcium", "Chloride"))
    left = table(*salts, at=(40, 120, 0, 160, 210))
    right = table(*((name, "12", "", "U/L", "5 - 40") for name in ("AST", "ALT", "GGT", "LDH")), at=(320, 400, 0, 440, 490), top=155)
    assert [each.name for each in results([*left, *right])] == ["Sodium", "Potassium", "Calcium", "Chloride", "AST", "ALT", "GGT", "LDH"]


def test_earlier_values_are_not_the_value() -> None:
    heads = ("Analyse", "Vorwert", "Ergebnis", "Einheit", "Normbereich")
    (found,) = results(table(heads, ("Natrium", "131", "140", "mmol/l", "136 - 145")))
    assert found.value == 140


def test_bold_is_a_flag_where_others_are_not() -> None:
    rows = [(name, value, "", "mmol/L", "136 - 145") for name, value in (("Sodium", "*151"), ("Chloride", "140"), ("Other", "139"))]
    assert [each.flag for each in results(table(HEAD, *rows))] == ["bold", "", ""]


@pytest.mark.parametrize(
    "line",
    [
        "Please fast for 12 hours. You may drink up to 500 mL of water.",
        "your appointment for a blood test is on 12/03/2025 at 08:30.",
        "Sodium below 2000 mg per day, potassium 3500 mg per day",
        "Patient ID: 4711",
        "Phone 555-0142",
    ],
)
def test_prose_is_no_result(line: str) -> None:
    assert results([(40, 200, line)]) == []


def test_who_and_when() -> None:
    """Patient and report; a date that could be either day or month first is left as it is printed."""
    lines = [(40, 60, "Patient:"), (100, 60, "DEMO, CASEY"), (300, 60, "DOB: 03/04/1970"), (40, 74, "MRN: 4711"), (300, 74, "Sex: F")]
    read = extract(pdf([*lines, (40, 88, "Accession: A-12"), *table(HEAD, ("Sodium", "140", "", "mmol/L", "136 - 145"))]))
    said = {name: (each.text, each.value) for name, each in {**read.patient, **read.report}.items()}
    assert said["patient_name"] == ("DEMO, CASEY", "DEMO, CASEY")
    assert said["patient_id"][0] == "4711" and said["accession"][0] == "A-12" and said["sex"] == ("F", "female")
    assert said["birth_date"] == ("03/04/1970", None)
    lines = ["Geburtsdatum: 03.04.1970", "Entnahme: 01.02.2025 07:30", "Befunddatum: 02.02.2025"]
    german = extract(pdf([(40, 60 + 14 * index, line) for index, line in enumerate(lines)]))
    assert german.patient["birth_date"].value == "1970-04-03" and german.report["collected"].value == "2025-02-01T07:30"


def test_what_contradicts_itself_is_unsure() -> None:
    sure, unsure = results(table(HEAD, ("Sodium", "151", "H", "mmol/L", "136 - 145"), ("Chloride", "100", "H", "mmol/L", "98 - 107")))
    assert sure.confidence > 0.9 and unsure.confidence < 0.5


LOCK = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"11" * 32 + b"> /U <" + b"22" * 32 + b"> >> /ID [<01> <01>] /Root"
LOCKED = pdf([(40, 40, "Sodium 140")]).replace(b"/Root", LOCK)
TEXT = b"BT /F1 9 Tf 40 802 Td (" + b"x" * 60 + b") Tj ET"
PICTURE = pdf([(40, 40, "x" * 60)]).replace(TEXT, b"q 9 0 0 9 40 40 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q".ljust(len(TEXT)))


@pytest.mark.parametrize(
    ("content", "limits", "code"),
    [
        (b"", Limits(), "empty"),
        (b"MSH|^~\\&|A|B", Limits(), "not_pdf"),
        (b"%PDF-1.4\nnonsense", Limits(), "damaged"),
        (pdf([]), Limits(), "empty"),
        (LOCKED, Limits(), "encrypted"),
        (PICTURE, Limits(), "no_text"),
        (pdf([], [], []), Limits(pages=2), "too_many_pages"),
        (pdf([(40, 40, "Sodium 140")]), Limits(bytes=100), "too_large"),
        (pdf([(40, 40, "Sodium 140")]), Limits(characters=5), "too_much_text"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, limits: Limits, code: str) -> None:
    with pytest.raises(ExtractionError) as caught:
        extract(content, limits)
    assert caught.value.code == code
