"""Exports a YOLOv8 checkpoint; ``fetch`` runs it in the environment of ``requirements-yolov8.txt``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from eyrie_convert.architectures.yolov8 import YOLOv8
from eyrie_convert.errors import ConversionError
from eyrie_convert.options import ConversionOptions
from eyrie_convert.targets.openvino import OpenVINOConverter


def main() -> int:
    """Run from the command line, as ``fetch`` does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output-dir", type=Path, required=True, help="the package to write")
    arguments = parser.parse_args()
    detector, options = YOLOv8(), ConversionOptions()
    try:
        network = detector.load(str(arguments.checkpoint), options)
        network.name = "yolov8n"
        OpenVINOConverter(detector, options).convert_network(network, arguments.output_dir.parent, arguments.output_dir)
    except ConversionError as error:
        print(f"eyrie-convert: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
