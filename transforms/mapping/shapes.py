"""What the YAML of a map may say: keys and types of segment maps, message maps and tables.

The shapes are pydantic dataclasses, so that all problems come at once, each at its place.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as declaration

STRICT = ConfigDict(extra="forbid", populate_by_name=False)
Names = str | tuple[str, ...]


@declaration(frozen=True, config=STRICT)
class CaseShape:
    """One of a rule's `cases`."""

    when: Names = ()
    from_: Names = Field(default=(), alias="from")
    as_: str = Field(default="", alias="as")
    codes: str = ""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    const: Any = None
    each: bool | str = True
    wrap: Any = None
    lossy: str = ""


@declaration(frozen=True, config=STRICT)
class RuleShape:
    """One line of a segment map."""

    to: str = ""
    from_: Names = Field(default=(), alias="from")
    as_: str = Field(default="", alias="as")
    codes: str = ""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    const: Any = None
    choose: str = ""
    cases: tuple[CaseShape, ...] = ()
    when: Any = None
    each: bool | str = True
    with_each: Any = None
    wrap: Any = None
    required: bool = False
    drop: Names = ()
    why: str = ""
    name: str = ""
    lossy: str = ""


@declaration(frozen=True, config=STRICT)
class TestShape:
    """One example of a map: what a message gives."""

    given: Names
    expect: Any = None
    name: str = ""
    leftover: tuple[str, ...] | None = None
    notes: tuple[str, ...] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    identity: dict[str, Any] = Field(default_factory=dict)
    timezone: str = ""
    more: bool = False

    __test__ = False


@declaration(frozen=True, config=STRICT)
class WaiverShape:
    """Rows of the guide that a map does not follow, and why; `by`: the map that does it instead."""

    row: str
    why: str
    by: str = ""


@declaration(frozen=True, config=STRICT)
class SegmentMapShape:
    """A file under `maps/segments`."""

    map: str
    segment: str = ""
    resource: str = ""
    within: str = ""
    follows: str = ""
    extends: str = ""
    waived: tuple[WaiverShape, ...] = ()
    rules: tuple[RuleShape, ...] = ()
    tests: tuple[TestShape, ...] = ()


@declaration(frozen=True, config=STRICT)
class MakeShape:
    """One of a message map's `resources`."""

    make: str
    at: Names = ()
    each: Names = ()
    with_: Names = Field(default=(), alias="with")
    with_if_only: Names = ()
    link: dict[str, str] = Field(default_factory=dict)
    when: Any = None
    identify: Any = ""
    verb: str = ""
    into: str = ""
    wrap: Any = None
    needs: Names = ()
    contain_in: tuple[str, ...] | None = None
    repeat: str = ""
    lines: str = ""
    if_none: bool = False


@declaration(frozen=True, config=STRICT)
class MessageMapShape:
    """A file under `maps/messages`."""

    map: str
    messages: tuple[str, ...] = ()
    arrange: str = ""
    part: str = ""
    patient: Literal["required", "optional"] = "required"
    follows: str = ""
    extends: str = ""
    without: tuple[str, ...] = ()
    waived: tuple[WaiverShape, ...] = ()
    resources: tuple[MakeShape, ...] = ()
    drop: tuple[str, ...] = ()
    tests: tuple[TestShape, ...] = ()


@declaration(frozen=True, config=STRICT)
class TableShape:
    """A file under `maps/tables`."""

    table: str
    codes: dict[str, Any] = Field(default_factory=dict)
    of: str = ""  # the codes of an HL7 table, or a concept map of `terminology`
    otherwise: Any = None
    system: str = ""
    displays: dict[str, str] = Field(default_factory=dict)
    follows: str = ""
    extends: str = ""
    waived: tuple[WaiverShape, ...] = ()
