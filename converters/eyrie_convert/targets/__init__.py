"""The formats a network is written in, one module each."""
