"""Deltas of the schema, numbered and never edited once released; `schema` applies them."""
