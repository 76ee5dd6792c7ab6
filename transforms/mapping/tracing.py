"""What generated code that traces says as it writes: of each store the element, the rule and the fields; of a `drop` the field."""

from __future__ import annotations

from transforms.mapping.conversion import Conversion, Line
from transforms.mapping.references import Shared

Places = tuple[tuple[int, int], ...]
"""Positions of segments with the numbers of fields."""


def trace_shared(conversion: Conversion, shared: Shared | list[Shared], line: Line, places: Places) -> None:
    """Note that a rule made resources that are referred to."""
    for each in shared if isinstance(shared, list) else [shared]:
        resource = each.entry["resource"] if each.entry else each.contained
        if resource is not None:
            conversion.trace.append((resource, None, None, line, places))
        trace_shared(conversion, list(each.inner), line, places)
