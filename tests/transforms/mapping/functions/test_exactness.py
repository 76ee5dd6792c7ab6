"""What must hold for any time, number, range and unit: nothing gets more exact than it was sent, and nothing less."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis.strategies import SearchStrategy, builds, from_regex, integers, sampled_from, text, tuples

from tests.transforms.mapping.functions.conftest import Field
from transforms.terminology.ucum import is_ucum

NUMBERS = from_regex(r"(0|[1-9][0-9]{0,4})(\.[0-9]{1,4})?", fullmatch=True)
OFFSETS = sampled_from(("+0000", "+0100", "-0500", "+0545"))
MOMENTS = builds(
    lambda days, seconds: datetime.fromtimestamp(days * 86_400 + seconds, timezone.utc),
    integers(min_value=-20_000, max_value=25_000),
    integers(min_value=0, max_value=86_399),
)
DIGITS = {4: "%Y", 6: "%Y-%m", 8: "%Y-%m-%d"}


def fractions() -> SearchStrategy[str]:
    return from_regex(r"[0-9]{1,4}", fullmatch=True)


def convert(name: str, sent: str, **withs: Any) -> tuple[Any, Field]:
    field = Field()
    return field(name, sent, **withs), field


@given(MOMENTS, sampled_from((4, 6, 8)))
def test_a_date_is_as_exact_as_it_was_sent(moment: datetime, digits: int) -> None:
    """A year stays a year, a month a month."""
    said, _ = convert("date_time", moment.strftime("%Y%m%d")[:digits].rjust(digits, "0"))
    assert said == moment.strftime(DIGITS[digits])


@given(MOMENTS, OFFSETS, sampled_from((12, 14)))
def test_a_time_keeps_its_minutes_and_its_own_offset(moment: datetime, offset: str, digits: int) -> None:
    """Seconds nobody sent are zero, for FHIR wants some; the offset is the time's own, not the message's."""
    said, _ = convert("date_time", moment.strftime("%Y%m%d%H%M%S")[:digits] + offset)
    seconds = moment.strftime("%S") if digits == 14 else "00"
    assert said == f"{moment:%Y-%m-%dT%H:%M}:{seconds}{offset[:3]}:{offset[3:]}"


@given(MOMENTS, fractions())
def test_a_fraction_of_a_second_keeps_its_digits(moment: datetime, fraction: str) -> None:
    """`.50` is not `.5`."""
    said, _ = convert("date_time", f"{moment:%Y%m%d%H%M%S}.{fraction}+0100")
    assert said == f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction}+01:00"


@given(MOMENTS, sampled_from((10, 12, 14)))
def test_no_zone_is_guessed(moment: datetime, digits: int) -> None:
    """A time in no zone is its date, and the original stands beside it."""
    sent = moment.strftime("%Y%m%d%H%M%S")[:digits]
    said, _ = convert("date_time", sent, offset="")
    assert said.value == f"{moment:%Y-%m-%d}"
    assert said.element["extension"][0]["valueString"] == sent


@given(MOMENTS)
def test_minutes_are_never_made_up(moment: datetime) -> None:
    """An hour alone is a date to FHIR."""
    said, _ = convert("date_time", f"{moment:%Y%m%d%H}")
    assert said.value == f"{moment:%Y-%m-%d}"


@given(sampled_from(("", "=", "<", ">", "<=", ">=", "<>")), NUMBERS, sampled_from(("", "-", ":", "/", "+", ".")), NUMBERS)
def test_a_structured_number_is_what_fhir_can_say_whole_or_text(sign: str, one: str, separator: str, two: str) -> None:
    """Quantity, Range and Ratio with the digits sent; whatever does not fit is a string of all its parts."""
    second = two if separator else ""
    (kind, value), _ = convert("structured_numeric", f"{sign}^{one}^{separator}^{second}", unit="mg/dL")
    comparator = {"comparator": sign} if sign not in ("", "=") else {}
    first = {"value": Decimal(one), **comparator, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
    last = {**first, "value": Decimal(two)} if not comparator else {}
    if sign == "<>" or separator in ("+", "."):
        assert (kind, value) == ("string", " ".join(part for part in (sign, one, separator, second, "mg/dL") if part))
    elif not separator:
        assert (kind, value) == ("Quantity", first)
        assert str(value["value"]) == one
    elif separator == "-":
        fits = not comparator and Decimal(one) <= Decimal(two)
        assert (kind, value) == ("Range", {"low": first, "high": last}) if fits else kind == "string"
    else:
        assert kind == "Ratio" and value["numerator"] == first
        assert str(value["denominator"]["value"]) == two and "comparator" not in value["denominator"]


@given(tuples(NUMBERS, NUMBERS), sampled_from(("-", " - ", " to ", "\N{EN DASH}")), sampled_from(("", " mg/dL", " %")))
def test_a_range_keeps_its_limits_and_its_text(limits: tuple[str, str], between: str, unit: str) -> None:
    """Both limits with the digits sent, in the unit beside them; the text as it was."""
    low, high = sorted(limits, key=Decimal)
    made, _ = convert("reference_range", f"{low}{between}{high}{unit}", unit="" if unit else "mg/dL")
    assert (str(made["low"]["value"]), str(made["high"]["value"])) == (low, high)
    assert made["low"]["unit"] == made["high"]["unit"] == (unit.strip() or "mg/dL")
    assert made["text"] == f"{low}{between}{high}{unit}"


@given(tuples(NUMBERS, NUMBERS))
def test_limits_the_wrong_way_round_are_text(limits: tuple[str, str]) -> None:
    """Nobody says which of them is meant."""
    low, high = sorted(limits, key=Decimal)
    assume(Decimal(low) != Decimal(high))
    assert convert("reference_range", f"{high}-{low}")[0] == {"text": f"{high}-{low}"}


@given(sampled_from(("<", "<=", ">", ">=")), NUMBERS)
def test_a_one_sided_range_has_one_limit(sign: str, limit: str) -> None:
    """Limits have no comparator in FHIR: the text keeps it."""
    made, _ = convert("reference_range", sign + limit)
    side = "high" if sign[0] == "<" else "low"
    assert made == {side: {"value": Decimal(limit)}, "text": sign + limit}


@given(text(alphabet="0123456789.-<>=^& NEGativeo", max_size=20))
def test_any_range_is_text_at_least(sent: str) -> None:
    """Whatever the laboratory wrote is there to be read."""
    made, field = convert("reference_range", sent)
    said = field.reading.text(sent).strip() if field.reading else ""
    assert made is None and not said or made["text"] == said


@given(text(alphabet="mgdLul/%10*^.{}[]^~ kUIuVx", max_size=12))
def test_a_unit_has_a_code_only_where_it_is_one(sent: str) -> None:
    """A code of UCUM parses as one; the unit is what the sender wrote."""
    raw = sent.replace("^", "").replace("~", "")
    (kind, value), _ = convert("quantity", "7.0", unit=raw)
    assert kind == "Quantity" and str(value["value"]) == "7.0"
    if "code" in value:
        assert value["system"] == "http://unitsofmeasure.org" and is_ucum(value["code"])
        assert value["unit"] == raw.strip()
    elif "unit" in value:
        assert value["unit"] == raw.strip()
