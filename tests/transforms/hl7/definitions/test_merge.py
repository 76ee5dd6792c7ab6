"""The versions of a structure become one, in which older paths stay what they were."""

from __future__ import annotations

import pytest

from transforms.hl7.definitions.merge import merged
from transforms.hl7.grammar import parse_grammar


def together(**versions: str) -> str:
    parts = [(version.replace("v", "").replace("_", "."), parse_grammar("S", text)) for version, text in versions.items()]
    return " ".join(map(str, merged("S", parts).parts))


@pytest.mark.parametrize(
    ("versions", "one"),
    [
        ({"v2_3": "MSH PID", "v2_5_1": "MSH PID"}, "MSH PID"),
        ({"v2_3": "MSH [ZA1] PID", "v2_5_1": "MSH PID [PD1]"}, "MSH [ZA1] PID [PD1]"),
        ({"v2_3": "MSH {RESPONSE(PID OBR)}", "v2_5_1": "MSH {RESULT(PID [NTE] OBR)}"}, "MSH {RESULT(PID [NTE] OBR)}"),
        ({"v2_5_1": "MSH {O([ORC] OBR)}", "v2_8": "MSH {O([C(ORC [{PRT}])] OBR)}"}, "MSH {O([(ORC [{PRT}])] OBR)}"),
        ({"v2_3": "MSH PID [PV1] [PV2]", "v2_8": "MSH PID [VISIT(PV1 [PV2])]"}, "MSH PID [VISIT(PV1 [PV2])]"),
        ({"v2_3": "MSH {G([{C(SAC)}] {O(ORC OBR [BLG])})}", "v2_5_1": "MSH {O(ORC OBR)}"}, "MSH [{C(SAC)}] {O(ORC OBR [BLG])}"),
        ({"v2_5_1": "MSH {A_B_SUPPGRP(OBX)}"}, "MSH {(OBX)}"),
        ({"v2_5_1": "MSH {PRIOR_RESULT([PATIENT_PRIOR(PID)] OBR)}"}, "MSH {PRIOR_RESULT(PATIENT_PRIOR(PID) OBR)}"),
        ({"v2_5_1": "MSH [{NOTED(OBX [TCD])}]", "v2_8": "MSH [{OBX}]"}, "MSH [{OBX}] [TCD]"),
    ],
)
def test_merging(versions: dict[str, str], one: str) -> None:
    assert together(**versions) == one
