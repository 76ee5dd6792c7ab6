"""A laboratory for the tests of this folder: messages written short, and what becomes of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from transforms.document import Context, Identity
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions
from transforms.mapping.to_fhir import Converted


class Lab:
    """Sends results, and reads what was made of them."""

    SITE = Identity(base="https://site.example/ids", secret="secret")
    CONTEXT = Context(datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc), identity=SITE)
    HEADER = "MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20240115103000||ORU^R01|77|P|2.5.1"
    PID = "PID|||1^^^MRN^MR||Doe^Jo"
    OBR = "OBR|1|P1^PLACER|F1^FILLER|CBC^Count^L|||20240115080000|||||||||||||||20240115102500|||F"

    @staticmethod
    def message(*lines: str, header: str = HEADER) -> bytes:
        """A message of these segments."""
        return ("\r".join([header, *lines]) + "\r").encode()

    @staticmethod
    def obx(code: str = "GLU", value: str = "7.0", kind: str = "NM", sub: str = "", status: str = "F", unit: str = "g", number: int = 1) -> str:
        """A result."""
        return f"OBX|{number}|{kind}|{code}^Name^L|{sub}|{value}|{unit}|||||{status}"

    def convert(self, *lines: str, header: str = HEADER, context: Context = CONTEXT, **options: Any) -> Converted:
        """What becomes of a message of these segments."""
        return Library.load().converter("auto", MapOptions(**options))(parse(self.message(*lines, header=header)), context)

    @staticmethod
    def of(converted: Converted, kind: str) -> list[dict[str, Any]]:
        """The resources of a type, in the order of the bundle."""
        return [each["resource"] for each in converted.bundle["entry"] if each["resource"]["resourceType"] == kind]

    @staticmethod
    def urls(converted: Converted, kind: str) -> list[str]:
        """Their fullUrls."""
        return [each["fullUrl"] for each in converted.bundle["entry"] if each["resource"]["resourceType"] == kind]


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The laboratory."""
    return Lab()
