"""The commands of ``eyrie-convert``, one module each: its arguments, and what it prints."""
