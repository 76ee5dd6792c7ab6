"""MLLP: framing and conversation as cores without I/O, source and destination as Twisted shells."""
