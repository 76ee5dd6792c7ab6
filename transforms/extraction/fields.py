"""Who the report is about and what it says of itself: labels, what stands beside them, and dates that are certain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from transforms.extraction.page import Line, Word, box_of
from transforms.extraction.report import Evidence, Field
from transforms.extraction.vocabulary import LABELS, LONGEST, folded

PATIENT = ("patient_name", "patient_id", "birth_date", "sex", "age")
DATES = ("birth_date", "collected", "received", "reported")
SEXES = {
    "male": frozenset("m male man mannlich hombre varon homme masculin masculino maschile maschio homem uomo".split()),
    "female": frozenset("f w female frau weiblich mujer femme feminin femenino feminino femminile femmina mulher donna vrouw".split()),
}
_DATE = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{2,4})(?:\D{1,4}(\d{1,2}):(\d{2}))?")


def fields(found: Sequence[Line], language: str) -> dict[str, Field]:
    """The first of each, in the order of the page."""
    made: dict[str, tuple[str, list[Word], Line]] = {}
    for line in found:
        for name, words in _labelled(line):
            made.setdefault(name, (" ".join(word.text for word in words), words, line))
    order = _order((text for name, (text, _, _) in made.items() if name in DATES), language)
    return {name: _field(name, text, words, line, order, language) for name, (text, words, line) in made.items()}


def _labelled(line: Line) -> Iterable[tuple[str, list[Word]]]:
    """(field, words) for each label of a line: the words up to the next label or the end of the cell beside it."""
    words = line.words
    edges = {id(cell.words[-1]) for cell in line.cells}
    marks = [(at, length, names) for at in range(len(words)) if (found := _label(words, at, edges)) for length, names in [found]]
    clear = [mark for index, mark in enumerate(marks) if not any(one[0] < mark[0] < one[0] + one[1] for one in marks[:index])]
    for index, (at, length, names) in enumerate(clear):
        end = clear[index + 1][0] if index + 1 < len(clear) else len(words)
        value: list[Word] = []
        for word in words[at + length : end]:
            if word.text == ":":
                continue
            value.append(word)
            if id(word) in edges:
                if word.box.right < words[min(end, len(words)) - 1].box.left and all(each in "0123456789./-" for each in word.text):
                    continue  # a time may follow its date after a gap
                break
        numbered = any(each.isdigit() for word in value for each in word.text)
        fitting = [name for name in names if name not in ("accession", "patient_id", *DATES) or numbered]
        if value and fitting and not (len(names) > 1 and numbered and "accession" in names and fitting[0] != "accession"):
            yield fitting[0], value
        elif value and numbered and "accession" in names:
            yield "accession", value


def _label(words: Sequence[Word], at: int, edges: set[int]) -> tuple[int, tuple[str, ...]] | None:
    for length in range(min(LONGEST, len(words) - at), 0, -1):
        names = LABELS.get(folded(" ".join(word.text for word in words[at : at + length])))
        if not names:
            continue
        last = words[at + length - 1]
        closed = last.text.endswith(":") or (at + length < len(words) and words[at + length].text == ":")
        starts = at == 0 or id(words[at - 1]) in edges
        if closed or (starts and id(last) in edges):
            return length, names
    return None


def _field(name: str, text: str, words: list[Word], line: Line, order: str, language: str) -> Field:
    evidence = Evidence(line.page, box_of(word.box for word in words).rounded(), line.text)
    value: str | None = text
    if name in DATES:
        value = _iso(text, order)
    elif name == "sex":
        letter = folded(text)
        value = next((sex for sex, spelt in SEXES.items() if letter in spelt), None) if not (letter == "m" and language == "es") else None
    return Field(text, value, evidence, 0.95 if value else 0.6)


def _order(texts: Iterable[str], language: str) -> str:
    """'dmy' or 'mdy' where the dates of the document or its language show it, else ''."""
    pairs = [(int(found[1]), int(found[2]), "." in found[0]) for text in texts if (found := _DATE.search(text)) and len(found[1]) < 3]
    if any(first > 12 or dotted for first, _, dotted in pairs) and not any(second > 12 for _, second, _ in pairs):
        return "dmy"
    if any(second > 12 for _, second, _ in pairs) and not any(first > 12 for first, _, _ in pairs):
        return "mdy"
    return "dmy" if language in ("es", "de", "fr", "pt", "it", "nl") else ""


def _iso(text: str, order: str) -> str | None:
    """An ISO date, with the time where one is printed; None where day and month could be either."""
    found = _DATE.search(text)
    if not found:
        return None
    first, second, third = found[1], found[2], found[3]
    if len(first) == 4:
        year, month, day = first, second, third
    elif len(third) == 4 and (order or first == second):
        year, month, day = (third, second, first) if order != "mdy" else (third, first, second)
    else:
        return None
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    time = f"T{int(found[4]):02}:{found[5]}" if found[4] else ""
    return f"{year}-{int(month):02}-{int(day):02}{time}"
