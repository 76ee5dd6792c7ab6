"""HL7 v2: messages, structures, escapes, character sets, acknowledgments."""
