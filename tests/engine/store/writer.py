"""A process that fills a store until it is killed: it says on stdout what was promised to it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from engine.store.records import Arrival, DeliveryRow, DeliveryStatus, MessageStatus, SearchKeys, Settlement
from engine.store.sqlite import open_store


def say(*words: object) -> None:
    """One line, at once."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def main(folder: Path, committer: str, tag: str) -> None:
    """Forty tasks that receive and settle."""
    store = await open_store(folder, loop=asyncio.get_running_loop(), committer=committer)
    say("open")

    async def task(number: int) -> None:
        while True:
            name = f"{tag}-{number}"
            number += 40
            id = (await store.receive(Arrival("lab", "v", name.encode() * 50, 1.0, control_id=name))).id
            say("received", name)
            row = DeliveryRow(id, "repository", 0, "L", DeliveryStatus.SENT, sent=name.encode() * 200)
            await store.settle(Settlement(id, MessageStatus.SENT, (row,), keys=SearchKeys("ORU^R01", name, "", (name,))))
            say("settled", name)

    await asyncio.gather(*map(task, range(40)))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
