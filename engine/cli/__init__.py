"""The flue command."""
