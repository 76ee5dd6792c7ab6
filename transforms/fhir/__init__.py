"""FHIR R4: bundles, identity, JSON with exact decimals, validation, outcomes."""
