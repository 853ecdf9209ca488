"""The command line: ``python -m eyrie_convert`` or ``eyrie-convert``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from eyrie_convert import __version__
from eyrie_convert.errors import ConversionError, ReportedError
from eyrie_convert.fetch import FETCHERS, default_cache, fetch

EXAMPLES = """\
examples:
  eyrie-convert fetch yolov3-tiny --output-dir models/yolov3-tiny
  eyrie-convert darknet --cfg my.cfg --weights my.weights --labels my.names --output-dir models/my
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="eyrie-convert",
        description="Converts models into Eyrie model packages.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_darknet(commands)
    _add_fetch(commands)
    parsed = parser.parse_args(arguments)
    try:
        parsed.run(parsed)
    except ReportedError:
        return 1
    except ConversionError as error:
        print(f"eyrie-convert: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _add_darknet(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "darknet",
        help="convert a Darknet detector (yolov3, yolov3-tiny, yolov4-tiny and their like)",
        description="Converts a Darknet .cfg and .weights into a model package.",
    )
    parser.add_argument("--cfg", type=Path, required=True, metavar="FILE")
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE")
    parser.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="the package to write")
    parser.add_argument("--name", help="the model's name (default: that of the weights file)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one a line ('coco': the 80 of COCO)")
    parser.add_argument("--license", default="unknown", help="of the weights, for the metadata")
    parser.add_argument(
        "--mask",
        type=_mask,
        action="append",
        default=[],
        metavar="HEAD=N,N,N",
        help="use these anchors in this [yolo] section (from 0) instead of what the .cfg says, where it does not "
        "fit the weights: for the published yolov3-tiny.cfg, 1=1,2,3",
    )
    parser.add_argument(
        "--compress", action="store_true", help="store weights as float16: half the size, scores move by up to 0.01"
    )
    parser.set_defaults(run=_darknet)


def _darknet(arguments: argparse.Namespace) -> None:
    from eyrie_convert.darknet.convert import Options, Source, convert  # OpenVINO is slow to import

    name = arguments.name or arguments.weights.stem
    options = Options(dict(arguments.mask), _read_labels(arguments.labels), arguments.compress)
    source = Source(name, license=arguments.license)
    errors = convert(arguments.cfg, arguments.weights, arguments.output_dir, source, options)
    print(
        f"{arguments.output_dir}: {name}, within {errors['boxes']:.2g} px and {errors['scores']:.2g} in score of "
        "a plain numpy network"
    )


def _mask(text: str) -> tuple[int, tuple[int, ...]]:
    head, _, anchors = text.partition("=")
    try:
        return int(head), tuple(int(part) for part in anchors.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not HEAD=N,N,N, for example 1=1,2,3") from error


def _read_labels(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    if str(path) == "coco":
        from eyrie_convert.assets import coco_labels

        return coco_labels()
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ConversionError(f"cannot read the labels {path}: {reason}") from error


def _add_fetch(commands: argparse._SubParsersAction) -> None:
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
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="yolov8n only: a local checkpoint instead of the official one; loading it can run code that is in it",
    )
    parser.set_defaults(run=_fetch)


def _fetch(arguments: argparse.Namespace) -> None:
    cache = (arguments.cache or default_cache()).absolute()
    print(fetch(arguments.name, arguments.output_dir, cache, arguments.checkpoint))
