"""Bytes are read as MSH-18 says, else as they allow, and never refused unless that is asked for."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import MessageError
from transforms.hl7.characters import codec_for, declared_set, decode
from transforms.hl7.message import parse

HEAD = "MSH|^~\\&|LAB|H|E|H|20240101||ORU^R01|1|P|2.5.1||||||{}\rPID|1||7||"


def message(charset: str, name: str, codec: str) -> bytes:
    return (HEAD.format(charset) + name + "\r").encode(codec)


@pytest.mark.parametrize(
    ("msh18", "codec"),
    [
        ("", "ascii"),
        ('""', "ascii"),
        ("ASCII", "ascii"),
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("ISO-8859-2", "iso8859-2"),
        ("UNICODE UTF-8", "utf-8"),
        ("utf-8", "utf-8"),
        ("UNICODE", "utf-8"),
        ("UNICODE UTF-16", "utf-16"),
        ("GB 18030-2000", "gb18030"),
        ("ISO IR87", "iso2022_jp_2"),
        ("ASCII~ISO IR87~ISO IR159", "iso2022_jp_2"),
        ("ISO IR14~ISO IR87~ISO IR13", "iso2022_jp_ext"),
        ("KS X 1001", "cp949"),
        ("BIG-5", "big5hkscs"),
        ("WINDOWS-1250", "cp1250"),
        ("8859/1~ISO IR87", "iso8859-1"),
        ("code1", None),
        ("CNS 11643-1992", None),
    ],
)
def test_names_of_table_0211(msh18: str, codec: str | None) -> None:
    assert codec_for(msh18) == codec
    if codec is not None:
        codecs.lookup(codec)


@pytest.mark.parametrize(
    ("charset", "name", "codec"),
    [
        ("8859/1", "Zörb^Renée", "iso8859-1"),
        ("8859/2", "Łukasz^Žižka", "iso8859-2"),
        ("8859/5", "Иванов", "iso8859-5"),
        ("8859/7", "Παπαδόπουλος", "iso8859-7"),
        ("8859/15", "Œuvre€", "iso8859-15"),
        ("UNICODE UTF-8", "山田^太郎", "utf-8"),
        ("GB 18030-2000", "王^小明", "gb18030"),
        ("ASCII~ISO IR87", "山田^太郎", "iso2022_jp_2"),
        ("ASCII~ISO IR87~ISO IR159", "Zörb^山田", "iso2022_jp_2"),
        ("KS X 1001", "김^철수", "cp949"),
        ("BIG-5", "王^小明", "big5hkscs"),
    ],
)
def test_as_declared(charset: str, name: str, codec: str) -> None:
    """Every set is read without a note, and written back as it came."""
    raw = message(charset, name, codec)
    read = parse(raw)
    assert read.get("PID-5") == name
    assert (read.encoding, read.notes, bytes(read)) == (codec, (), raw)
    assert read.text.encode(codec) == raw


@pytest.mark.parametrize(
    ("raw", "name", "codec", "code"),
    [
        (message("", "Zörb", "utf-8"), "Zörb", "utf-8", "charset_undeclared"),
        (message("", "Zörb", "latin-1"), "Zörb", "cp1252", "charset_undeclared"),
        (message("ASCII", "Zörb", "utf-8"), "Zörb", "utf-8", "charset_mismatch"),
        (message("UNICODE UTF-8", "Zörb", "latin-1"), "Zörb", "cp1252", "charset_mismatch"),
        (message("8859/1", "Größe É", "utf-8"), "Größe É", "utf-8", "charset_mismatch"),
        (message("8859/1", "“Zörb”", "cp1252"), "“Zörb”", "cp1252", "charset_mismatch"),
        (message("code1", "Zörb", "utf-8"), "Zörb", "utf-8", "charset_unknown"),
        (message("", "山田", "iso2022_jp_2"), "山田", "iso2022_jp_2", "charset_undeclared"),
        (message("UNICODE UTF-16", "Zörb", "utf-8"), "Zörb", "utf-8", "charset_mismatch"),
        (message("GB 18030-2000", "\x81\xff", "latin-1"), "\x81ÿ", "latin-1", "charset_mismatch"),
    ],
)
def test_where_bytes_and_declaration_disagree(raw: bytes, name: str, codec: str, code: str) -> None:
    read = decode(raw)
    assert (read.codec, [note.code for note in read.notes]) == (codec, [code])
    assert name in read.text
    assert read.text.encode(codec) == raw
    with pytest.raises(MessageError) as caught:
        decode(raw, "strict")
    assert caught.value.place == "MSH-18"


def test_switching_that_cannot_be_followed_is_told() -> None:
    """Latin letters and Japanese ones by turns: no codec reads that, so it is not passed over in silence."""
    raw = message("8859/1~ISO IR87", "Zörb^", "latin-1") + b"NTE|1||\x1b$B;3\x1b(B\r"
    assert [note.code for note in decode(raw).notes] == ["charset_switch"]
    assert decode(raw).text.encode("latin-1") == raw


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("charset", ["", "UNICODE UTF-16", "8859/1"])
def test_a_byte_order_mark_outranks_the_declaration(codec: str, charset: str) -> None:
    raw = message(charset, "Zörb^山田", codec)
    read = parse(raw)
    assert read.get("PID-5") == "Zörb^山田"
    assert bytes(read) == raw
    assert bytes(read.replace("PID-5", "Ötzi")).decode(codec) == raw.decode(codec).replace("Zörb^山田", "Ötzi")


def test_broken_wide_text_is_read_as_far_as_it_goes() -> None:
    raw = codecs.BOM_UTF16_LE + message("", "x", "utf-16-le") + b"\0\xd8"
    assert [note.code for note in parse(raw).notes] == ["charset_mismatch"]
    with pytest.raises(MessageError):
        decode(raw, "strict")


@given(
    st.binary(max_size=60),
    st.sampled_from(["", "8859/1", "8859/7", "UNICODE UTF-8", "ISO IR87", "GB 18030-2000", "x", "UNICODE UTF-16", "BIG-5"]),
)
def test_no_bytes_are_refused(tail: bytes, charset: str) -> None:
    """Any bytes at all are read, and the message they stand in can be written back."""
    raw = HEAD.format(charset).encode() + tail.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"") + b"\r"
    assert bytes(parse(raw)) == raw


@given(st.binary(max_size=80))
def test_looking_for_the_declaration_never_fails(raw: bytes) -> None:
    assert isinstance(declared_set(raw)[0], str)
    decode(raw)
