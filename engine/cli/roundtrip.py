"""`flue roundtrip`: results from v2 to FHIR and back, and what does not come back."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from engine.cli.files import NAMED, messages, written
from engine.cli.output import emit, legible, say
from engine.cli.zones import known_zone
from transforms.document import Context, Identity
from transforms.errors import MessageError
from transforms.fhir.serialization import dumps
from transforms.hl7.message import parse
from transforms.mapping.backward.roundtrip import BACK, RoundTrip, RoundTrips
from transforms.mapping.library import Library


@click.command(epilog="Example: flue roundtrip results/*.hl7")
@click.argument("files", nargs=-1, required=True, type=NAMED)
@click.option("--zone", default="", callback=known_zone, help="IANA time zone of times without an offset, such as Europe/Zurich.")
@click.option("--written", "show", is_flag=True, help="Print the message that comes back, too, a segment a line.")
def command(files: tuple[Path, ...], zone: str, show: bool) -> None:
    """Convert the results in FILES (- is standard input) to FHIR and back to v2, and compare.

    A line of JSON for each text that the ledger calls mapped and that does not come back in its place: `moved` within its field, `lossy`
    where a rule says so and why, `lost` with the rule to blame; then the counts.  Exit status 1 where one is lost.
    """
    trips, total, failed = RoundTrips(Library.load()), Counter[str](), 0

    def at_fault(file: Path, fault: str) -> None:
        say(f"{file}: {fault}")

    for file, content in messages(files, at_fault):
        try:
            trip = trips(parse(content), Context(written(file), timezone=zone, identity=Identity()))
        except MessageError as error:
            failed += 1
            say(f"{file}: {legible(str(error))}")
            continue
        total.update(trip.counts)
        _tell(trip, file, show=show)
    mapped = sum(total.values())
    emit(dumps({"mapped": mapped, "counts": dict(total), "share": round((total["back"] + total["moved"]) / mapped, 4) if mapped else 0.0}))
    sys.exit(1 if failed or total["lost"] else 0)


def _tell(trip: RoundTrip, file: Path, *, show: bool) -> None:
    if show:
        for segment in trip.written.segments:
            emit(segment.text.encode("utf-8"))
    for each in trip.atoms:
        if each.fate != BACK:
            why = {"why": each.why} if each.why else {}
            emit(dumps({"file": str(file), "path": each.path, "status": each.fate, "rule": each.rule, **why}))
