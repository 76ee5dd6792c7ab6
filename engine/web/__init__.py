"""The HTTP server the doors share."""
