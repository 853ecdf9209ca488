"""``eyrie-convert bench DIR…``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from eyrie_convert import package
from eyrie_convert.download import say
from eyrie_convert.errors import ConversionError, UsageError

if TYPE_CHECKING:
    from eyrie_convert.bench import Result


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "bench",
        help="measure packages on this machine",
        description="Measures frames a second and the latency of packages, in turns, in every arithmetic that this CPU "
        "has, and prints them beside the floor that its peak sets. The targets: 30 FPS for a detector at 640, 50 ms "
        "for CLIP, 30 ms for a ViT.",
        epilog="example:\n  eyrie-convert bench models/yolo-v8n-openvino models/yolo-v8n-openvino-int8",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("packages", nargs="*", type=Path, metavar="DIR", help="model packages")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure, in each round (2)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--save", action="store_true", help="write the figures into the packages' metadata, as 'benchmark'"
    )
    parser.add_argument(
        "--vit-sizes", action="store_true", help="instead of packages, find out which sizes of ViT meet the target here"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from eyrie_convert.bench import benchmark_packages, measure_vit_sizes, table, vit_table

    if not 0 < arguments.seconds <= 600 or not 1 <= arguments.rounds <= 100:
        raise UsageError("--seconds is above 0 and up to 600, --rounds from 1 to 100")
    if arguments.vit_sizes == bool(arguments.packages):
        raise UsageError("bench takes packages, or --vit-sizes")
    if arguments.vit_sizes:
        results = measure_vit_sizes(seconds=arguments.seconds, rounds=arguments.rounds, progress=say)
    else:
        results = benchmark_packages(arguments.packages, arguments.seconds, arguments.rounds, say)
    if arguments.json:
        print(json.dumps([{"name": each.name, "benchmark": each.benchmark} for each in results], indent=2))
    else:
        print(vit_table(results) if arguments.vit_sizes else table(results))
    if arguments.save and not arguments.vit_sizes:
        save(arguments.packages, results)


def measure_and_save(directories: list[Path]) -> str:
    """Measure packages, write the figures into their metadata, and return the table."""
    from eyrie_convert.bench import benchmark_packages, table

    results = benchmark_packages(directories, progress=say)
    save(directories, results)
    return table(results)


def save(directories: list[Path], results: list[Result]) -> None:
    """Write the figures into the packages' metadata; what could not be measured here keeps what it has."""
    for directory, result in zip(directories, results, strict=True):
        if result.benchmark is not None:
            _save(directory, result.benchmark)


def _save(directory: Path, benchmark: dict) -> None:
    path = directory / package.METADATA
    metadata = {**package.read_json(path), "benchmark": benchmark}
    try:
        package.save_metadata(directory, metadata)
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}") from error
