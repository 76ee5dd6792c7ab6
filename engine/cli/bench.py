"""`flue bench`: the reference load against the engine and the floor, in one run, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.output import fail, say, table

if TYPE_CHECKING:
    from bench.compare import Figures

HEADINGS = ("program", "delivered/s", "ACK p50 ms", "p95", "p99", "CPU ms/message", "memory MB", "ready s", "lost")


@click.command(epilog="Example: flue bench --total 20000 --rounds 3")
@click.option("--total", default=10000, show_default=True, type=click.IntRange(1), help="Messages a round.")
@click.option(
    "--connections", default=8, show_default=True, type=click.IntRange(1, 500), help="Connections, one message outstanding on each."
)
@click.option(
    "--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Rounds of each program, in turn; medians are shown."
)
@click.option("--only", type=click.Choice(["engine", "floor"]), help="Measure one of the two.")
def command(total: int, connections: int, rounds: int, only: str | None) -> None:
    """Measure delivered/s, ACK latency, CPU a message, memory and start-up, engine beside floor."""
    try:
        from bench.compare import middle, round_of
        from bench.conversion import measure
    except ImportError:
        fail("the bench folder is not installed; run from a checkout", 2)
    programs = [only] if only else ["engine", "floor"]
    figures: dict[str, list] = {program: [] for program in programs}
    for number in range(rounds):
        for program in programs:
            say(f"round {number + 1} of {rounds}: {program}")
            figures[program].append(round_of(program, connections, total))
    medians = {program: middle(rows) for program, rows in figures.items()}
    table(HEADINGS, [(name, *_figures(row)) for name, row in medians.items()], right=HEADINGS[1:])
    if not only:
        print(f"engine CPU is {medians['engine'].cpu_ms / medians['floor'].cpu_ms:.2f} times the floor's")
        by_hand, by_map = measure()
        print(
            f"the compiled map takes {by_map:.0f} µs a message, the same conversion by hand {by_hand:.0f} µs: {by_map / by_hand:.2f} times"
        )


def _figures(row: Figures) -> tuple[object, ...]:
    latencies = [f"{each:.1f}" for each in (row.p50_ms, row.p95_ms, row.p99_ms)]
    return (f"{row.delivered_per_s:.0f}", *latencies, f"{row.cpu_ms:.3f}", f"{row.memory_mb:.0f}", f"{row.ready_s:.2f}", int(row.lost))
