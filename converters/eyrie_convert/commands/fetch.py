"""``eyrie-convert fetch NAME``."""

from __future__ import annotations

import argparse
from pathlib import Path

from eyrie_convert.fetch import FETCHERS, default_cache, fetch


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "fetch",
        help="download a model or video by name, check it, and convert it",
        description="Downloads what is known by name, checks its SHA-256 and converts it if it is a model. "
        "yolov3-tiny: public domain. yolov8n: much the better detector, AGPL-3.0; downloads torch. bikes: a "
        "street video.",
    )
    parser.add_argument("name", choices=sorted(FETCHERS))
    parser.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="of a model, its package")
    parser.add_argument("--cache", type=Path, default=None, metavar="DIR", help="where downloads are kept")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="yolov8n only: a local checkpoint instead of the official one"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    cache = (arguments.cache or default_cache()).absolute()
    print(fetch(arguments.name, arguments.output_dir, cache, arguments.checkpoint))
