"""What R4 (4.0.1) says its types are made of, as data, and the program that makes that data."""
