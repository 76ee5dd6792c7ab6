"""Whether what has a beginning and an end has them the right way round: periods, ranges (`per-1`, `rng-2`, `mdd-1`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple


class Ends(NamedTuple):
    """Two elements of a type, of which the first is not greater than the second."""

    first: str
    second: str
    key: str  # of the invariant

    @property
    def sentence(self) -> str:
        """What to say of an object that has them the wrong way round."""
        return f"has its {self.first} after its {self.second} ({self.key})"


ENDS = {"Period": Ends("start", "end", "per-1"), "Range": Ends("low", "high", "rng-2")}
DISPENSE = Ends("whenPrepared", "whenHandedOver", "mdd-1")


def reversed_ends(value: Mapping[str, Any], ends: Ends) -> bool:
    """Both are there and the first is greater, as far as they can be compared."""
    first, second = value.get(ends.first), value.get(ends.second)
    if isinstance(first, str) and isinstance(second, str):
        return _later(first, second)
    return isinstance(first, dict) and isinstance(second, dict) and _more(first, second)


def _later(first: str, second: str) -> bool:
    """Of dates and times: at the precision that both have; by the day where a zone is missing."""
    try:
        one, other = datetime.fromisoformat(first), datetime.fromisoformat(second)
        if one.tzinfo and other.tzinfo:
            return one > other
    except ValueError:  # a year or a month alone, a leap second: no date in Python
        pass
    length = min(len(first.partition("T")[0]), len(second.partition("T")[0]))
    return first[:length] > second[:length]


def _more(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Of quantities: where they are in the same unit."""
    units = [(each.get("system"), each.get("code") or each.get("unit")) for each in (first, second)]
    low, high = first.get("value"), second.get("value")
    return units[0] == units[1] and isinstance(low, int | float | Decimal) and isinstance(high, int | float | Decimal) and low > high
