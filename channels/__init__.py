"""What carries messages: connectors and channel definitions.  Never imports the engine."""
