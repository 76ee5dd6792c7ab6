"""Measuring: load generator, sink, the floor, and the script that prints the table."""
