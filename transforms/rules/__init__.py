"""Rules of a filter, one file each."""
