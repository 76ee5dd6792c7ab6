"""The functions of `as:`: one module a family of datatypes, each function registered by name."""
