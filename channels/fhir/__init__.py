"""The FHIR destination: a core that plans requests and reads answers, and a shell that sends."""
