"""The file destination."""
