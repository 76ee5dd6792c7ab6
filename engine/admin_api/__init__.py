"""The engine's own API under /v1."""
