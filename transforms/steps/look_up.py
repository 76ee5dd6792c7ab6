"""The step `look_up`: a standard code beside the sender's own, from the site's table."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, step
from transforms.declaration.suggestions import did_you_mean
from transforms.document import HL7, Document, Note
from transforms.errors import ErrorCode, MessageError, OptionError
from transforms.hl7.delimiters import Delimiters
from transforms.hl7.editing import edited, joined
from transforms.hl7.escapes import escape, unescape
from transforms.hl7.message import NULL, Message
from transforms.hl7.path import parse_path
from transforms.hl7.readers import FieldPath
from transforms.pipeline import Action

CODING_SYSTEMS = {"loinc": "LN", "snomed": "SCT", "ucum": "UCUM", "icd10": "I10", "icd10cm": "I10C", "icd9cm": "I9C", "atc": "ATC"}
"""Names people use -> HL7 table 0396; anything else is written as it stands."""

_FREE = ((3, 6), (9, 12))
"""Where a coding may be added: CE and CWE components 4 to 6, and CWE's second alternate, 10 to 12."""

NOT_THERE, NO_ROOM = "not_in_table", "no_room"
_REMEMBERED, _KINDS = 10_000, 50

Added = tuple[str, str]
"""A repetition's new text, and why nothing was added to it (empty: something was, or nothing is wanted)."""

Table = Mapping[tuple[str, str], tuple[str, str]]
"""(code, coding system or '') -> (code, display)."""


@step("look_up")
@dataclass(frozen=True)
class LookUp:
    """Add a coding to a coded field (CE, CWE), looked up in `terminology/TABLE.csv` by the sender's own code.

    The sender's code, text and system (components 1 to 3) are never touched, so identity keys stay what they were; the coding
    goes to components 4 to 6, or, where the sender has an alternate of their own there, to 10 to 12.  Where both are taken
    nothing is written, and a note says so.  Every segment of the name and every repetition is looked up.  A display that the
    message's character set (MSH-18) cannot say is left out.

    The table has the columns `code,to,display` and, where one code means different things, `system` (component 3).
    """

    takes = gives = HL7
    field: FieldPath = option("Which coded field, such as OBX-3.")
    table: str = option("The table's name: `lab_codes` is terminology/lab_codes.csv.")
    to: str = option("The coding system of the codes that are added: loinc, snomed, ucum … or a code of HL7 table 0396.")
    when_missing: Literal["keep", "note", "error"] = option("A code the table does not have: leave it, say so, or refuse.", default="keep")

    def prepare(self, resources: Resources) -> Action:
        path = parse_path(self.field)
        if path.component:
            raise OptionError("field", "field_path", "`field` is a whole coded field, such as OBX-3: the coding goes into its components.")
        if self.table not in resources.tables:
            meant = did_you_mean(self.table, resources.tables)
            raise OptionError("table", "unknown_table", f"There is no table terminology/{self.table}.csv{meant}.")
        adding = _Adding(read_table(resources.tables[self.table], self.table), CODING_SYSTEMS.get(self.to.lower(), self.to))

        def run(document: Document) -> Document:
            message, notes, texts = document.body, [], {}
            segments = message.each(path.segment) if path.occurrence <= 0 else message.chosen(path)
            add = adding.for_messages_like(message)
            for segment in segments:
                before = segment.raw(path.field)
                after = []
                for repetition in segment.repetitions(path.field):
                    text, outcome = add(repetition)
                    after.append(text)
                    if outcome:
                        self._tell(outcome, f"{segment.place}-{path.field}", notes)
                field = message.delimiters.repetition.join(after)
                if field != before:
                    fields = segment.fields.copy()
                    fields[path.field] = field
                    texts[segment.position] = joined(segment, fields)
            document = document.with_notes(*notes)
            return document.with_body(edited(message, texts)) if texts else document

        return run

    def _tell(self, outcome: str, place: str, notes: list[Note]) -> None:
        if outcome == NO_ROOM:
            notes.append(Note(NO_ROOM, place, "The coded field has two alternates already; no coding was added."))
        elif self.when_missing == "error":
            raise MessageError(ErrorCode.TABLE_VALUE, f"{place}.1", f"the code is not in table {self.table}")
        elif self.when_missing == "note":
            notes.append(Note(NOT_THERE, f"{place}.1", f"The code is not in table {self.table}."))


class _Adding:
    """Adds a coding to the text of a field's repetition.  The same few codes come all day: what was made is remembered."""

    def __init__(self, table: Table, system: str) -> None:
        self._table, self._system = table, system
        self._known: dict[tuple[Delimiters, str], dict[str, Added]] = {}

    def for_messages_like(self, message: Message) -> Callable[[str], Added]:
        """What adds, for messages with these delimiters and this character set."""
        delimiters, encoding = message.delimiters, message.encoding
        if len(self._known) > _KINDS:
            self._known.clear()
        known = self._known.setdefault((delimiters, encoding), {})

        def add(text: str) -> Added:
            added = known.get(text)
            if added is None:
                if len(known) >= _REMEMBERED:
                    known.clear()
                added = known[text] = self._added(text, delimiters, encoding)
            return added

        return add

    def _added(self, text: str, delimiters: Delimiters, encoding: str) -> Added:
        components = text.split(delimiters.component)
        code, known_as = (unescape(part, delimiters) for part in (components[0], components[2] if len(components) > 2 else ""))
        found = self._table.get((code, known_as)) or self._table.get((code, ""))
        if found is None:
            return text, NOT_THERE if code and code != NULL else ""
        target, display = escape(found[0], delimiters), escape(_sayable(found[1], encoding), delimiters)
        for start, end in _FREE:
            components += [""] * (end - len(components))
            if (components[start], components[start + 2]) == (target, self._system):
                return text, ""  # there already
            if not any(components[start:end]):
                components[start:end] = target, display, self._system
                return delimiters.component.join(components), ""
        return text, NO_ROOM


def _sayable(display: str, encoding: str) -> str:
    """A display that the message's character set has; else none, for the code is what counts."""
    try:
        display.encode(encoding)
    except UnicodeEncodeError:
        return ""
    return display


def read_table(text: str, name: str) -> Table:
    """A look-up table out of CSV text.  Raises OptionError, saying which line is wrong."""
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True, restkey="", restval="")
    columns = [each.strip() for each in rows.fieldnames or ()]
    if not {"code", "to"} <= set(columns):
        raise OptionError("table", "table", f"terminology/{name}.csv has no header line with the columns code, to and display.")
    rows.fieldnames = columns
    table: dict[tuple[str, str], tuple[str, str]] = {}
    for row in rows:
        code, system, to = (row.get(each, "").strip() for each in ("code", "system", "to"))
        if not code or not to:
            raise OptionError("table", "table", f"terminology/{name}.csv, line {rows.line_num}: `code` or `to` is empty.")
        if (code, system) in table:
            raise OptionError("table", "table", f"terminology/{name}.csv, line {rows.line_num}: this code stands there already.")
        table[code, system] = (to, row.get("display", "").strip())
    return table
