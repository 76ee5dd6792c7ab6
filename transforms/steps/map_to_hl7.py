"""Translate results in FHIR to an HL7 v2 message, with the maps of the package and the site run backwards."""

from __future__ import annotations

from collections.abc import Callable

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, step
from transforms.document import FHIR_JSON, HL7, Document
from transforms.errors import ErrorCode, MessageError
from transforms.mapping.backward.to_hl7 import Header, ToHl7
from transforms.mapping.library import Library


@step("map_to_hl7")
@dataclass(frozen=True)
class MapToHl7:
    """Turn a Bundle of DiagnosticReports into one HL7 v2 message, ORU^R01 of version 2.5.1; what the message does not carry is left over."""

    takes, gives = FHIR_JSON, HL7
    application: str = option("MSH-3, where the Bundle's Provenance names no application.", default="")
    facility: str = option("MSH-4, where the Bundle's Provenance names no author.", default="")
    receiving_application: str = option("MSH-5.", default="")
    receiving_facility: str = option("MSH-6.", default="")
    processing: str = option("MSH-11: P in production, T in training, D in debugging.", default="P", pattern="^[PTD]$")

    def prepare(self, resources: Resources) -> Callable[[Document], Document]:
        """The step over a site's maps.  Raises ConfigurationError with every problem of the maps."""
        library = Library.load(resources.maps, resources.files)
        header = Header(self.application, self.facility, self.receiving_application, self.receiving_facility, self.processing)
        write = ToHl7(library, header)

        def map_to_hl7(document: Document) -> Document:
            if document.media_type != FHIR_JSON or not isinstance(document.body, dict):
                raise MessageError(ErrorCode.INTERNAL, "Bundle", f"map_to_hl7 takes {FHIR_JSON}, not {document.media_type}", origin="map_to_hl7")
            written = write(document.body, document.context)
            return Document(HL7, written.message, document.context, leftover=written.left, notes=document.notes)

        return map_to_hl7
