"""The `flue` command: finds the subcommand's module by name and imports only that one.

Data goes to stdout, words to stderr.  Exit status: 0 done, 1 the input is at fault, 2 the command line is.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

import flue

COMMANDS = {
    "bench": "the reference load against engine and floor, as a table",
    "channels": "list, start, stop, pause and reload channels",
    "check": "lint engine, channel and map files",
    "convert": "HL7 v2 to FHIR: one JSON document a message, one a line; results in FHIR to v2",
    "demo": "run the laboratory feed and show what comes out",
    "extract": "PDF laboratory reports: read the results, or measure how well",
    "maps": "list the maps: what they follow, read and test",
    "merges": "list merges of patients' numbers, and take them back",
    "messages": "list, search and show messages",
    "replay": "send messages again, or show what would be sent",
    "roundtrip": "results from v2 to FHIR and back: what does not come back, and which rule is to blame",
    "run": "run the engine in the foreground",
    "send": "send HL7 files over MLLP and print each acknowledgment",
    "sink": "a small FHIR receiver that keeps what it is sent",
    "store": "back up, export and inspect the store",
    "test": "run the tests inside channel and map files",
    "validate": "check FHIR R4 JSON",
}
"""Name -> what it does; the module is engine.cli.NAME, its click command is called `command`."""


PACKAGES = Path(__file__).resolve().parents[2]


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.  What it did not foresee ends in a sentence, without a value that might be a patient's."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has enough
                raise
            _leave(f"{error.filename or 'flue'}: {error.strerror or error}")
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("FLUE_TRACEBACK"):
                raise
            _leave(f"a defect of flue: {type(error).__name__} in {_place(error)} (FLUE_TRACEBACK=1 shows more)")

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"engine.cli.{name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]):  # noqa: ANN201 - click's own triple
        if args and args[0] not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            ctx.fail(f"there is no command {args[0]!r}" + (f" (did you mean {near[0]}?)" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _leave(words: str) -> None:
    print(words, file=sys.stderr)
    sys.exit(1)


def _place(error: Exception) -> str:
    """Where in our own code it happened."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(PACKAGES)]
    last = next((frame for frame in reversed(ours) if ".venv" not in frame.filename), None)
    return f"{Path(last.filename).relative_to(PACKAGES)}:{last.lineno}" if last else "another's code"


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(flue.__version__, prog_name="flue")
def main() -> None:
    """Flue, pipes to FHIR: an HL7 v2 and FHIR integration engine.

    \b
    Example:
      flue convert examples/lab_results/messages/01_chemistry.hl7
      flue run --conf examples/lab_results
      flue send mllp://127.0.0.1:2575 examples/lab_results/messages/*.hl7
    """
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal's encoding lacks is shown escaped
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
