"""Converts models into Eyrie model packages: a directory with the model and its metadata."""

__version__ = "0.1.0"
