"""What can go wrong, said in one line."""


class ConversionError(Exception):
    """A conversion or a download that cannot be done: what failed, on which input, why, what to do."""


class ReportedError(ConversionError):
    """The same, of which the user has been told already, by a program that was run for it."""


class UsageError(ConversionError):
    """Something that was asked for does not exist, or does not go together."""
