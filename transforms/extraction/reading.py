"""A PDF report, read: bytes in, a Report out.  Runs in a worker process (see `worker`), for PDFium is not thread-safe."""

from __future__ import annotations

from decimal import Decimal

from transforms.extraction.columns import blocks, place, running
from transforms.extraction.fields import PATIENT, fields
from transforms.extraction.numbers import decimal_mark, grouped, number
from transforms.extraction.page import Line, box_of, lines
from transforms.extraction.pdf import Limits, read
from transforms.extraction.report import Evidence, Report, Result
from transforms.extraction.rows import Head, Row, head_of, rows
from transforms.extraction.tokens import Kind, quantity_of, range_of
from transforms.extraction.vocabulary import flag_of, language_of


def extract(content: bytes, limits: Limits = Limits()) -> Report:
    """Everything that the text layer says; ExtractionError where there is none to read."""
    pages = list(read(content, limits))
    repeated = running(pages)
    every: list[Line] = [line for page in pages for line in lines(page)]
    language = language_of([cell.text for line in every for cell in line.cells])
    found: list[Row] = []
    head: Head | None = None
    for page in pages:
        for block in blocks(page):
            made, head = rows([line for line in block if place(line) not in repeated or head_of(line)], head)
            found += made
    mark = decimal_mark((text for row in found for text in (row.value.text, row.range.text if row.range else "")), language)
    usually_bold = 2 * sum(row.value.words[0].bold for row in found) > len(found)
    said = fields(every, language)
    return Report(
        pages=len(pages),
        language=language,
        patient={name: each for name, each in said.items() if name in PATIENT},
        report={name: each for name, each in said.items() if name not in PATIENT},
        results=tuple(_result(row, mark, usually_bold) for row in found),
    )


def _result(row: Row, mark: str, usually_bold: bool) -> Result:
    quantity = quantity_of(row.value.text) if row.value.kind is Kind.QUANTITY else None
    bounds = range_of(row.range.text) if row.range else None
    low_text, high_text, unit_inside = bounds or ("", "", "")
    unit = row.unit.text if row.unit else unit_inside
    count = unit.startswith("/") and grouped(quantity[1] if quantity else "", low_text, high_text)
    printed = (quantity[1] if quantity else "", low_text, high_text)
    value, low, high = (number(text, mark, count=count) if text else None for text in printed)
    emphasised = row.value.words[0].bold and not usually_bold and not row.name[0].bold
    flag = row.flag.text if row.flag else ""
    return Result(
        name=row.name_text,
        value_text=row.value.text,
        value=value,
        comparator=quantity[0] if quantity else "",
        unit=unit,
        range_text=row.range.text if row.range else "",
        low=low,
        high=high,
        flag=flag or ("bold" if emphasised else ""),
        interpretation=flag_of(flag) if flag else ("A" if emphasised else ""),
        section=row.section,
        evidence=Evidence(row.line.page, row.line.box.around(box_of(word.box for word in row.name)).rounded(), row.line.text),
        value_box=row.value.box.rounded(),
        confidence=_confidence(row, value, low, high),
    )


def _confidence(row: Row, value: Decimal | None, low: Decimal | None, high: Decimal | None) -> float:
    """How much of the row confirms the reading; what contradicts itself falls below a half."""
    sure = 0.98
    sure -= 0.0 if row.headed else 0.03
    sure -= 0.08 if row.value.kind is Kind.QUANTITY and row.unit is None else 0.0
    sure -= 0.05 if row.range is None else 0.0
    sure -= 0.15 if row.value.kind is Kind.TEXT else 0.0
    sense = flag_of(row.flag.text) if row.flag else ""
    if value is not None and ((sense == "H" and high is not None and value <= high) or (sense == "L" and low is not None and value >= low)):
        sure -= 0.5
    if value and high and not high / 200 < abs(value) < high * 200:
        sure -= 0.4
    return round(max(sure, 0.05), 2)
