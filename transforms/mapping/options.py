"""What a site may decide about a map without changing it: the options of `map_to_fhir`."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from transforms.component import option


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MapOptions:
    """Decisions the message does not carry; defaults are the careful ones."""

    obx_after_spm: Literal["auto", "result", "specimen"] = option(
        "OBX after SPM: results of the order, or about the specimen; auto: results where the order has no OBX of its own.", default="auto"
    )
    filler_numbers: Literal["unique", "recycled"] = option(
        "recycled: the laboratory starts its numbers again, so the day of OBR-7 joins the key.", default="unique"
    )
    text_numbers: Literal["quantity", "text"] = option(
        "ST or TX that is strictly a number and has a unit: a Quantity, or text as it stands.", default="quantity"
    )
    no_patient_id: Literal["hold", "send"] = option("A message without a usable patient identifier: hold it, or send it.", default="hold")
    unknown_codes: Literal["text", "flag"] = option("flag: codes without a known system are also noted.", default="flag")
