"""The compiled maps beside conversions by hand, in one process: CPU µs a message.

`python -m bench.conversion` prints it as a table, for results (the reference load), admissions, vaccinations and appointments.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from bench import handwritten, load, other_types
from transforms.document import Context, Identity
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions


def by_map(structure: str = "ORU_R01") -> Callable[[bytes], dict]:
    """The packaged map of a structure, as a function from bytes to Bundle; ledger, parts and register facts are made too."""
    convert = Library.load().converter(structure, MapOptions())
    context = Context(datetime(2024, 1, 15, tzinfo=UTC), timezone="America/New_York", identity=Identity(handwritten.BASE, "bench"))
    return lambda content: convert(parse(content), context).bundle


def measure(messages: int = 1500, rounds: int = 5) -> tuple[float, float]:
    """(by hand, by map): the least CPU µs a message of some rounds, taken in turn."""
    chance = random.Random(1)
    return _measured(handwritten.convert, by_map(), [load.message(f"CTL{number}", chance) for number in range(messages)], rounds)


def measure_types(messages: int = 1000, rounds: int = 5) -> Iterator[tuple[str, int, float, float]]:
    """Structure, mean bytes of a message, (by hand, by map) as `measure` has them, for results and the `other_types`."""
    chance = random.Random(1)
    ways = {"ORU_R01": handwritten.convert, **other_types.BY_HAND}
    for structure, by_hand in ways.items():
        made = load.message if structure == "ORU_R01" else partial(other_types.message, structure)
        contents = [made(f"CTL{number}", chance) for number in range(messages)]
        yield structure, sum(map(len, contents)) // messages, *_measured(by_hand, by_map(structure), contents, rounds)


def _measured(
    by_hand: Callable[[bytes], object], mapped: Callable[[bytes], dict], contents: list[bytes], rounds: int
) -> tuple[float, float]:
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for convert, times in ((by_hand, took[0]), (mapped, took[1])):
            began = time.process_time()
            for content in contents:
                convert(content)
            times.append(1e6 * (time.process_time() - began) / len(contents))
    return min(took[0]), min(took[1])


if __name__ == "__main__":
    print("| structure | bytes | by hand, µs | by map, µs | times |\n|---|---:|---:|---:|---:|")
    for name, length, hand, by_maps in measure_types():
        print(f"| {name} | {length} | {hand:.0f} | {by_maps:.0f} | {by_maps / hand:.2f} |")
