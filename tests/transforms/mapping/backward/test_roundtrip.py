"""Results there and back: what the ledger calls mapped comes back, or a rule says why not."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import pytest

from transforms.document import Context
from transforms.errors import MessageError
from transforms.fhir.serialization import loads
from transforms.hl7.message import parse
from transforms.mapping.backward.roundtrip import BACK, LOSSY, LOST, MOVED, RoundTrips
from transforms.mapping.library import Library

CONTEXT = Context(datetime(2024, 3, 7, tzinfo=timezone.utc))
LIBRARY = Library.load()
TRIPS = RoundTrips(LIBRARY)
RESULT = (
    "MSH|^~\\&|LAB|HOSP|EHR|HOSP|20240305123045+0100||ORU^R01^ORU_R01|M1|P|2.5.1\r"
    "PID|1||123^^^HOSP&1.2.3&ISO^MR||Doe^Jane^Q^^Dr^^L||19800101|F|||1 Main St^^Town^ST^12345^^H||555-1234^PRN^PH\r"
    "PV1|1|I|WARD^1^A|||||||||||||||||V1^^^HOSP&1.2.3&ISO\r"
    "ORC|RE|P1^CPOE|F1^LAB\r"
    "OBR|1|P1^CPOE|F1^LAB|CBC^Count^L|||20240305080000+0100|||||||||^House^Gregory||||||20240305120000+0100||HM|F\r"
    "NTE|1||about the report\r"
    "OBX|1|NM|2345-7^Glucose^LN||7.0|mmol/L|3.5-5.0|H|||F|||20240305081500+0100\r"
    "NTE|1||a note\r"
    "OBX|2|SN|2345-7^Glucose^LN|2|>^90|mg/dL|||||C\r"
    "OBX|3|CWE|883-9^ABO^LN||A^Group A^L||||||P\r"
    "OBX|4|TX|R^Remark^L||one~two||||||F\r"
    "OBX|5|TS|T^Time^L||20240305||||||R\r"
    "SPM|1|^S1&LAB||BLD^Blood^HL70487|||||||||||||20240305080000+0100\r"
)


def test_a_usual_result_comes_back_whole() -> None:
    """Numbers, codes, text, times, flags, ranges, notes, statuses with no code in FHIR, and all around them."""
    trip = TRIPS(parse(RESULT.encode()), CONTEXT)
    assert not trip.lost
    assert [each.path for each in trip.atoms if each.fate == LOSSY] == ["PV1-3.1", "PV1-3.2", "PV1-3.3"]
    assert trip.counts[BACK] > 80


def test_a_rule_is_to_blame() -> None:
    """A document is written by nothing yet: what it said is lost, each text with the rule that read it."""
    trip = TRIPS(parse((RESULT + "OBX|1|ED|PDF^Report^L||LAB^AP^PDF^Base64^QUJD||||||F\r").replace("SPM|", "ZZZ|").encode()), CONTEXT)
    assert {each.rule for each in trip.lost} & {"OBX_DiagnosticReport/presentedForm", "ORU_R01/document"}


def test_what_comes_back_is_the_same_in_fhir() -> None:
    """FHIR to v2 to FHIR: the ledger of the way back is empty."""
    convert = LIBRARY.converter("ORU_R01")
    message = parse(RESULT.encode())
    assert TRIPS._back(convert(message, CONTEXT).bundle, CONTEXT).left == ()


@pytest.mark.shared
def test_the_corpus_of_results(shared: Path) -> None:
    """Of all mapped texts of the corpus 98 % come back, and hardly any is lost without a reason."""
    total: Counter[str] = Counter()
    for file in sorted((shared / "corpus" / "oru").glob("*.hl7")):
        if file.stat().st_size < 40_000:
            try:
                total.update(TRIPS(parse(file.read_bytes()), CONTEXT).counts)
            except MessageError:
                assert file.name == "cosyte__inject-on-encode.hl7"  # nothing to convert in it
    assert (total[BACK] + total[MOVED]) / total.total() > 0.97
    assert total[LOST] / total.total() < 0.01


@pytest.mark.shared
def test_bundles_of_others(shared: Path) -> None:
    """The results among the pairs become messages, those that are orders are refused."""
    made = []
    for file in sorted((shared / "corpus" / "pairs_fhir_to_v2").rglob("*.json")):
        bundle = loads(file.read_bytes())
        kinds = {each["resource"]["resourceType"] for each in bundle["entry"]}
        if "DiagnosticReport" in kinds:
            written = TRIPS._back(bundle, CONTEXT)
            results = sum(len(each["resource"].get("result", ())) for each in bundle["entry"] if each["resource"]["resourceType"] == "DiagnosticReport")
            dangling = sum(path.endswith(".result") for path in written.left)
            made.append(sum(segment.name == "OBX" for segment in written.message.segments) == results - dangling)
    assert made == [True] * 4
