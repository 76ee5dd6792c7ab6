"""Exchange: which frame answers a message, and what it says."""

from __future__ import annotations

import pytest

from channels.message import Outcome, Verdict
from channels.mllp.exchange import Exchange, Wait
from transforms.hl7.message import Message, parse


def message(accept: str = "", application: str = "", control_id: str = "17") -> Message:
    return parse(f"MSH|^~\\&|A|B|C|D|20260304||ORU^R01|{control_id}|P|2.5|||{accept}|{application}\rPID|1\r".encode())


def ack(code: str, control_id: str = "17", more: str = "") -> bytes:
    return f"MSH|^~\\&|C|D|A|B|20260304||ACK|ACK|P|2.5\rMSA|{code}|{control_id}\r{more}".encode()


def verdict(outcome: Outcome | None) -> tuple[Verdict, str] | None:
    return (outcome.verdict, outcome.code) if outcome else None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("AA", (Verdict.SENT, "AA")),
        ("CA", (Verdict.SENT, "CA")),
        ("AE", (Verdict.REFUSED, "AE")),
        ("CE", (Verdict.REFUSED, "CE")),
        ("AR", (Verdict.COUNTED, "AR")),
        ("CR", (Verdict.COUNTED, "CR")),
        ("aa", (Verdict.SENT, "AA")),
        ("OK", (Verdict.COUNTED, "unknown")),
    ],
)
def test_what_codes_mean(code: str, expected: tuple[Verdict, str]) -> None:
    """AE is the message's fault, AR may pass; what the receiver said and what was sent are kept."""
    exchange = Exchange(message())
    outcome = exchange.receive(ack(code))
    assert verdict(outcome) == expected
    assert outcome is not None and (outcome.response, outcome.sent) == (ack(code), bytes(message()))


def test_the_reason_names_the_error_and_no_value() -> None:
    """ERR's code is told in words; what the receiver writes besides may hold a patient's name."""
    outcome = Exchange(message()).receive(ack("AE", more="ERR||PID^1^5|101^Name of Jane Doe missing^HL70357|E|||Jane Doe\r"))
    assert outcome is not None
    assert outcome.reason == "the receiver finds the message at fault: required field missing (0357#101)"


def test_a_control_id_with_escapes() -> None:
    """It is the same id, however the receiver writes it."""
    assert verdict(Exchange(message(control_id="A\\T\\1")).receive(ack("AA", "A\\T\\1"))) == (Verdict.SENT, "AA")


@pytest.mark.parametrize("stranger", [ack("AA", "16"), ack("AE", "16"), ack("AA", ""), message().raw, b"hello", b""])
def test_what_is_not_the_answer(stranger: bytes) -> None:
    """A late acknowledgment, one of nothing, a message, noise: counted, and the waiting goes on."""
    exchange = Exchange(message())
    assert exchange.receive(stranger) is None
    assert exchange.stray == 1
    assert verdict(exchange.receive(ack("AA"))) == (Verdict.SENT, "AA")


@pytest.mark.parametrize(("code", "expected"), [("AR", Verdict.COUNTED), ("AE", Verdict.REFUSED), ("CR", Verdict.COUNTED)])
def test_a_refusal_of_what_could_not_be_read(code: str, expected: Verdict) -> None:
    """It cannot return a control id; ours is the only message it can mean."""
    outcome = Exchange(message()).receive(ack(code, ""))
    assert outcome is not None and outcome.verdict is expected


def test_pairing_by_order() -> None:
    """For receivers that return nothing of use in MSA-2, and for messages without MSH-10."""
    assert verdict(Exchange(message(), pairing="order").receive(ack("AA", ""))) == (Verdict.SENT, "AA")
    assert verdict(Exchange(message(), pairing="order").receive(ack("AA", "1"))) == (Verdict.SENT, "AA")
    assert verdict(Exchange(message(control_id="")).receive(ack("AA", "1"))) == (Verdict.SENT, "AA")


@pytest.mark.parametrize(
    ("accept", "application", "wait", "answers", "settled_by"),
    [
        ("", "", "as_asked", ["AA"], 0),
        ("", "", "as_asked", ["CA", "AA"], 0),
        ("AL", "NE", "as_asked", ["CA"], 0),
        ("AL", "", "as_asked", ["CA"], 0),
        ("AL", "", "as_asked", ["AA"], 0),
        ("AL", "AL", "as_asked", ["CA", "AA"], 1),
        ("AL", "AL", "as_asked", ["AE"], 0),
        ("AL", "AL", "as_asked", ["CR"], 0),
        ("NE", "AL", "as_asked", ["AA"], 0),
        ("NE", "AL", "as_asked", ["CA", "AE"], 1),
        ("ER", "NE", "as_asked", ["CE"], 0),
        ("AL", "AL", "accept", ["CA"], 0),
        ("", "", "application", ["CA", "AR"], 1),
        ("AL", "NE", "application", ["CA"], None),
    ],
)
def test_which_answer_settles_it(accept: str, application: str, wait: Wait, answers: list[str], settled_by: int | None) -> None:
    """What MSH-15 and MSH-16 ask for, or what the site insists on."""
    exchange = Exchange(message(accept, application), wait)
    assert exchange.sent() is None
    outcomes = [exchange.receive(ack(code)) for code in answers]
    assert next((index for index, outcome in enumerate(outcomes) if outcome), None) == settled_by


def test_nothing_is_waited_for_where_nothing_is_asked() -> None:
    """NE and NE: sent is sent.  Answers only to errors: silence is consent.  Else silence is the receiver's failure."""
    assert verdict(Exchange(message("NE", "NE")).sent()) == (Verdict.SENT, "sent")
    assert verdict(Exchange(message("ER", "NE")).silent()) == (Verdict.SENT, "silence")
    assert verdict(Exchange(message("NE", "ER")).silent()) == (Verdict.SENT, "silence")
    assert verdict(Exchange(message()).silent()) == (Verdict.FAILING, "timeout")
    assert verdict(Exchange(message("AL", "AL")).silent()) == (Verdict.FAILING, "timeout")
    assert verdict(Exchange(message("NE", "NE"), "application").silent()) == (Verdict.FAILING, "timeout")
