"""``eyrie-convert bench DIR…``."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser("bench", help="measure packages on this machine")
    parser.set_defaults(run=lambda _arguments: None)
