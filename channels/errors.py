"""What a connector may refuse."""


class ConnectorError(Exception):
    """A connector cannot be opened as declared; says why, never a secret."""
