"""What a site adds to HL7's grammar: Z-segments, fields of its own, structures of its own, declared in YAML.

Reading checks shape, each problem at its place; whether the places named exist is `structures`' to say.  A file that declares
stands among a site's maps, and has `segments:` or `structures:` at its top:

    segments:
      ZLR: { name: Laboratory Routing, after: OBR, in: ORDER_OBSERVATION, fields: { 2: { name: Laboratory, type: XON } } }
    structures:
      ORU_Z01: { extends: ORU_R01 }
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass as declaration
from pydantic_core import PydanticCustomError

from transforms.component import option
from transforms.declaration.building import FAILED, Builder
from transforms.declaration.lists import listed
from transforms.declaration.reading import Located, Path, read
from transforms.declaration.suggestions import did_you_mean
from transforms.errors import Problem
from transforms.hl7.grammar import parse_grammar

STRICT = ConfigDict(extra="forbid")
KEYS = ("segments", "structures")
DATATYPES = frozenset(
    "AD AUI CCD CCP CD CE CF CK CM CN CNE CNN CNS CP CQ CSU CWE CX DDI DIN DLD DLN DLT DR DT DTM DTN ED EI EIP ELD ERL FC FN FT GTS HD"
    " ICD ID IS JCC LA1 LA2 MA MO MOC MOP MSG NA NDL NM NR OCD OG OSD OSP PCF PI PIP PL PLN PN PPN PRL PT PTA QIP QSC RCD RFR RI RMC RP"
    " RPT SAD SCV SI SN SNM SPD SPS SRT ST TM TN TQ TS TX UVC VH VID VR WVI WVS XAD XCN XON XPN XTN".split()
)
_DECLARES = re.compile(r"^(segments|structures)\s*:", re.MULTILINE)
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_STRUCTURE = re.compile(r"[A-Z][A-Z0-9]{2}(_[A-Z0-9]{3})?")


def _datatype(name: str) -> str:
    if name and name not in DATATYPES:
        meant = {"meant": did_you_mean(name, DATATYPES)}
        raise PydanticCustomError("datatype", "should be a data type of HL7, such as CWE{meant}", meant)
    return name


Listed = Annotated[tuple[str, ...], BeforeValidator(listed)]


@declaration(frozen=True, config=STRICT)
class LocalField:
    """A field that a site gives a meaning."""

    name: str = option("What it is called, for people.", default="")
    type: Annotated[str, AfterValidator(_datatype)] = option("Its data type, such as CWE.", default="")

    shorthand = "name"


@declaration(frozen=True, config=STRICT)
class LocalSegment:
    """A segment that a site declares, or a standard one to which it adds fields."""

    name: str = option("What it is called, for people.", default="")
    after: str = option("The segment it stands behind; left out: it stays where it is, with the segment before it.", default="")
    within: str = Field(default="", alias="in", description="The group around it; default: every group in which `after` stands.")
    of: Listed = option("The structures it belongs to; default: all that have the place.", default=())
    repeats: bool = option("Whether it may stand several times in a row.", default=False)
    versions: Listed = option("Only in messages of these versions (MSH-12.1) its fields have these names; default: all.", default=())
    fields: dict[str, LocalField] = option("Its fields by number.", default_factory=dict)


@declaration(frozen=True, config=STRICT)
class LocalStructure:
    """A message structure of a site's own."""

    extends: str = option("The structure it is like; maps for that one are for this one too.", default="")
    events: Listed = option("Which messages have it, as MSH-9.1_MSH-9.2 or MSH-9.3; its own name is one.", default=())
    grammar: str = option("Its segments and groups: `MSH PID {ORDER(ORC [OBR] [{ZLR}])}`; default: those of `extends`.", default="")


@declaration(frozen=True, config=STRICT)
class _Declarations:
    """A file of declarations."""

    segments: dict[str, LocalSegment] = option("Segments by name.", default_factory=dict)
    structures: dict[str, LocalStructure] = option("Structures by name.", default_factory=dict)


@dataclass(frozen=True)
class Placed:
    """A declared segment or structure, and where the declaration stands."""

    name: str
    declared: LocalSegment | LocalStructure
    located: Located = field(repr=False, compare=False)
    path: Path = ()

    def problem(self, key: str, code: str, sentence: str) -> Problem:
        """Something wrong with one of its options."""
        return self.located.problem((*self.path, key), code, sentence)


@dataclass(frozen=True)
class Declared:
    """All that a site declares."""

    segments: tuple[Placed, ...] = ()
    structures: tuple[Placed, ...] = ()

    def __add__(self, other: Declared) -> Declared:
        return Declared(self.segments + other.segments, self.structures + other.structures)


NOTHING = Declared()


def declares(text: str) -> bool:
    """Whether a file among a site's maps declares, rather than maps."""
    return _DECLARES.search(text) is not None


def read_declarations(text: str, file: str, problems: list[Problem]) -> Declared:
    """What a file declares; `problems` gets what is wrong with it."""
    return declared(read(text, file), problems)


def read_all(texts: Mapping[str, str], paths: Mapping[str, str], problems: list[Problem]) -> Declared:
    """What all the files among a site's maps declare that do (file name -> text; `paths`: file name -> how problems name it)."""
    found = NOTHING
    for name, text in sorted(texts.items()):
        if declares(text):
            found += read_declarations(text, paths.get(name, name), problems)
    return found


def declared(located: Located, problems: list[Problem]) -> Declared:
    """What a file's values declare at their top; of a channel's file only that is looked at."""
    if isinstance(located.value, dict) and "channel" in located.value:
        located = replace(located, value={key: each for key, each in located.value.items() if key in KEYS}, problems=())
    builder = Builder(located, {})
    built = builder.build(_Declarations, located.value)
    if built is not FAILED:
        for name, segment in built.segments.items():
            _check_segment(builder, name, segment)
        for name, structure in built.structures.items():
            _check_structure(builder, name, structure)
    problems += builder.problems
    if built is FAILED or any(each.severity == "error" for each in builder.problems):
        return NOTHING
    segments = tuple(Placed(name, each, located, ("segments", name)) for name, each in built.segments.items())
    return Declared(segments, tuple(Placed(name, each, located, ("structures", name)) for name, each in built.structures.items()))


def _check_segment(builder: Builder, name: str, segment: LocalSegment) -> None:
    path: Path = ("segments", name)
    if not _SEGMENT.fullmatch(name):
        builder.report(path, "segment_name", f"`{name}` is no segment's name: a capital letter, and two more capitals or digits.", key=True)
    for number in segment.fields:
        if not re.fullmatch(r"[1-9][0-9]?", number):
            builder.report(
                (*path, "fields", number), "field_number", f"`{number}` is no field's number: they count from 1 to 99.", key=True
            )
    for key, said in (("in", segment.within), ("of", segment.of)):
        if said and not segment.after:
            builder.report((*path, key), "missing", f"`{key}` needs `after`: the segment behind which it stands.", key=True)


def _check_structure(builder: Builder, name: str, structure: LocalStructure) -> None:
    path: Path = ("structures", name)
    if not _STRUCTURE.fullmatch(name):
        builder.report(path, "structure_name", f"`{name}` is no structure's name, such as ORU_Z01.", key=True)
    if not structure.extends and not structure.grammar:
        builder.report(path, "missing", "A structure needs `extends` or `grammar`.", key=True)
    if structure.grammar:
        try:
            parts = parse_grammar(name, structure.grammar).parts
        except ValueError:
            builder.report(
                (*path, "grammar"), "grammar", "This is no grammar: `[ ]` optional, `{ }` repeats, `NAME( )` a group, `<A|B>` one of."
            )
        else:
            if not parts or parts[0].name != "MSH":
                builder.report((*path, "grammar"), "grammar", "A message begins with MSH.")


def fields_of(declarations: Declared, segment: str, version: str) -> Mapping[str, LocalField]:
    """The declared fields of a segment in a version, by number."""
    return {number: each for own in _of(declarations, segment, version) for number, each in own.fields.items()}


def names_of(declarations: Declared, segment: str, version: str) -> dict[str, Any]:
    """What a segment is called (`name`) and its fields (`fields`, by number) in a version; empty where nothing is declared of it."""
    names = [each.name for each in _of(declarations, segment, version) if each.name]
    fields = {number: each.name for number, each in fields_of(declarations, segment, version).items() if each.name}
    return {"name": names[-1] if names else "", "fields": fields} if names or fields else {}


def _of(declarations: Declared, segment: str, version: str) -> Iterator[LocalSegment]:
    for each in declarations.segments:
        if (
            each.name == segment
            and isinstance(each.declared, LocalSegment)
            and (not each.declared.versions or version in each.declared.versions)
        ):
            yield each.declared
