"""Recorded data: where it is found and how it is read."""
