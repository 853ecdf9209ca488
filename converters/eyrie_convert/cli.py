"""The command line: ``python -m eyrie_convert`` or ``eyrie-convert``."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from eyrie_convert import __version__
from eyrie_convert.commands import bench, check, convert, darknet, fetch
from eyrie_convert.errors import ConversionError, ReportedError, UsageError, unforeseen

EXAMPLES = """\
examples:
  eyrie-convert yolo yolov8n --output-dir models --target coreml,openvino,onnx
  eyrie-convert yolo best.pt --target openvino --precision int8 --calibration street.mp4
  eyrie-convert clip ViT-B/32 --target coreml
  eyrie-convert clip ViT-B/32 --labels labels.txt --prompt "a photo of a {}." --prompt "a {} in the street"
  eyrie-convert darknet my.weights --cfg my.cfg --labels my.names
  eyrie-convert check
  eyrie-convert bench models/yolo-v8n-openvino models/yolo-v8n-openvino-int8
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="eyrie-convert",
        description="Converts models into Eyrie model packages, and proves each right.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for family in ("yolo", "clip", "vit"):
        convert.add(commands, family)
    for command in (darknet, fetch, check, bench):
        command.add(commands)
    parsed = parser.parse_args(arguments)
    # A conversion that is ended leaves nothing half written, as one that is interrupted.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with unforeseen(parsed.command):
            parsed.run(parsed)
        sys.stdout.flush()
    except ReportedError:
        return 1
    except ConversionError as error:
        print(f"eyrie-convert: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except MemoryError:
        print("eyrie-convert: error: there is not enough memory for this model", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output is gone: nothing more can be said there, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except _EndedError:
        return 143
    except KeyboardInterrupt:
        return 130
    return 0


class _EndedError(KeyboardInterrupt):
    """SIGTERM came."""


def _interrupt(_signal: int, _frame: object) -> None:
    raise _EndedError
