"""Times keep their precision and get a zone only from somebody who said one."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.hl7.timestamps import (
    AMBIGUOUS,
    COARSE,
    NONEXISTENT,
    UNZONED,
    Timestamp,
    fhir_date,
    fhir_datetime,
    fhir_instant,
    fhir_time,
    parse_dtm,
    sortable,
    write_dtm,
    zone_of,
)

BERLIN = "Europe/Berlin"
DATETIME = re.compile(
    r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1])"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00)))?)?)?"
)  # as FHIR R4 defines dateTime


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("2024", Timestamp(2024, precision=1)),
        ("202402", Timestamp(2024, 2, precision=2)),
        ("20240229", Timestamp(2024, 2, 29, precision=3)),
        ("2024022913", Timestamp(2024, 2, 29, 13, precision=4)),
        ("202402291359", Timestamp(2024, 2, 29, 13, 59, precision=5)),
        ("20240229135960", Timestamp(2024, 2, 29, 13, 59, 60, precision=6)),
        ("20240229135958.1", Timestamp(2024, 2, 29, 13, 59, 58, "1", precision=6)),
        ("20240229135958.1230-0530", Timestamp(2024, 2, 29, 13, 59, 58, "1230", "-05:30", 6)),
        ("202402291359+0100", Timestamp(2024, 2, 29, 13, 59, 0, "", "+01:00", 5)),
        ("20240229135958-0000", Timestamp(2024, 2, 29, 13, 59, 58, "", "+00:00", 6)),
        ("20240229135958Z", Timestamp(2024, 2, 29, 13, 59, 58, "", "+00:00", 6)),
        ("20240229+0100", Timestamp(2024, 2, 29, precision=3)),
        ("20240229000000^D", Timestamp(2024, 2, 29, precision=3)),
        (" 20240229 ", Timestamp(2024, 2, 29, precision=3)),
    ],
)
def test_reading(text: str, stamp: Timestamp) -> None:
    assert parse_dtm(text) == stamp


@pytest.mark.parametrize(
    "text",
    [
        "",
        '""',
        "0000",
        "24",
        "20241",
        "20241301",
        "20240230",
        "2024022924",
        "202402291360",
        "20240229135961",
        "2024-02-29",
        "20240229T1359",
        "20240229135958+1500",
        "1970031x",
        "20240229135958.+0100",
    ],
)
def test_what_says_no_time(text: str) -> None:
    assert parse_dtm(text) is None
    assert fhir_datetime(text, BERLIN).text is fhir_date(text).text is fhir_instant(text, BERLIN).text is None


@pytest.mark.parametrize(
    ("text", "zone", "said", "flag"),
    [
        ("2024", BERLIN, "2024", ""),
        ("202402", BERLIN, "2024-02", ""),
        ("20240229", BERLIN, "2024-02-29", ""),
        ("2024022913", BERLIN, "2024-02-29", COARSE),  # minutes are never invented
        ("2024022913+0100", BERLIN, "2024-02-29", COARSE),
        ("202402291359", BERLIN, "2024-02-29T13:59:00+01:00", ""),  # seconds may be filled
        ("202407011359", BERLIN, "2024-07-01T13:59:00+02:00", ""),
        ("20240701135958.120-0500", BERLIN, "2024-07-01T13:59:58.120-05:00", ""),  # its own offset goes first
        ("20240701135958", "+03:30", "2024-07-01T13:59:58+03:30", ""),
        ("20240701135958", "", "2024-07-01", UNZONED),
        ("20241027023000", BERLIN, "2024-10-27T02:30:00+02:00", AMBIGUOUS),
        ("20240331023000", BERLIN, "2024-03-31T02:30:00+01:00", NONEXISTENT),
        ("20241103013000", "America/New_York", "2024-11-03T01:30:00-04:00", AMBIGUOUS),
        ("18800101120000", BERLIN, "1880-01-01", UNZONED),  # local mean time: FHIR cannot say it
    ],
)
def test_date_times(text: str, zone: str, said: str, flag: str) -> None:
    assert fhir_datetime(text, zone) == (said, flag)
    assert DATETIME.fullmatch(said)


@pytest.mark.parametrize(
    ("channel", "msh7", "zone"),
    [
        (BERLIN, "20240102030405+0100", BERLIN),
        (BERLIN, "20240702030405+0200", BERLIN),
        (BERLIN, "20240702030405+0100", "+01:00"),  # the message contradicts the channel, and is believed
        (BERLIN, "20240702030405", BERLIN),
        (BERLIN, "", BERLIN),
        (BERLIN, "nonsense", BERLIN),
        (BERLIN, "20241027023000+0100", BERLIN),  # both offsets of the doubled hour agree
        (BERLIN, "20241027023000+0200", BERLIN),
        ("", "20240702030405+0200", "+02:00"),
        ("", "20240702030405", ""),
        ("", "", ""),
    ],
)
def test_the_zone_of_a_message(channel: str, msh7: str, zone: str) -> None:
    assert zone_of(channel, msh7) == zone


def test_a_winter_sample_in_a_summer_message() -> None:
    """MSH-7 agrees with the channel in July, so a sample of January is in winter time."""
    assert fhir_datetime("20240102030405", zone_of(BERLIN, "20240702120000+0200")).text == "2024-01-02T03:04:05+01:00"


@pytest.mark.parametrize(
    ("text", "said", "flag"),
    [
        ("2024", None, COARSE),
        ("2024022913", None, COARSE),
        ("202402291359+0100", "2024-02-29T13:59:00+01:00", ""),
        ("202402291359", None, UNZONED),
    ],
)
def test_instants(text: str, said: str | None, flag: str) -> None:
    assert fhir_instant(text) == (said, flag)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1359", "13:59:00"),
        ("135958", "13:59:58"),
        ("135958.12", "13:59:58.12"),
        ("13", None),
        ("2459", None),
        ("1360", None),
        ("x", None),
        ("", None),
    ],
)
def test_times(text: str, said: str | None) -> None:
    assert fhir_time(text).text == said
    assert fhir_time("1359+0100") == ("13:59:00", UNZONED)


def test_dates_are_as_exact_as_they_were() -> None:
    assert [fhir_date(text).text for text in ("2024", "202402", "20240229", "20240229135958+0100")] == [
        "2024",
        "2024-02",
        "2024-02-29",
        "2024-02-29",
    ]


def test_comparing() -> None:
    assert sortable("20240701135958.5+0200") == "2024-07-01T11:59:58.500000Z"
    assert sortable("20240701135958", BERLIN) == "2024-07-01T11:59:58.000000Z"
    assert sortable("20240701") == "2024-07-01T00:00:00.000000Z"
    assert sortable("0001010100+1400") == sortable("x") == ""


def test_writing() -> None:
    assert write_dtm(datetime(2024, 2, 3, 4, 5, 6, 789, tzinfo=timezone.utc)) == "20240203040506+0000"
    assert write_dtm(datetime(2024, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))) == "20240203040506-0330"
    assert write_dtm(datetime(2024, 2, 3, 4, 5, 6)) == "20240203040506"


@given(
    st.datetimes(min_value=datetime(1900, 1, 1)),
    st.sampled_from([BERLIN, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "+05:45", ""]),
)
def test_every_time_is_legal_fhir_and_the_same_moment(when: datetime, zone: str) -> None:
    converted = fhir_datetime(write_dtm(when), zone)
    assert DATETIME.fullmatch(converted.text)
    if "T" in converted.text:
        assert datetime.fromisoformat(converted.text).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ") == sortable(
            write_dtm(when), zone
        )


@given(st.text(alphabet="0123456789.+-Z^D", max_size=28))
def test_anything_is_a_legal_value_or_none(text: str) -> None:
    for zone in (BERLIN, "-05:00", ""):
        said = fhir_datetime(text, zone).text
        assert said is None or DATETIME.fullmatch(said)
        sortable(text, zone)
    fhir_time(text)
