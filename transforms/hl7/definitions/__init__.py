"""Message structures and field names of HL7 v2, generated from hl7apy and HL7's table 0354; see SOURCE.txt."""
