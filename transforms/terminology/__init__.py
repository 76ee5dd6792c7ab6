"""Code systems, code tables and units."""
