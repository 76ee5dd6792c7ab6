"""Counters and gauges in Prometheus' form."""
