"""The compiled map beside the conversion by hand, in one process: CPU µs a message of the reference load."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench import handwritten, load
from transforms.document import Context, Identity
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions


def by_map() -> Callable[[bytes], dict]:
    """The packaged ORU_R01 map, as a function from bytes to Bundle; ledger, parts and register facts are made too."""
    convert = Library.load().converter("ORU_R01", MapOptions())
    context = Context(datetime(2024, 1, 15, tzinfo=UTC), timezone="America/New_York", identity=Identity(handwritten.BASE, "bench"))
    return lambda content: convert(parse(content), context).bundle


def measure(messages: int = 1500, rounds: int = 5) -> tuple[float, float]:
    """(by hand, by map): the least CPU µs a message of some rounds, taken in turn."""
    chance = random.Random(1)
    contents = [load.message(f"CTL{number}", chance) for number in range(messages)]
    mapped = by_map()
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for convert, times in ((handwritten.convert, took[0]), (mapped, took[1])):
            began = time.process_time()
            for content in contents:
                convert(content)
            times.append(1e6 * (time.process_time() - began) / messages)
    return min(took[0]), min(took[1])
