"""The step `replace`."""

from __future__ import annotations

import re

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, step
from transforms.declaration.patterns import Pattern
from transforms.document import HL7, Document
from transforms.errors import OptionError
from transforms.hl7.escapes import escape, unescape
from transforms.hl7.readers import FieldPath, places
from transforms.pipeline import Action


@step("replace")
@dataclass(frozen=True)
class Replace:
    """Replace what a regular expression finds in a field; `OBX[*]-5[*]` reaches every OBX and repetition.

    It works on plain text, so name the component where a field has several.
    """

    takes = gives = HL7
    field: FieldPath = option("Which field, component or subcomponent.")
    pattern: Pattern = option("A regular expression.")
    replacement: str = option(r"What to write instead; \1 stands for the first group.", alias="with")

    def prepare(self, resources: Resources) -> Action:
        pattern, replacement = re.compile(self.pattern), self.replacement
        try:
            pattern.sub(replacement, "")  # looks at the replacement, whether it finds something or not
        except (re.error, IndexError) as error:
            raise OptionError("with", "pattern", f"`with` does not go with the pattern: {error}.") from None

        def run(document: Document) -> Document:
            message = document.body
            delimiters, encoding = message.delimiters, message.encoding
            for place, raw in list(places(message, self.field)):
                before = unescape(raw, delimiters, encoding)
                after = pattern.sub(replacement, before)
                if after != before:
                    message = message.replace(str(place), escape(after, delimiters), escaped=True)
            return document if message is document.body else document.with_body(message)

        return run
