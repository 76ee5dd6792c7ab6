"""A filter and steps run in order; what ends them says which one it was and where it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from transforms.component import Resources
from transforms.declaration.building import Placed
from transforms.document import Context, Document
from transforms.errors import ErrorCode, MessageError
from transforms.pipeline import Filtered, build

DOCUMENT = Document("text/plain", "a", Context(datetime(2024, 1, 1, tzinfo=UTC)))


class Add:
    """A step that has to be prepared."""

    def __init__(self, text: str) -> None:
        self.text = text

    def prepare(self, resources: Resources):  # noqa: ANN201
        return lambda document: document.with_body(document.body + self.text + resources.settings.get("more", ""))


def is_a(document: Document) -> bool:
    return document.body == "a"


def is_b(document: Document) -> bool:
    return document.body == "b"


def refuse(document: Document) -> Document:
    raise MessageError(ErrorCode.DATA_TYPE, "OBX-5", "is no number", origin="map.yaml:7")


def refuse_plainly(document: Document) -> Document:
    raise MessageError(ErrorCode.DATA_TYPE, "OBX-5", "is no number", fatal=True)


def break_down(document: Document) -> Document:
    raise KeyError("Doe")


def placed(name: str, declaration: object, line: int) -> Placed:
    return Placed(name, declaration, "channel.yaml", line)


def test_steps_run_in_order() -> None:
    run = build([placed("is_a", is_a, 1)], [placed("add", Add("b"), 2), placed("add", Add("c"), 3)], Resources(settings={"more": "."}))
    assert run(DOCUMENT) == replace(DOCUMENT, body="ab.c.")


def test_nothing_to_do_gives_the_document_itself() -> None:
    assert build([], [], Resources())(DOCUMENT) is DOCUMENT


def test_the_first_rule_that_does_not_hold_is_told() -> None:
    run = build([placed("is_a", is_a, 1), placed("is_b", is_b, 2), placed("is_c", is_b, 3)], [placed("broken", break_down, 4)], Resources())
    assert run(DOCUMENT) == Filtered("is_b", "channel.yaml:2")


def test_a_refusal_says_which_step_and_which_rule_of_its_map() -> None:
    with pytest.raises(MessageError) as caught:
        build([], [placed("add", Add("b"), 1), placed("map", refuse, 2)], Resources())(DOCUMENT)
    error = caught.value
    assert (error.code, error.place, error.why) == (ErrorCode.DATA_TYPE, "OBX-5", "is no number")
    assert error.origin == "channel.yaml:2 map, map.yaml:7"
    with pytest.raises(MessageError) as caught:
        build([placed("rule", refuse_plainly, 5)], [], Resources())(DOCUMENT)
    assert (caught.value.origin, caught.value.fatal) == ("channel.yaml:5 rule", True)


def test_a_step_that_breaks_tells_its_kind_of_error_and_no_value() -> None:
    with pytest.raises(MessageError) as caught:
        build([], [placed("mine", break_down, 9)], Resources())(DOCUMENT)
    error = caught.value
    assert (error.code, error.origin) == (ErrorCode.INTERNAL, "channel.yaml:9 mine")
    assert "KeyError" in str(error) and "Doe" not in str(error)
