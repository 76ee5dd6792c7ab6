"""What changes messages: HL7 and FHIR values, maps, terminology, steps.  No network, no clock, no randomness."""
