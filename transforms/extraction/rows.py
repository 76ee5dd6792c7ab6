"""From lines to results: heads of columns, rows with or without them, `name: value unit (range)`, blocks of labels.

A row needs a name and a value, and something that makes it a result: a unit, a range, a flag, a word such as
"negative", or a head above it that says so.  A line of prose, an invoice or an address has none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from transforms.extraction.page import Cell, Line, Word
from transforms.extraction.tokens import Kind, Token, tokens
from transforms.extraction.vocabulary import HEADINGS, HEADS, LABELS, LONGEST, folded

VALUES = (Kind.QUANTITY, Kind.TITRE, Kind.WORD)
GROUPS = frozenset("a b ab o 0".split())
LONGEST_NAME, LONGEST_TEXT, LONGEST_UNIT = 70, 40, 16
MARGIN = re.compile(
    r"^(?:phone|tel|t\u00e9l|fax)\b|www\.|\b(?:page|p\u00e1gina|pagina|seite|p\u00e1g\.?)\s*:?\s*\d+\s*(?:of|de|von|di|sur|van|/)\s*\d",
    re.IGNORECASE,
)
"""Lines of a margin: addresses and numbers of pages."""


@dataclass(frozen=True)
class Row:
    """A result as its tokens."""

    name: tuple[Word, ...]
    value: Token
    unit: Token | None
    range: Token | None
    flag: Token | None
    line: Line
    section: str
    headed: bool

    @property
    def name_text(self) -> str:
        return " ".join(word.text for word in self.name).rstrip(" :=")


@dataclass(frozen=True)
class Head:
    """Columns of a table: (role, left, right)."""

    columns: tuple[tuple[str, float, float], ...]

    def role(self, left: float, right: float) -> str:
        """The role of the column that is nearest."""
        middle = (left + right) / 2
        return min(self.columns, key=lambda each: (max(each[1] - right, left - each[2], 0), abs((each[1] + each[2]) / 2 - middle)))[0]


def head_of(line: Line) -> Head | None:
    """The columns, where a line is a head of a table."""
    columns: list[tuple[str, float, float]] = []
    words, at = line.words, 0
    while at < len(words):
        for length in range(min(LONGEST, len(words) - at), 0, -1):
            role = HEADS.get(folded(" ".join(word.text for word in words[at : at + length])))
            if role:
                columns.append((role[0], words[at].box.left, words[at + length - 1].box.right))
                break
        else:
            length = 1
            if tokens(words[at : at + 1])[0].kind is Kind.DATE:
                columns.append(("date", words[at].box.left, words[at].box.right))
            elif len(columns) == 0 and at > 2:
                return None
        at += length
    roles = [role for role, _, _ in columns]
    if "value" not in roles and "date" in roles:
        columns[roles.index("date")] = ("value", *columns[roles.index("date")][1:])
        roles[roles.index("date")] = "value"
    known = {role for role in roles if role != "date"}
    return Head(tuple(columns)) if "value" in known and len(known) > 1 and len(columns) * 3 >= len(words) else None


def rows(found: Sequence[Line], head: Head | None) -> tuple[list[Row], Head | None]:
    """The results among lines that stand below each other, and the head that is in force after them."""
    made: list[Row] = []
    section, waiting = "", None
    for line in found:
        if new := head_of(line):
            head, waiting = new, None
            continue
        row = row_of(line, head, section)
        if row is None and waiting is not None:
            row = _below(waiting, line, head, section)
        if row is not None:
            made.append(row)
            waiting = None
        elif made and _detail(made[-1], line):
            made[-1] = _with_detail(made[-1], line)
        elif folded(line.cells[0].text) in HEADINGS:
            section, waiting = line.cells[0].text, None
        elif made and _continues(made[-1], line):
            made[-1] = replace(made[-1], name=(*made[-1].name, *line.words))
        else:
            waiting = line if len(line.cells) == 1 and len(line.text) < LONGEST_NAME else None
    return made, head


def row_of(line: Line, head: Head | None, section: str) -> Row | None:
    """A line as a result, None where it is none."""
    if MARGIN.search(line.text) or _says_who(line):
        return None
    for name, rest in _divisions(line, head):
        row = _parsed(name, rest, line, head, section)
        if row is not None and _holds(row):
            return row
    return None


def _says_who(line: Line) -> bool:
    """Whether a cell begins with a label of the patient or the report."""
    for cell in line.cells:
        before, colon, _ = cell.text.partition(":")
        names = LABELS.get(folded(before if colon else cell.text), ())
        starts = (folded(" ".join(word.text for word in cell.words[:end])) for end in range(min(LONGEST, len(cell.words)), 1, -1))
        long = next((LABELS[start] for start in starts if start in LABELS), ())
        if set(names or long) - {"specimen"}:
            return True
    return False


def _divisions(line: Line, head: Head | None) -> list[tuple[tuple[Word, ...], list[Token]]]:
    """Ways to cut a line into a name and the rest: at gaps first, then at a colon, then inside the words."""
    words = line.words
    ways = list(accumulate(len(cell.words) for cell in line.cells[:-1]))
    inside = [at for at in range(1, min(len(words), 10)) if at not in ways]
    colons = [at for at in inside if words[at - 1].text.endswith((":", "=")) or words[at].text == "="]
    ways += colons + [at for at in inside if at not in colons]
    return [(tuple(words[:at]), [each for each in tokens(words[at:]) if each.text not in (":", "=")]) for at in ways if _named(words[:at])]


def _named(words: Sequence[Word]) -> bool:
    text = " ".join(word.text for word in words)
    key = folded(text)
    return (
        any(each.isalpha() for each in text)
        and len(text) <= LONGEST_NAME
        and not set(LABELS.get(key, ())) - {"specimen"}
        and not (key in HEADS and set(HEADS[key]) - {"test"})
    )


def _parsed(name: tuple[Word, ...], rest: list[Token], line: Line, head: Head | None, section: str) -> Row | None:
    held: dict[str, Token] = {}
    for index, token in enumerate(rest):
        slot = _slot(token, rest[index + 1 :], held, head, name)
        if slot == "no":
            return None
        if slot and slot not in held:
            held[slot] = token
    if "value" not in held or any(_prose(token, head) for token in rest if token not in held.values()):
        return None
    if head is None and len({token.text for token in rest if token.kind is Kind.UNIT}) > 1:
        return None
    if held["value"].kind is Kind.TEXT and not any(cell.words[0].box == held["value"].words[0].box for cell in line.cells[1:]):
        return None
    return Row(name, held["value"], held.get("unit"), held.get("range"), held.get("flag"), line, section, head is not None)


def _prose(token: Token, head: Head | None) -> bool:
    role = head.role(token.box.left, token.box.right) if head else ""
    return token.kind is Kind.TEXT and len(token.words) > 3 and role not in ("previous", "method")


def _slot(token: Token, after: list[Token], held: dict[str, Token], head: Head | None, name: tuple[Word, ...]) -> str:
    """Where a token belongs: value, unit, range, flag; '' where it is left out, 'no' where the line is no row."""
    role = head.role(token.box.left, token.box.right) if head else ""
    if role in ("previous", "method", "date"):
        return ""
    if token.kind in (Kind.RANGE, Kind.UNIT):
        if "value" not in held and head is None:
            return "no"
        return "range" if token.kind is Kind.RANGE else "unit"
    if token.kind is Kind.FLAG:
        number_follows = any(each.kind is Kind.QUANTITY for each in after)
        if "value" in held or number_follows:
            return "flag"
        return "value" if token.text in ("+", "(+)") or (role == "value" and folded(token.text) in GROUPS) else "flag" if head else "no"
    if token.kind in VALUES:
        if role == "range":
            return "range"
        if "value" not in held:
            return "value"
        return "range" if token.text[0] in "<>\u2264\u2265" or token.kind is Kind.WORD else ""
    return _text_slot(token, held, role, head, name)


def _text_slot(token: Token, held: dict[str, Token], role: str, head: Head | None, name: tuple[Word, ...]) -> str:
    if "value" in held:
        may_be = role == "unit" or (head is None and len(token.words) == 1)
        return "unit" if may_be and len(token.text) < LONGEST_UNIT and token.kind is Kind.TEXT else ""
    if role == "unit" and token.kind is Kind.TEXT and len(token.text) < LONGEST_UNIT:
        return "unit"
    short = len(token.text) <= LONGEST_TEXT and ":" not in token.text and not token.text.endswith(".")
    if head and role == "value" and short and not name[-1].text.endswith(":"):
        return "value" if token.kind is Kind.TEXT and token.box.left - name[-1].box.right > 4 else "no"
    return "no"


def _holds(row: Row) -> bool:
    """Whether it is a result and no line that only looks like one."""
    apart = row.value.box.left - row.name[-1].box.right > 0.6 * row.name[-1].box.height or row.name[-1].text.endswith((":", "="))
    if row.headed and apart:
        return True
    unit_known = row.unit is not None and row.unit.kind is Kind.UNIT
    if row.value.kind is Kind.QUANTITY:
        return (row.range is not None and (apart or unit_known)) or unit_known and (apart or len(row.name) < 5)
    return apart


def _below(waiting: Line, line: Line, head: Head | None, section: str) -> Row | None:
    """A name on a line of its own, and the value with unit or range on the next, perhaps after a label."""
    words = line.words
    key = folded(" ".join(word.text for word in words[:1]))
    start = 1 if "value" in HEADS.get(key, ()) else 0
    rest = [each for each in tokens(words[start:]) if each.text != ":"]
    if not rest or rest[0].kind not in VALUES or line.box.top - waiting.box.bottom > 1.2 * line.box.height or not _named(waiting.words):
        return None
    row = _parsed(tuple(waiting.words), rest, line, None, section)
    return row if row and (start or row.unit or row.range) else None


def _detail(row: Row, line: Line) -> bool:
    """`Reference: 70-100`, `Unit: mg/dL`, `Flag: H` below a result that lacks it."""
    roles = HEADS.get(folded(line.text.partition(":")[0]), ()) if ":" in line.text else ()
    return bool(roles) and roles[0] in ("range", "unit", "flag") and getattr(row, roles[0]) is None


def _with_detail(row: Row, line: Line) -> Row:
    role = HEADS[folded(line.text.partition(":")[0])][0]
    label = next((at for at, word in enumerate(line.words, 1) if ":" in word.text), 0)
    kinds = (Kind.RANGE, Kind.UNIT, Kind.FLAG, Kind.QUANTITY, Kind.WORD)
    found = next((each for each in tokens(line.words[label:]) if each.kind in kinds), None)
    return replace(row, **{role: found}) if found else row


def _continues(row: Row, line: Line) -> bool:
    """The rest of a name that did not fit: below it, at its edge or a little to the right, in lower case or brackets."""
    first: Cell = line.cells[0]
    near = line.box.top - row.line.box.bottom < 0.4 * line.box.height and abs(first.box.left - row.name[0].box.left) < 12
    goes_on = (first.text[0].islower() or first.text[0] == "(") and not first.text.endswith(".")
    return near and goes_on and len(line.cells) == 1 and len(first.words) < 5
