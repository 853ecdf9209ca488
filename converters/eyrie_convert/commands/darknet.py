"""``eyrie-convert darknet FILE.weights``."""

from __future__ import annotations

import argparse
from pathlib import Path

from eyrie_convert.architectures.darknet import Darknet
from eyrie_convert.commands.arguments import add_common
from eyrie_convert.commands.convert import convert_all


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "darknet",
        help="convert a Darknet detector (yolov3, yolov3-tiny, yolov4-tiny and their like)",
        description="MODEL: a .weights file; its .cfg lies beside it, or --cfg names it.",
        epilog="example:\n  eyrie-convert darknet my.weights --cfg my.cfg --labels my.names --output-dir models",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--cfg", type=Path, metavar="FILE")
    parser.add_argument("--name", help="the model's name (default: that of the weights file)")
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
    add_common(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    architecture = Darknet(
        cfg=arguments.cfg, masks=dict(arguments.mask), name=arguments.name, license=arguments.license
    )
    convert_all(architecture, arguments)


def _mask(text: str) -> tuple[int, tuple[int, ...]]:
    head, _, anchors = text.partition("=")
    try:
        return int(head), tuple(int(part) for part in anchors.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not HEAD=N,N,N, for example 1=1,2,3") from error
