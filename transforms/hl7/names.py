"""What segments and fields are called, for people to read.  Field names come from hl7apy's definitions (see definitions)."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

_SEGMENTS = {
    "ABS": "Abstract", "ACC": "Accident", "ADD": "Addendum", "AIG": "Appointment, General Resource", "AIL": "Appointment, Location",
    "AIP": "Appointment, Personnel", "AIS": "Appointment, Service", "AL1": "Allergy", "ARV": "Access Restriction",
    "BHS": "Batch Header", "BLG": "Billing", "BTS": "Batch Trailer", "CTD": "Contact Data", "CTI": "Clinical Trial", "DB1": "Disability",
    "DG1": "Diagnosis", "DRG": "Diagnosis Related Group", "DSC": "Continuation Pointer", "DSP": "Display Data", "ERR": "Error",
    "EVN": "Event Type", "FHS": "File Header", "FT1": "Financial Transaction", "FTS": "File Trailer", "GT1": "Guarantor",
    "IAM": "Adverse Reaction", "IN1": "Insurance", "IN2": "Insurance, Additional", "IN3": "Insurance, Certification",
    "INV": "Inventory Detail", "IPC": "Imaging Procedure", "MFA": "Master File Acknowledgment", "MFE": "Master File Entry",
    "MFI": "Master File", "MRG": "Merged Patient", "MSA": "Message Acknowledgment", "MSH": "Message Header", "NK1": "Next of Kin",
    "NPU": "Bed Status", "NTE": "Notes and Comments", "OBR": "Observation Request", "OBX": "Observation", "ODS": "Dietary Orders",
    "ODT": "Diet Tray", "ORC": "Common Order", "PD1": "Patient, Additional", "PDA": "Patient Death and Autopsy", "PID": "Patient",
    "PR1": "Procedure", "PRB": "Problem", "PRD": "Provider Data", "PRT": "Participation", "PV1": "Patient Visit",
    "PV2": "Patient Visit, Additional", "QAK": "Query Acknowledgment", "QPD": "Query Parameters", "QRD": "Query Definition",
    "QRF": "Query Filter", "RCP": "Response Control", "RF1": "Referral", "RGS": "Resource Group", "ROL": "Role",
    "RQ1": "Requisition Detail", "RQD": "Requisition",
    "RXA": "Pharmacy Administration", "RXC": "Pharmacy Component", "RXD": "Pharmacy Dispense",
    "RXE": "Pharmacy Encoded Order", "RXG": "Pharmacy Give", "RXO": "Pharmacy Order", "RXR": "Pharmacy Route", "SAC": "Specimen Container",
    "SCH": "Scheduling Activity", "SFT": "Software", "SID": "Substance", "SPM": "Specimen", "STF": "Staff", "TCD": "Test Code Detail",
    "TQ1": "Timing and Quantity", "TQ2": "Timing, Order Sequence", "TXA": "Transcription Document Header", "UAC": "User Authentication",
    "UB1": "Billing, UB82", "UB2": "Billing, UB92",
}  # fmt: skip


def segment_name(segment: str) -> str:
    """`PID` -> `Patient`; empty if nobody named it."""
    return _SEGMENTS.get(segment, "Local Segment" if segment[:1] == "Z" else "")


def field_name(segment: str, field: int) -> str:
    """`PID`, 5 -> `Patient Name`; empty if nobody named it."""
    names = _fields().get(segment, ())
    return names[field - 1] if 0 < field <= len(names) else ""


def field_type(segment: str, field: int) -> str:
    """`PID`, 3 -> `CX`; empty if no version has that field."""
    types = _types().get(segment, ())
    return types[field - 1] if 0 < field <= len(types) else ""


@cache
def _types() -> dict[str, list[str]]:
    return json.loads((files("transforms.hl7.definitions") / "types.json").read_text(encoding="utf-8"))


@cache
def _fields() -> dict[str, list[str]]:
    return json.loads((files("transforms.hl7.definitions") / "names.json").read_text(encoding="utf-8"))
