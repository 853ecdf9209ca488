"""``eyrie-convert yolo|clip|vit MODEL``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from eyrie_convert import zero_shot
from eyrie_convert.base import ModelConverter
from eyrie_convert.commands.arguments import add_common, labels_of, size_of
from eyrie_convert.commands.results import Result, table
from eyrie_convert.download import say
from eyrie_convert.errors import ConversionError, ReportedError, UsageError
from eyrie_convert.network import Architecture, Network
from eyrie_convert.options import ConversionOptions, Precision, Target

ABOUT = {
    "yolo": (
        "convert a YOLOv8 detector (AGPL-3.0)",
        "MODEL: yolov8n, s, m, l or x; an Ultralytics checkpoint (.pt); or a .yaml of layers, for random weights.",
    ),
    "clip": (
        "convert CLIP's vision tower",
        "MODEL: ViT-B/32, ViT-B/16, ViT-L/14; a name on the Hugging Face hub; a directory with config.json and "
        "weights; or a config.json alone, for random weights. With --labels the package also tells labels apart, which "
        "takes the whole model with its tokenizer.",
    ),
    "vit": (
        "convert a ViT image classifier",
        "MODEL: ViT-B/16, ViT-L/16, ViT-S/16, ViT-Ti/16; a name on the Hugging Face hub; a directory with config.json "
        "and weights; or a config.json alone, for random weights.",
    ),
}


def add(commands: argparse._SubParsersAction, family: str) -> None:
    """Add the command of a family."""
    help_text, description = ABOUT[family]
    example = {"yolo": "yolov8n", "clip": "ViT-B/32", "vit": "ViT-B/16"}[family]
    parser = commands.add_parser(
        family,
        help=help_text,
        description=description,
        epilog=f"example:\n  eyrie-convert {family} {example} --output-dir models --target coreml,openvino,onnx",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL")
    add_common(parser, "what the model is to tell apart" if family == "clip" else "class names")
    if family == "clip":
        parser.add_argument(
            "--prompt",
            action="append",
            default=[],
            metavar="TEXT",
            help="where a label goes into a text, as {}; of several the embeddings are averaged (a photo of a {}.)",
        )
    if family == "vit":
        parser.add_argument("--top-k", type=int, default=5, metavar="N", help="classes that the model itself picks (5)")
    parser.set_defaults(run=lambda arguments: run(family, arguments))


def run(family: str, arguments: argparse.Namespace) -> None:
    """Convert a model of a family."""
    from eyrie_convert.converters import architecture

    convert_all(architecture(family), arguments)


def convert_all(architecture: Architecture, arguments: argparse.Namespace) -> None:
    """Convert to every target, print the table, and fail if one failed."""
    from eyrie_convert.converters import for_target

    targets = [Target.parse(each) for each in dict.fromkeys(arguments.target.split(","))]
    options = ConversionOptions(
        precision=Precision.parse(arguments.precision) if arguments.precision else None,
        size=size_of(arguments.size),
        trust_checkpoint=arguments.trust_checkpoint,
        calibration=arguments.calibration,
        labels=_labels(architecture, arguments),
        prompts=tuple(zero_shot.check_prompts(getattr(arguments, "prompt", []))),
        pictures=tuple(arguments.picture),
        top_k=getattr(arguments, "top_k", 5),
    )
    if options.top_k < 1:
        raise UsageError(f"--top-k is {options.top_k}, not at least 1")
    if options.prompts and options.labels is None:
        raise UsageError("--prompt is for labels: give them with --labels FILE")
    # Mistakes in the options are found before a large model is loaded.
    converters = [for_target(each, architecture, options, _coreml(each, options, arguments)) for each in targets]
    say(f"loading {arguments.model}")
    network = architecture.load(arguments.model, options)
    if network.random_weights:
        say(f"note: {arguments.model} has no weights: random ones are used, good for trying things out only")
    results = convert_network(converters, network, arguments.output_dir)
    print(table(results))
    made = [each.directory for each in results if each.directory is not None]
    if arguments.benchmark and made:
        from eyrie_convert.commands.bench import measure_and_save

        print("\n" + measure_and_save(made))
    if any(each.directory is None for each in results):
        raise ReportedError("a conversion failed")


def _labels(architecture: Architecture, arguments: argparse.Namespace) -> list[str] | None:
    path = arguments.labels
    # CLIP's are no names for what it knows already, and every one costs: there is more to check.
    if architecture.family == "clip" and path is not None and str(path) != "coco":
        return zero_shot.read_labels(path)
    return labels_of(path)


def convert_network(converters: list[ModelConverter], network: Network, output_dir: Path) -> list[Result]:
    """Convert a network with each of the converters. What fails is said, and the others go on."""
    results = []
    for converter in converters:
        name, precision = converter.package_name(network), converter.precision.value
        try:
            results.append(Result(name, precision, converter.convert_network(network, output_dir)))
        except ConversionError as error:
            print(f"eyrie-convert: error: {error}", file=sys.stderr)
            results.append(Result(name, precision, reason=_short(str(error))))
    return results


def _short(reason: str) -> str:
    return reason if len(reason) <= 100 else reason[:97] + "…"


def _coreml(target: Target, options: ConversionOptions, arguments: argparse.Namespace) -> Any:
    if target is not Target.COREML:
        return None
    from eyrie_convert.coreml.config import CoreMLConverterConfig

    return CoreMLConverterConfig(
        precision=options.precision_for(target).value,
        compute_units=arguments.compute_units,
        minimum_deployment_target=arguments.deployment_target,
        ane_optimized=arguments.ane_optimized,
    )
