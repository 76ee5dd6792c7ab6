"""What escape sequences say, and that nothing unknown is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.hl7.delimiters import ABSENT, STANDARD, Delimiters
from transforms.hl7.escapes import escape, unescape

MARKS = st.lists(st.sampled_from("|^~\\&#!$%*/:;@_`{}+.-"), min_size=6, max_size=6, unique=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain", "plain"),
        (r"a\F\b\S\c\R\d\E\e\T\f", "a|b^c~d\\e&f"),
        (r"one\.br\two", "one\ntwo"),
        (r"one\.sp\two\.sp2\\.sp 3\x", "one\ntwo\n\n\n\n\nx"),
        (r"\.ce\title\.fi\text\.in+4\a\.ti2\b\.sk3\c", "\ntitletexta  b   c"),
        (r"\H\POSITIVE\N\ for", "POSITIVE for"),
        (r"\X48656C6C6F\ \X0D0A\ \XC3A4\ ", "Hello \r\n ä "),
        (r"\XE4\ ", "ä "),  # no UTF-8: read as Latin
        (r"\M2442\;3ED\C2842\ Taro", "山田 Taro"),
        (r"\M242844\+S\C2842\.", "ö."),
        (r"\C2D46\abc", "abc"),
    ],
)
def test_known_sequences(text: str, said: str) -> None:
    assert unescape(text) == said


@pytest.mark.parametrize(
    "text",
    [
        r"\Zlocal\ ",
        r"\Q\ ",
        r"C:\dir\file",
        "50\\",
        "\\",
        r"a\\b",
        r"\X4\ ",
        r"\XZZ\ ",
        r"\P\ ",
        r"\C99\ ",
        r"\CFFFF\abc",
        r"\M2\x",
        r"\.xx\ ",
        "\\" * 7,
    ],
)
def test_unknown_sequences_stay(text: str) -> None:
    assert unescape(text) == text


def test_a_known_sequence_after_an_unknown_one_is_still_read() -> None:
    assert unescape(r"10\20\F\30") == r"10\20|30"


def test_hexadecimal_data_is_in_the_message_s_character_set() -> None:
    assert unescape(r"\XB1\ ", encoding="iso8859-2") == "ą "
    assert unescape(r"\XC9BD\ ", encoding="gb18030") == "山 ".replace("山", b"\xc9\xbd".decode("gb18030"))


def test_truncation_has_a_sequence_where_it_is_declared() -> None:
    declared = Delimiters(truncation="#")
    assert unescape(r"a\P\b", declared) == "a#b"
    assert escape("a#b", declared) == r"a\P\b"
    assert escape("a#b") == "a#b"


def test_writing() -> None:
    assert escape("a|b^c~d\\e&f\ng\r\x0b\x1c") == r"a\F\b\S\c\R\d\E\e\T\f\.br\g\X0D\\X0B\\X1C" + "\\"
    assert escape("tab\tstays, ä too") == "tab\tstays, ä too"


def test_without_an_escape_character_nothing_is_escaped_and_nothing_cut() -> None:
    """A sender that declares no escape character cannot be told one: what would cut the text becomes a blank."""
    bare = Delimiters(escape=ABSENT, subcomponent=ABSENT)
    assert escape("a|b&c\rd", bare) == "a b&c d"
    assert unescape(r"a\F\b", bare) == r"a\F\b"


@given(st.text())
def test_what_is_escaped_reads_back(text: str) -> None:
    written = escape(text)
    assert unescape(written) == text
    assert not set(written) & set("|^~&\r\n\x0b\x1c")


@given(st.text(alphabet=st.sampled_from("|^~\\&#!$%*/.XFSRETPabr09\n\r ä山")), MARKS)
def test_with_any_delimiters(text: str, marks: list[str]) -> None:
    """Whatever characters a sender chooses."""
    delimiters = Delimiters(*marks)
    written = escape(text, delimiters)
    assert unescape(written, delimiters) == text
    assert not any(mark in written for mark in marks if mark != delimiters.escape)


@given(st.text(alphabet="\\XCMHNF.brspZ0123456789ABCDEF &;=ü"))
def test_reading_never_fails(text: str) -> None:
    assert isinstance(unescape(text), str)
    assert unescape(text, STANDARD, "ascii") is not None


@given(st.text(alphabet="abc\\ äö", min_size=1))
def test_unknown_text_is_kept_letter_by_letter(text: str) -> None:
    assert unescape(text) == text
