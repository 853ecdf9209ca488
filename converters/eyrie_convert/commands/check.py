"""``eyrie-convert check``: converts one model of each family to every target, and says whether all is well."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path

from eyrie_convert.commands.convert import convert_network
from eyrie_convert.commands.results import Result, table
from eyrie_convert.errors import ConversionError, ReportedError
from eyrie_convert.network import Network
from eyrie_convert.options import ConversionOptions, Target

# The published model of each family, and the layers of the same one for where it cannot be had.
MODELS = {"yolo": ("yolov8n", "yolov8n.yaml"), "clip": ("ViT-B/32", "clip-vit-b-32"), "vit": ("ViT-B/16", "vit-b-16")}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check",
        help="convert and check a model of each family",
        description="Converts yolov8n, CLIP ViT-B/32 and ViT-B/16 to every target whose libraries are installed, "
        "compares each package with PyTorch, and ends with a summary. Where the published weights cannot be had, "
        "random ones take their place, which proves the conversion just as well.",
    )
    parser.add_argument("--only", choices=sorted(MODELS), help="one family alone")
    parser.add_argument("--target", default="coreml,openvino,onnx", metavar="LIST")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="keep the packages there (default: they are thrown away)"
    )
    parser.add_argument("--random", action="store_true", help="use random weights without asking the network")
    parser.set_defaults(run=_run)


def _log(message: str) -> None:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(f"{now} {message}", file=sys.stderr, flush=True)


def _run(arguments: argparse.Namespace) -> None:
    targets = [Target.parse(each) for each in dict.fromkeys(arguments.target.split(","))]
    families = [arguments.only] if arguments.only else list(MODELS)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="eyrie-convert-") as temporary:
        directory = arguments.output_dir or Path(temporary)
        results: list[Result] = []
        for family in families:
            results += _check(family, targets, directory, random=arguments.random)
        failed = [each for each in results if each.directory is None]
        print(table(results))
    passed = len(results) - len(failed)
    _log(f"{passed} passed, {len(failed)} failed, in {time.monotonic() - begun:.0f} s")
    if failed:
        raise ReportedError("a check failed")


def _check(family: str, targets: list[Target], directory: Path, *, random: bool) -> list[Result]:
    from eyrie_convert.converters import architecture, for_target

    options = ConversionOptions()
    _log(f"{family}: loading")
    try:
        loader = architecture(family)
        network = _network(loader, family, options, random=random)
    except ConversionError as error:
        _log(f"{family}: failed: {error}")
        return [Result(family, "-", reason=str(error))]
    results = []
    for target in targets:
        _log(f"{family}: converting to {target.value}")
        begun = time.monotonic()
        try:
            made = convert_network([for_target(target, loader, options)], network, directory)
        except ConversionError as error:
            made = [Result(f"{network.package_name}-{target.value}", "-", reason=str(error))]
        results += made
        verdict = "passed" if made[0].directory else f"failed: {made[0].reason}"
        _log(f"{family}: {target.value} {verdict} ({time.monotonic() - begun:.0f} s)")
    return results


def _network(loader, family: str, options: ConversionOptions, *, random: bool) -> Network:
    published, layers = MODELS[family]
    if not random:
        try:
            return loader.load(published, options)
        except ConversionError as error:
            _log(f"{family}: {error}; going on with random weights")
    if family == "yolo":
        return loader.load(layers, options)
    return loader.load(str(files("eyrie_convert") / "data" / "configs" / f"{layers}.json"), options)
