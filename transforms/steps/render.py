"""The step `render`: text from a template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, step
from transforms.document import HL7, Document
from transforms.errors import ErrorCode, MessageError, OptionError
from transforms.pipeline import Action

_LONGEST = 16 * 2**20  # characters of output


@step("render")
@dataclass(frozen=True)
class Render:
    """Write text from a Jinja2 template, which sees `get('PID-5.1')` and `all('OBX-5')` of HL7, `resource` of FHIR.

    It runs in a sandbox: no code, no files, nothing that is not in the document; a name nobody set is an error.
    """

    template: str = option("The template.", min_length=1)
    media_type: str = option("What the text is.", default="text/plain")

    @property
    def gives(self) -> str:
        """The media type declared."""
        return self.media_type

    def prepare(self, resources: Resources) -> Action:
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
        try:
            template = environment.from_string(self.template)
        except TemplateSyntaxError as error:
            raise OptionError("template", "template", f"The template does not parse (its line {error.lineno}): {error.message}.") from None

        def run(document: Document) -> Document:
            try:
                text = "".join(_bounded(template.generate(_names(document))))
            except TemplateError as error:
                raise MessageError(ErrorCode.INTERNAL, "MSH", f"the template failed with {type(error).__name__}") from error
            return document.with_body(text, self.media_type)

        return run


def _names(document: Document) -> dict[str, Any]:
    """What a template may use."""
    body = document.body
    if document.media_type != HL7:
        return {"resource": body}
    return {"get": lambda path: body.get(path) or "", "all": body.all}


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    left = _LONGEST
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise MessageError(ErrorCode.VALUE_TOO_LONG, "MSH", f"the template wrote more than {_LONGEST // 2**20} Mi characters")
        yield piece
