"""What makes the shipped datasets, byte for byte."""
