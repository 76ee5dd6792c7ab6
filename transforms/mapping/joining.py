"""What several fields say of one and the same thing, put together: nothing said twice, nothing contradicted, nothing lost unsaid.

Resources that functions make may be kept and shared between messages, so they are never changed: a joined one is new.
"""

from __future__ import annotations

from typing import Any


def joined(first: dict[str, Any], twin: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """`first` with what `twin` says beside it, and whether something of `twin` has no place there.

    Lists take what they do not have; one that says less than another of its kind gives way to it.
    """
    made, lost = dict(first), False
    for key, value in twin.items():
        own = made.get(key)
        if own is None:
            made[key] = value
        elif isinstance(own, list) and isinstance(value, list) and key != "contained":
            made[key] = _together(own, value)
        elif own != value:
            lost = True
    return made, lost


def _together(own: list[Any], other: list[Any]) -> list[Any]:
    kept = list(own)
    for each in other:
        if any(_within(each, there) for there in kept):
            continue
        fuller = next((index for index, there in enumerate(kept) if _within(there, each)), -1)
        if fuller >= 0:
            kept[fuller] = each
        else:
            kept.append(each)
    return kept


def _within(one: Any, other: Any) -> bool:
    """Whether `other` says all that `one` says."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(key in other and _within(value, other[key]) for key, value in one.items())
    return bool(one == other)
