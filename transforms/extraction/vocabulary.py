"""The words of laboratory reports in seven languages: labels, column heads, units, flags, words for results, headings.

`data/*.csv` were written for this project.  Words are compared without accents, case and punctuation; units as printed.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from functools import lru_cache
from importlib.resources import files


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files("transforms.extraction").joinpath(f"data/{name}.csv").read_text("utf-8").splitlines()))


@lru_cache(20_000)
def folded(text: str) -> str:
    """Lower case without accents; what is no letter or digit becomes one blank."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("º", "o").replace("°", "o"))
    return re.sub(r"[^a-z0-9]+", " ", "".join(each for each in plain.lower() if not unicodedata.combining(each))).strip()


def _labels(columns: bool) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in _rows("labels"):
        key = folded(row["label"])
        if key and row["field"].startswith("col_") == columns and row["field"] not in found.get(key, ()):
            found[key] = (*found.get(key, ()), row["field"].removeprefix("col_"))
    return found


LABELS = _labels(columns=False)
"""Folded label -> fields it may stand for: patient_name, birth_date, accession ..."""
HEADS = _labels(columns=True)
"""Folded column head -> test, value, unit, range, flag, previous, method."""
FLAGS = {row["flag"]: row["interpretation"] for row in _rows("flags")}
_FLAGS_FOLDED = {folded(flag): code for flag, code in FLAGS.items() if len(folded(flag)) > 2}
WORDS = {folded(row["word"]): row["canonical"] for row in _rows("words") if any(each.isalpha() for each in row["word"])}
HEADINGS = frozenset(folded(row["heading"]) for row in _rows("sections"))
UNITS = frozenset(row["spelling"].replace("\u03bc", "\u00b5").replace(" ", "") for row in _rows("units"))
_UNITS_LOWER = frozenset(unit.lower() for unit in UNITS)
LONGEST = 6  # words of a label

_AMOUNT = (
    r"(?:[kdcm\u00b5unpf]?(?:g|gr|l|mol|eq|val|kat|iu|ui|u|ie|ku)"
    r"|mcg|mil|miles|mill|milj\.?|giga|tera|t|g|k|m|%|cel\w*|copies|kopien)"
)
_UNIT = re.compile(
    rf"(?:x?10(?:\^|\*|e|exp|\*\*)?[+-]?\d{{1,2}}|x?10[\u00b9\u00b2\u00b3\u2070-\u2079]+|x?1[.,]000|{_AMOUNT})?"
    r"/(?:\d*[.,]?\d*\s?)?(?:[kdcm\u00b5unpf]?[lg]|gr|mm[3\u00b3]|cmm|h|hr|d|24h|min|mmol|mol"
    r"|hpf|lpf|campo|champ|feld|gf|100\s?wbc|leu\w*|ml?)"
    r"(?:/[\w.,\u00b2^]+)*\.?",
    re.IGNORECASE,
)


@lru_cache(20_000)
def is_unit(text: str) -> bool:
    """Whether `text` is a unit as laboratories spell them."""
    spelt = text.replace(" ", "")
    return spelt in UNITS or (len(spelt) > 2 and spelt.lower() in _UNITS_LOWER) or (len(spelt) < 25 and bool(_UNIT.fullmatch(spelt)))


def flag_of(text: str) -> str:
    """The interpretation that a flag stands for, '' where it is none."""
    return FLAGS.get(text) or FLAGS.get(text.strip("()[]")) or _FLAGS_FOLDED.get(folded(text), "")


def language_of(texts: list[str]) -> str:
    """The language whose labels, heads and headings the document uses most, '' where none is ahead."""
    votes: dict[str, int] = {}
    words = {folded(text) for text in texts}
    for text in texts:
        head, _, _ = text.partition(":")
        words.add(folded(head))
    for name, column in (("labels", "label"), ("sections", "heading")):
        for row in _rows(name):
            if folded(row[column]) in words:
                votes[row["language"]] = votes.get(row["language"], 0) + 1
    best = sorted(votes.items(), key=lambda each: -each[1])
    return best[0][0] if best and (len(best) == 1 or best[0][1] > best[1][1]) else ""
