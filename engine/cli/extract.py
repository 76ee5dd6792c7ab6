"""`flue extract`: what the text layer of a PDF laboratory report says, or how well reports with a truth are read."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from engine.cli.output import emit, fail, progress, say, table
from transforms.extraction.errors import ExtractionError
from transforms.extraction.evaluation import Evaluation, Score
from transforms.extraction.report import Report
from transforms.extraction.worker import Worker

SHOWN = ("page", "name", "value", "unit", "range", "flag", "confidence")


@click.command(epilog="Example: flue extract report.pdf")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document a file, with pages, boxes and the text read.")
@click.option(
    "--evaluate",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Measure on the PDFs of a folder that have a .json with their truth.",
)
@click.option("--only", default="*.pdf", show_default=True, help="With --evaluate: which files, as a pattern.")
@click.option("--misses", is_flag=True, help="With --evaluate: the score of each file that is not read without fault.")
def command(files: tuple[Path, ...], as_json: bool, evaluate: Path | None, only: str, misses: bool) -> None:
    """Read PDF laboratory reports FILES: patient, report, and results with where each stands and how sure it is."""
    if bool(files) == bool(evaluate):
        fail("name PDF files, or a folder with --evaluate", 2)
    with Worker() as worker:
        if evaluate:
            _evaluate(worker, evaluate, only, misses)
            return
        wrong = [file for file in files if not _read(worker, file, as_json)]
    sys.exit(1 if wrong else 0)


def _read(worker: Worker, file: Path, as_json: bool) -> bool:
    try:
        report = worker.extract(file.read_bytes())
    except ExtractionError as error:
        say(f"{file}: {error}")
        return False
    if as_json:
        emit(json.dumps({"file": file.name, **report.plain()}, ensure_ascii=False).encode())
    else:
        _show(report)
    return True


def _show(report: Report) -> None:
    said = {**report.patient, **report.report}
    if said:
        shown = [(name, each.value or f"{each.text} (as printed)", each.evidence.page) for name, each in said.items()]
        table(("field", "value", "page"), shown)
        print()
    rows = [
        (each.evidence.page, each.name, each.value_text, each.unit, each.range_text, each.flag, each.confidence) for each in report.results
    ]
    table(SHOWN, rows, right=("page", "value", "confidence"))


def _evaluate(worker: Worker, folder: Path, only: str, misses: bool) -> None:
    files = [file for file in sorted(folder.rglob(only)) if file.suffix == ".pdf" and file.with_suffix(".json").exists()]
    if not files:
        fail(f"{folder}: no PDF with a .json of its truth")
    overall, unread, pages, seconds = Evaluation(), [], 0, 0.0
    for file in progress(files, "reading"):
        truth = json.loads(file.with_suffix(".json").read_bytes())
        content = file.read_bytes()
        began = time.perf_counter()
        try:
            report = worker.extract(content)
        except ExtractionError as error:
            unread.append((error.code, len(truth.get("results", []))))
            continue
        finally:
            seconds += time.perf_counter() - began
        pages += report.pages
        overall.add(truth, report)
        if misses:
            _miss(file, truth, report)
    table(
        ("field", "precision", "recall", "F1", "right", "wrong", "missed"),
        [_scored(name, score) for name, score in overall.scores.items()],
        right=("precision", "recall", "F1", "right", "wrong", "missed"),
    )
    say(f"{len(files) - len(unread)} files, {pages} pages, {pages / seconds:.1f} pages a second")
    for code in sorted({code for code, _ in unread}):
        of_it = [results for each, results in unread if each == code]
        say(f"{len(of_it)} files not read ({code}): their {sum(of_it)} results are not in the table")


def _scored(name: str, score: Score) -> tuple[object, ...]:
    return name, f"{score.precision:.4f}", f"{score.recall:.4f}", f"{score.f1:.4f}", score.right, score.wrong, score.missed


def _miss(file: Path, truth: dict, report: Report) -> None:
    one = Evaluation()
    one.add(truth, report)
    faulty = {name: each for name, each in one.scores.items() if each.wrong or each.missed}
    poor = ", ".join(f"{name} {each.right}/{each.right + each.missed}+{each.wrong}" for name, each in faulty.items())
    if poor:
        print(f"{file.name}: {poor}")
