"""Merges: what a message says is one, what is refused, and what later messages of a prior number become."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from transforms.document import NO_ALIASES, Aliases, Context, Identity, Merge
from transforms.errors import ErrorCode, MessageError
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.merging import after, lanes_of, merges_of, people, prior_path, undoing
from transforms.mapping.options import MapOptions

SITE = Identity(base="https://site.example/id", secret="secret")
HOSP = "https://site.example/id/MAIN/HOSP"
LAB = "https://site.example/id/MAIN/LAB"


def context(aliases: Aliases = NO_ALIASES) -> Context:
    return Context(datetime(2026, 3, 4, tzinfo=UTC), identity=SITE, aliases=aliases)


def message(event: str, *segments: str, version: str = "2.5") -> bytes:
    return "\r".join([f"MSH|^~\\&|REG|MAIN|MPI|MAIN|20260304||ADT^{event}|M1|P|{version}", f"EVN|{event}", *segments]).encode() + b"\r"


def said(event: str, *segments: str, aliases: Aliases = NO_ALIASES, version: str = "2.5") -> tuple[Merge, ...]:
    return merges_of(parse(message(event, *segments, version=version)), context(aliases))


def merged(prior: str, survivor: str) -> Merge:
    return Merge("Patient", "A40", (HOSP, prior), (HOSP, survivor), f"{prior}^HOSP", f"{survivor}^HOSP")


def a40(prior: str, survivor: str, aliases: Aliases = NO_ALIASES) -> tuple[Merge, ...]:
    return said("A40", f"PID|1||{survivor}^^^HOSP^MR", f"MRG|{prior}^^^HOSP^MR", aliases=aliases)


def test_a_merge_of_patients() -> None:
    """MRG-1 into PID-3, pair by pair."""
    assert a40("A", "B") == (merged("A", "B"),)
    several = ("PID|1||B^^^HOSP^MR", "MRG|A^^^HOSP^MR", "PID|2||D^^^HOSP^MR", "PD1|", "MRG|C^^^HOSP^MR")
    assert said("A40", *several) == (merged("A", "B"), merged("C", "D"))


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"])
def test_events_about_patients(event: str) -> None:
    """Merges and changes of a patient's number."""
    (found,) = said(event, "PID|||B^^^HOSP", "MRG|A^^^HOSP")
    assert (found.kind, found.prior, found.survivor) == ("Patient", (HOSP, "A"), (HOSP, "B"))


@pytest.mark.parametrize("event", ["A06", "A07", "A42", "A45", "A50", "A51"])
def test_events_about_visits(event: str) -> None:
    """MRG-5 into PV1-19, where they differ; the patients stay who they are."""
    segments = ("PID|||B^^^HOSP", "MRG|A^^^HOSP||||V1^^^HOSP", "PV1||I" + "|" * 17 + "V2^^^HOSP")
    assert said(event, *segments) == (Merge("Encounter", event, (HOSP, "V1"), (HOSP, "V2")),)
    assert said(event, segments[0], segments[1], segments[2].replace("V2", "V1")) == ()


def test_each_number_goes_to_its_own_authority() -> None:
    """Where the survivor has one number of the same authority, that; else the one chosen for it; visits and accounts never."""
    found = said("A40", "PID|||B^^^HOSP^MR~Y^^^LAB^PI~N^^^HOSP^AN", "MRG|A^^^HOSP^MR~X^^^LAB^PI~Z^^^MPI^PI~W^^^HOSP^AN~~V")
    assert [(each.prior, each.survivor) for each in found] == [
        ((HOSP, "A"), (HOSP, "B")), ((LAB, "X"), (LAB, "Y")), (("https://site.example/id/MAIN/MPI", "Z"), (HOSP, "B")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "segments"),
    [
        ("A40", ("PID|||B^^^HOSP", "MRG|B^^^HOSP")),  # the very same
        ("A40", ("PID|||A^^^HOSP~B^^^HOSP", "MRG|A^^^HOSP~B^^^HOSP")),
        ("A40", ("PID|||B", "MRG|A")),  # nobody says whose numbers these are
        ("A40", ("PID|||B^^^HOSP", 'MRG|""^^^HOSP')),
        ("A40", ("MRG|A^^^HOSP",)),
        ("A08", ("PID|||B^^^HOSP", "MRG|A^^^HOSP")),
        ("A43", ("PID|||B^^^HOSP", "MRG|A^^^HOSP")),
        ("A42", ("PID|||B^^^HOSP", "MRG|A^^^HOSP", "PV1||I")),
    ],
)
def test_what_merges_nothing(event: str, segments: tuple[str, ...]) -> None:
    """No alias is made of it."""
    assert said(event, *segments) == ()


@pytest.mark.parametrize("listed", ["B^^^HOSP^MR~A^^^HOSP^MR", "A^^^HOSP^MR~B^^^HOSP^MR"])
def test_a_survivor_that_is_called_by_both_numbers(listed: str) -> None:
    """Some senders go on listing the prior number: it is the prior one all the same."""
    assert said("A40", f"PID|||{listed}", "MRG|A^^^HOSP^MR") == (merged("A", "B"),)


def test_old_versions_have_numbers_in_other_fields() -> None:
    """PID-2 in 2.1 and 2.2."""
    assert [each.survivor for each in said("A34", "PID||B^^^HOSP|", "MRG|A^^^HOSP", version="2.2")] == [(HOSP, "B")]
    assert said("A34", "PID||B^^^HOSP|", "MRG|A^^^HOSP") == ()


def test_chains() -> None:
    """A into B, B into C: both are C, and each replaces what was merged straight into it."""
    first = after(NO_ALIASES, a40("A", "B"), 1)
    both = after(first, a40("B", "C", first), 2)
    assert both.survivor("Patient", (HOSP, "A")) == (HOSP, "C") == both.survivor("Patient", (HOSP, "B"))
    assert both.priors("Patient", (HOSP, "C")) == ((HOSP, "B"),) and both.priors("Patient", (HOSP, "B")) == ((HOSP, "A"),)
    assert both.lane("A^HOSP") == "C^HOSP" and both.version == 2
    assert first.survivor("Patient", (HOSP, "A")) == (HOSP, "B")  # as of then
    late = after(both, a40("D", "B", both))
    assert late.survivor("Patient", (HOSP, "D")) == (HOSP, "C") and late.priors("Patient", (HOSP, "C")) == ((HOSP, "B"), (HOSP, "D"))


def test_a_merge_that_comes_again() -> None:
    """Nothing is merged twice, neither directly nor by way of others."""
    known = after(NO_ALIASES, [*a40("A", "B"), merged("B", "C")])
    assert a40("A", "B", known) == a40("A", "C", known) == a40("B", "C", known) == ()


@pytest.mark.parametrize(("prior", "survivor"), [("C", "A"), ("C", "B")])
def test_circles_are_refused(prior: str, survivor: str) -> None:
    """The surviving number cannot become a prior of its own prior: AE, with the place, without a value."""
    known = after(NO_ALIASES, [merged("A", "B"), merged("B", "C")])
    with pytest.raises(MessageError, match="undo that merge first") as refused:
        a40(prior, survivor, known)
    assert (refused.value.code, refused.value.place, refused.value.fatal) == (ErrorCode.DUPLICATE_KEY, "MRG-1", False)
    assert a40("B", "A", known) == ()  # both are C


def test_two_ways_are_refused() -> None:
    """A number that is merged already goes nowhere else."""
    with pytest.raises(MessageError, match="into another one already"):
        a40("A", "D", after(NO_ALIASES, [merged("A", "B")]))
    with pytest.raises(MessageError, match="into another one already"):
        said("A40", "PID|||B^^^HOSP", "MRG|A^^^HOSP", "PID|||C^^^HOSP", "MRG|A^^^HOSP")


def test_lanes() -> None:
    """Of all patients a message names: the survivor's, which it stands in, and those it takes besides."""
    parsed = parse(message("A45", "PID|||B^^^HOSP^MR~Q^^^LAB", "MRG|A^^^HOSP^MR~W^^^HOSP^AN"))
    assert people(parsed, context()) == [((HOSP, "B"), "B^HOSP"), ((HOSP, "A"), "A^HOSP")]
    merged_before = after(NO_ALIASES, [merged("B", "C")])
    assert [known for known, _ in people(parsed, context(merged_before))] == [(HOSP, "C"), (HOSP, "B"), (HOSP, "A")]
    assert len(set(lanes_of(people(parsed, context()), SITE))) == 2
    linked = parse(message("A24", "PID|||B^^^HOSP", "PID|||A^^^HOSP"))
    assert people(linked, context()) == [((HOSP, "B"), "B^HOSP"), ((HOSP, "A"), "A^HOSP")]
    assert prior_path("PID-3.1") == "MRG-1.1" and prior_path("PID-3") == "MRG-1" and prior_path("PV1-19.1") == "" == prior_path("PID-30")


# what later messages become

RESULT = (
    "MSH|^~\\&|LIS|MAIN|EHR|MAIN|20260305080000+0000||ORU^R01|M2|P|2.5.1\rPID|1||{pid}||DOE^JANE\r"
    "PV1|1|I|||||||||||||||||{visit}\rOBR|1||F1^LAB|718-7^Hb^LN\rOBX|1|NM|718-7^Hb^LN||13|g/dL|||||F\r"
)


def converted(pid: str, aliases: Aliases, visit: str = "") -> dict:
    convert = Library.load().converter("ORU_R01", MapOptions())
    return convert(parse(RESULT.format(pid=pid, visit=visit).encode()), context(aliases)).bundle


def resource(bundle: dict, kind: str) -> dict:
    (found,) = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]
    return found


def test_a_result_of_a_prior_number() -> None:
    """It is the survivor's: criterion, reference, and no prior number among its own; the link says what it replaces."""
    aliases = after(NO_ALIASES, [merged("A", "B")], 1)
    now, as_survivor = converted("A^^^HOSP^MR", aliases), converted("B^^^HOSP^MR", aliases)
    patient = resource(now, "Patient")
    assert patient["request"]["ifNoneExist"].endswith("HOSP%7CB")
    assert [(each["system"], each["value"]) for each in patient["resource"]["identifier"]] == [(HOSP, "B")]
    assert patient["resource"]["link"] == [{"other": {"type": "Patient", "identifier": {"system": HOSP, "value": "A"}}, "type": "replaces"}]
    assert resource(now, "Observation") == resource(as_survivor, "Observation")
    assert resource(now, "Patient")["fullUrl"] == resource(as_survivor, "Patient")["fullUrl"]


def test_a_result_with_both_numbers() -> None:
    """The survivor stands once."""
    patient = resource(converted("A^^^HOSP^MR~B^^^HOSP^MR~Q^^^LAB^PI", after(NO_ALIASES, [merged("A", "B")])), "Patient")
    assert [each["value"] for each in patient["resource"]["identifier"]] == ["B", "Q"]


def test_the_same_aliases_give_the_same_bytes() -> None:
    """And none give what there was before."""
    aliases = after(NO_ALIASES, [merged("A", "B")], 1)
    assert converted("A^^^HOSP^MR", aliases) == converted("A^^^HOSP^MR", after(NO_ALIASES, [merged("A", "B")], 1))
    assert resource(converted("A^^^HOSP^MR", NO_ALIASES), "Patient")["request"]["ifNoneExist"].endswith("HOSP%7CA")
    assert "link" not in resource(converted("Z^^^HOSP^MR", aliases), "Patient")["resource"]


def test_a_visit_with_a_new_number() -> None:
    """Encounters too."""
    aliases = after(NO_ALIASES, [Merge("Encounter", "A50", (HOSP, "V1"), (HOSP, "V2"))])
    encounter = resource(converted("A^^^HOSP^MR", aliases, visit="V1^^^HOSP^VN"), "Encounter")
    assert encounter["request"]["ifNoneExist"].endswith("%7CV2") and encounter["resource"]["identifier"][0]["value"] == "V2"


def test_taking_a_merge_back() -> None:
    """Active again, and the links between the two deleted: nothing else."""
    bundle = undoing([merged("A", "B")], SITE)
    requests = [entry["request"] for entry in bundle["entry"]]
    assert [(each["method"], each["url"].partition("?")[2][-2:]) for each in requests] == [("PATCH", "CA"), ("PATCH", "CB")]
    parts = [part for entry in bundle["entry"] for each in entry["resource"]["parameter"] for part in each["part"]]
    paths = [part["valueString"] for part in parts if part["name"] == "path"]
    assert paths[0] == "Patient.active" and len(paths) == 5
    assert all(path.startswith("Patient.link.where(type = 'repl") for path in paths[1:])
