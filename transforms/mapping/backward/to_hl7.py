"""A FHIR Bundle of results as an HL7 v2 message, and what of it the message does not carry.

What is carried is not claimed but found out: the message is converted by the same maps, and what does not come back is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from transforms.document import Context
from transforms.errors import ErrorCode, MessageError
from transforms.fhir.serialization import dumps
from transforms.hl7.message import Message, parse
from transforms.hl7.structures import PACKAGED, definition
from transforms.hl7.timestamps import parse_dtm, write_dtm
from transforms.mapping.backward.carried import not_carried
from transforms.mapping.backward.elements import Entries
from transforms.mapping.backward.functions.times import dtm
from transforms.mapping.backward.options import writable
from transforms.mapping.backward.results import Results
from transforms.mapping.backward.rows import Row, in_order
from transforms.mapping.backward.rules import Backwards
from transforms.mapping.backward.writing import VERSION, Writing
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions

STRUCTURE = "ORU_R01"
TYPES = ("transaction", "collection", "message", "batch")
LONGEST_ID = 199  # MSH-10, from 2.7 on; 2.5.1 has 20, which hardly any identifier of a Bundle is short enough for


@dataclass(frozen=True)
class Header:
    """What the message is to say of itself where the Bundle does not: HD of applications and facilities, P, T or D."""

    application: str = ""
    facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    processing: str = "P"


@dataclass(frozen=True)
class Written:
    """A message, and the FHIR paths of what it does not carry."""

    message: Message
    left: tuple[str, ...]


class ToHl7:
    """Writes results as ORU^R01 by the maps of a library."""

    def __init__(self, library: Library, header: Header = Header()) -> None:
        self._library, self._header = library, header
        self._backwards = Backwards(library.kit(MapOptions()), writable())
        part = definition(STRUCTURE, VERSION) or PACKAGED.structure(STRUCTURE).part  # type: ignore[union-attr]
        self._part = part
        self._read = library.converter(STRUCTURE)

    def __call__(self, bundle: Mapping[str, Any], context: Context) -> Written:
        """The message of a Bundle.  Raises MessageError where it holds no report, or is so malformed that it cannot be read."""
        entries = self._entries(bundle)
        try:
            return self._written(bundle, entries, context)
        except (TypeError, AttributeError, KeyError, ValueError) as error:  # an element that is not of its type
            why = f"an element is not what FHIR has there: {type(error).__name__}"
            raise MessageError(ErrorCode.INTERNAL, "Bundle", why, origin="map_to_hl7") from error

    def _written(self, bundle: Mapping[str, Any], entries: Entries, context: Context) -> Written:
        header = self._msh(bundle)
        results = Results(entries, self._backwards, self._library.segment_maps, Writing(context))
        results.begin(header)
        self._complete(header, bundle, context)
        results.writing = Writing(context, tuple(header.fields.get(number, [""])[0].partition("^")[0] for number in (3, 4)))  # type: ignore[arg-type]
        group = results.write()
        text = "".join(row.text + "\r" for row in in_order(self._part, group))
        message = parse(text.encode("utf-8"))
        back = self._read(message, replace(context, aliases=context.aliases)).bundle
        return Written(message, not_carried(entries, Entries(back)))

    def _entries(self, bundle: Mapping[str, Any]) -> Entries:
        if not isinstance(bundle, Mapping) or bundle.get("resourceType") != "Bundle" or bundle.get("type") not in TYPES:
            raise MessageError(ErrorCode.UNSUPPORTED_MESSAGE_TYPE, "Bundle", f"a Bundle of type {', '.join(TYPES)} is due here", origin="map_to_hl7")
        entries = Entries(bundle)
        if not entries.of_type("DiagnosticReport"):
            raise MessageError(ErrorCode.UNSUPPORTED_MESSAGE_TYPE, "Bundle", "there is no DiagnosticReport: only results become HL7", origin="map_to_hl7")
        return entries

    def _msh(self, bundle: Mapping[str, Any]) -> Row:
        """MSH with a number and a time of the Bundle's; a number is made of the Bundle where it has none."""
        number = str(bundle.get("identifier", {}).get("value", "")).strip()
        if not number or len(number) > LONGEST_ID:
            number = uuid5(NAMESPACE_OID, dumps(dict(bundle)).decode("utf-8")).hex[:20].upper()
        time = dtm(str(bundle.get("timestamp", "")))
        told = {
            2: "^~\\&", 7: time if parse_dtm(time) else "", 9: "ORU^R01^ORU_R01", 10: number.translate(_PLAIN), 12: VERSION, 18: "UNICODE UTF-8",
        }  # fmt: skip
        return Row("MSH", {place: [text] for place, text in told.items() if text})

    def _complete(self, header: Row, bundle: Mapping[str, Any], context: Context) -> None:
        """What the Bundle does not say of the message."""
        own = self._header
        said = {3: own.application, 4: own.facility, 5: own.receiving_application, 6: own.receiving_facility, 7: _moment(bundle, context), 11: own.processing}
        for place, text in said.items():
            if text:
                header.fields.setdefault(place, [text])


def _moment(bundle: Mapping[str, Any], context: Context) -> str:
    """When it was received; without the offset where some times are in no zone, which would else be read as being in this one."""
    unzoned = b"StructureDefinition/originalText" in dumps(dict(bundle))
    return write_dtm(context.received.replace(microsecond=0, tzinfo=None if unzoned else context.received.tzinfo))


_PLAIN = {ord(each): "_" for each in "|^~\\&\r\n"}
