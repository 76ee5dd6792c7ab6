"""The durable record of every message: SQLite, one connection that writes."""
