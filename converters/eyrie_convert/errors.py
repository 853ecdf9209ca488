"""What can go wrong, said in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class ConversionError(Exception):
    """A conversion or a download that cannot be done: what failed, on which input, why, what to do."""


class ReportedError(ConversionError):
    """The same, of which the user has been told already, by a program that was run for it."""


class UsageError(ConversionError):
    """Something that was asked for does not exist, or does not go together."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error that says something; libraries write whole paragraphs."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Where a check failed in the library's own source is of no use to anybody here.
    told = [line for line in lines if not line.startswith(("Exception from ", "Check '"))] or lines
    if len(told) > 1 and told[0].endswith(":"):  # a heading: what it is about comes next
        told = [f"{told[0]} {told[1]}"]
    return told[0][:200] if told else type(error).__name__


def reason_of(error: BaseException) -> str:
    """Return why the system refused something, and of which file; of other errors, what they say."""
    if not isinstance(error, OSError) or not error.strerror:
        return first_line(error)
    return f"{error.strerror} ({error.filename})" if error.filename else error.strerror


@contextmanager
def unforeseen(what: str) -> Iterator[None]:
    """Say in one line what a library raised that nobody had foreseen; with ``EYRIE_TRACEBACK`` set, in full."""
    try:
        yield
    except (ConversionError, MemoryError, BrokenPipeError):
        raise
    except Exception as error:
        if os.environ.get("EYRIE_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.strerror:
            raise ConversionError(f"{what} failed: {reason_of(error)}") from error
        raise ConversionError(
            f"{what} failed: it met {type(error).__name__}: {first_line(error)} (all of it: EYRIE_TRACEBACK=1)"
        ) from error
