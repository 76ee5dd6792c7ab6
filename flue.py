"""Flue, pipes to FHIR: the name under which the distribution is imported."""

__version__ = "0.1.0"
