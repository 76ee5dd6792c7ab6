"""Units of measure: when a unit may be given a UCUM code, and which.

A unit gets a code only where that is certain: the sender says it is UCUM and it parses; the sender says ISO+ and the
unit is in HL7's table of those; or nothing is said and the spelling is UCUM that a laboratory can only mean as such.
`K/uL`, `G/L` or `pH` parse as UCUM and mean kelvins, gausses and picohenries there: without the sender's word
they stay text.

`data/ucum_atoms.csv` lists the unit symbols of UCUM 2.2 (case-sensitive), whether prefixes are allowed, and whether a
laboratory's spelling may be taken at its word; `data/iso_plus.csv` HL7's ISO+ units (source: ConceptMap v2-ucum-units of
IZGateway/v2tofhir, MIT; rows whose UCUM side does not parse or means something else were left out).
"""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from importlib.resources import files

UNITS_KEPT = 20_000
"""How many spellings are remembered; units come from small vocabularies, free text does not."""

_PREFIXES = frozenset("Y Z E P T G M k h da d c m u n p f a z y Ki Mi Gi Ti".split())
_LABORATORY_PREFIXES = frozenset("k h d c m u n p f a".split())
_TOKEN = re.compile(r"[./()]|\{[!-z|~]*\}|[^./(){}]+")
_FACTOR = re.compile(r"[1-9][0-9]*")
_SIMPLE = re.compile(r"(10[*^]|.*?[^0-9+-])([+-]?[1-9][0-9]*)?")


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files("transforms.terminology").joinpath(f"data/{name}.csv").read_text("utf-8").splitlines()))


_ATOMS = {row["code"]: (row["metric"] == "yes", row["laboratory"] == "yes") for row in _rows("ucum_atoms")}
_ISO_PLUS = {row["unit"].upper(): row["ucum"] for row in _rows("iso_plus")}
_ISO_NAMES = frozenset(("ISO+", "ANS+"))
_SPELLING = str.maketrans({"\u00b5": "u", "\u03bc": "u"})  # both micro signs: nothing else they could mean


@lru_cache(UNITS_KEPT)
def is_ucum(code: str) -> bool:
    """Whether `code` is a unit in UCUM's case-sensitive grammar."""
    return _Grammar(code, laboratory=False).holds()


@lru_cache(UNITS_KEPT)
def is_plain(code: str) -> bool:
    """Whether `code` is UCUM, and made of units that laboratories spell so and mean so."""
    return _Grammar(code, laboratory=True).holds()


@lru_cache(UNITS_KEPT)
def code_of(spelling: str, system: str = "") -> str:
    """The UCUM code of a unit as a sender spells it, '' where none is certain.

    `system` is what the sender says the spelling is from: `UCUM`, `ISO+`, or '' for nothing.
    """
    if system == "UCUM":
        return spelling if is_ucum(spelling) else ""
    if system.upper() in _ISO_NAMES:
        return _ISO_PLUS.get(spelling.upper(), "")
    if system:
        return ""
    spelling = spelling.translate(_SPELLING)
    return spelling if is_plain(spelling) else ""


class _Grammar:
    """One pass over a unit: terms, products, quotients, brackets, exponents, annotations.  Remembers whether a unit was named."""

    def __init__(self, code: str, laboratory: bool) -> None:
        self.tokens = _tokens(code)
        self.place = 0
        self.laboratory = laboratory
        self.named = False

    def holds(self) -> bool:
        return bool(self.tokens) and self._term() and self.place == len(self.tokens) and (self.named or not self.laboratory)

    def _next(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def _term(self) -> bool:
        if self._next() == "/":
            self.place += 1
        if not self._component():
            return False
        while self._next() in (".", "/"):
            self.place += 1
            if not self._component():
                return False
        return True

    def _component(self) -> bool:
        token = self._next()
        if not token or token in "./)":
            return False
        self.place += 1
        if token == "(":
            good = self._term() and self._next() == ")"
            self.place += 1
            return good
        if token[0] == "{":
            self.named = True
            return True
        if not (_FACTOR.fullmatch(token) or self._unit(token)):
            return False
        if self._next()[:1] == "{":
            self.named = True
            self.place += 1
        return True

    def _unit(self, token: str) -> bool:
        match = _SIMPLE.fullmatch(token)
        if match is None:
            return False
        symbol = match[1]
        self.named = self.named or symbol not in ("10*", "10^")
        prefixes = _LABORATORY_PREFIXES if self.laboratory else _PREFIXES
        return self._atom(symbol) or any(
            symbol[:length] in prefixes and self._atom(symbol[length:], metric=True) for length in (1, 2) if length < len(symbol)
        )

    def _atom(self, symbol: str, metric: bool = False) -> bool:
        known = _ATOMS.get(symbol)
        return known is not None and (known[0] or not metric) and (known[1] or not self.laboratory)


def _tokens(code: str) -> list[str]:
    """The pieces of a unit; square brackets keep what is in them (`[m/s2/Hz^(1/2)]`).  Empty if something does not belong."""
    pieces: list[str] = []
    for outside, inside in re.findall(r"([^\[\]]*)(\[[^\[\]]*\])?", code):
        cut = _TOKEN.findall(outside)
        if "".join(cut) != outside:
            return []
        pieces += _joined(cut, inside, pieces)
    return pieces if "".join(pieces) == code else []


def _joined(cut: list[str], inside: str, before: list[str]) -> list[str]:
    """Join a bracketed symbol to its prefix before and its exponent after: `m` `[IU]`, `[in_i]` `2`."""
    if before and cut and before[-1][-1:] == "]" and cut[0] not in ("(", ")", ".", "/") and cut[0][0] != "{":
        before[-1] += cut.pop(0)
    if not inside:
        return cut
    if cut and cut[-1] not in ("(", ")", ".", "/") and cut[-1][0] != "{":
        return [*cut[:-1], cut[-1] + inside]
    if not cut and before and before[-1] not in ("(", ")", ".", "/") and before[-1][0] != "{":
        before[-1] += inside
        return []
    return [*cut, inside]
