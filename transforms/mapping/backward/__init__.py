"""The maps, run backwards: FHIR to HL7 v2."""
