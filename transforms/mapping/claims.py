"""Which message map a message goes to: by its trigger event, else by its structure, else the one for whatever has no other.

`messages:` of a map names structures (`ADT_A01`), events that have no structure of that name (`ADT_A08`), or `"*"`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transforms.errors import Problem
from transforms.hl7.message import Message
from transforms.hl7.structures import Structures
from transforms.mapping.definition import MessageMap

REST = "*"


def claims_of(maps: Mapping[str, MessageMap], site: Iterable[str], problems: list[Problem]) -> dict[str, str]:
    """What `messages:` names -> the map.  A site's map goes before the package's, one that only inherits its `messages` behind all."""
    found: dict[str, tuple[int, str]] = {}
    own = frozenset(site)
    for name, each in maps.items():
        rank = 0 if each.inherits else 2 if name in own else 1
        for message in each.messages:
            other = found.get(message, (-1, ""))
            if rank and rank == other[0]:
                sentence = f"`{message}` has a map already: `{other[1]}`. One of them should say other `messages`."
                problems.append(each.spot.at("messages").problem("two_maps", sentence))
            if rank > other[0]:
                found[message] = (rank, name)
    return {message: name for message, (_, name) in found.items()}


def names_of(message: Message, structures: Structures) -> tuple[str, ...]:
    """What a message may be claimed by, most telling first."""
    structure = structures.structure_of(message)
    code, event, *_ = (*(each.strip().upper() for each in _type(message)), "", "")
    trigger = f"{code}_{event}"
    return structures.lineage(structure) if trigger in structures.names() else (trigger, *structures.lineage(structure))


def _type(message: Message) -> list[str]:
    header = message.header
    return header[9].split(message.delimiters.component) if len(header) > 9 else []


def choose(message: Message, claims: Mapping[str, str], structures: Structures) -> str:
    """The name of the map for a message; '' where there is none."""
    return next((claims[each] for each in (*names_of(message, structures), REST) if each in claims), "")


def takes(found: MessageMap, message: Message, structures: Structures) -> bool:
    """Whether a map says that it is for messages of this type."""
    return REST in found.messages or not set(names_of(message, structures)).isdisjoint(found.messages)
