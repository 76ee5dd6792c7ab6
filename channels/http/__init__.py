"""HTTP: a client with credentials, and the destination that sends anything anywhere."""
