"""YAML text into located, checked, frozen values."""
