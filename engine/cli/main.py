"""The `flue` command: finds the subcommand's module by name and imports only that one.

Data goes to stdout, words to stderr.  Exit status: 0 done, 1 the input is at fault, 2 the command line is.
"""

from __future__ import annotations

import importlib

import click

import flue

COMMANDS = {
    "bench": "the reference load against engine and floor, as a table",
    "channels": "list, start, stop, pause and reload channels",
    "check": "lint engine, channel and map files",
    "convert": "HL7 v2 to FHIR: one JSON document a message, one a line",
    "demo": "run the laboratory feed and show what comes out",
    "maps": "show how much of the v2-to-FHIR guide the maps cover",
    "messages": "list, search and show messages",
    "replay": "send messages again, or show what would be sent",
    "run": "run the engine in the foreground",
    "send": "send HL7 files over MLLP and print each acknowledgment",
    "sink": "a small FHIR receiver that keeps what it is sent",
    "store": "back up, export and inspect the store",
    "test": "run the tests inside channel and map files",
    "validate": "check FHIR R4 JSON",
}
"""Name -> what it does; the module is engine.cli.NAME, its click command is called `command`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

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


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(flue.__version__, prog_name="flue")
def main() -> None:
    """Flue, pipes to FHIR: an HL7 v2 and FHIR integration engine.

    \b
    Example:
      flue run --conf examples/lab_results
      flue send mllp://127.0.0.1:2575 examples/lab_results/messages/*.hl7
    """


if __name__ == "__main__":
    main()
