"""The inverses of the functions of `as:`."""
