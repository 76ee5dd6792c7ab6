"""Declared maps between HL7 v2 and FHIR, compiled to Python functions."""
