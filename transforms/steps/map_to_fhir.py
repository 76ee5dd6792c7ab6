"""Translate an HL7 v2 message to FHIR with the maps of the package and the site."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, step
from transforms.document import FHIR_JSON, HL7, Document
from transforms.errors import ConfigurationError, ErrorCode, MessageError, Problem
from transforms.hl7.message import Message
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions
from transforms.mapping.received import named_as_received


@step("map_to_fhir")
@dataclass(frozen=True)
class MapToFhir:
    """Turn an HL7 v2 message into a FHIR transaction Bundle, by a map."""

    takes, gives = HL7, FHIR_JSON
    map: str = option("Message map, such as ORU_R01; auto: the one for the message's structure.", default="auto")
    options: MapOptions = option("What the message does not say and the map must know.", default=MapOptions())

    def prepare(self, resources: Resources) -> Callable[[Document], Document]:
        """The step over a site's maps.  Raises ConfigurationError with every problem of the maps."""
        library = Library.load(resources.maps, resources.files)
        if self.map != "auto" and library.named(self.map) not in library.message_maps:
            known = ", ".join(["auto", *library.message_maps])
            raise ConfigurationError((Problem("", 0, 0, "unknown_map", f"There is no message map `{self.map}`; there are {known}."),))
        convert = library.converter(self.map, self.options)

        def map_to_fhir(document: Document) -> Document:
            message = document.body
            if document.media_type != HL7 or not isinstance(message, Message):
                raise MessageError(ErrorCode.INTERNAL, "MSH", f"map_to_fhir takes {HL7}, not {document.media_type}", origin="map_to_fhir")
            original, chosen = document.original, convert.of(message)
            converted = chosen(message, document.context, original)
            if original is not None:
                as_received = partial(convert, context=document.context)
                converted = named_as_received(converted, message, original, as_received, chosen.module.keyed)
            notes = (*document.notes, *converted.notes) if document.notes else converted.notes
            return Document(FHIR_JSON, converted.bundle, document.context, converted.parts, converted.leftover, notes, document.original)

        return map_to_fhir
