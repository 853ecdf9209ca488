"""Exports an Ultralytics YOLOv8 checkpoint; runs in the environment of ``requirements-yolov8.txt``.

A checkpoint is a pickle, and loading it can run whatever code is in it: only checkpoints from a source you
trust, which is why the official one is pinned by hash.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from pathlib import Path

from eyrie_convert import package
from eyrie_convert.assets import YOLOV8N
from eyrie_convert.errors import ConversionError

LICENSE = "AGPL-3.0"
SIZE = 640
# The release that goes with the torch in requirements-yolov8.txt; any other makes Ultralytics warn.
TORCHVISION = "0.28.0"
# From torch's answer, in pixels and in probability.
TOLERANCE = (0.05, 1e-4)


def _allow_absent_torchvision() -> None:
    """Let Ultralytics be imported without torchvision, of which it only asks the version when it is."""
    real = importlib.metadata.version

    def version(name: str) -> str:
        try:
            return real(name)
        except importlib.metadata.PackageNotFoundError:
            if name == "torchvision":
                return TORCHVISION
            raise

    importlib.metadata.version = version


def export(checkpoint: Path, output: Path) -> None:
    """Write the model package ``output``. Raises ConversionError if the checkpoint is no YOLOv8 detector."""
    _allow_absent_torchvision()
    import openvino as ov
    import torch
    from ultralytics import YOLO

    try:
        yolo = YOLO(checkpoint)
        network = yolo.model.eval().float().fuse(verbose=False)
        head, labels = network.model[-1], [yolo.names[index] for index in range(len(yolo.names))]
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ConversionError(
            f"cannot load {checkpoint} as an Ultralytics checkpoint: {reason[0] if reason else type(error).__name__}"
        ) from error
    if yolo.task != "detect" or getattr(head, "end2end", False):
        raise ConversionError(f"{checkpoint} is no YOLOv8 detector (task {yolo.task}, head {type(head).__name__})")
    # The head then answers with decoded boxes alone, and keeps its operations to those OpenVINO has.
    head.export, head.format = True, "openvino"
    picture = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network(picture)  # the first run lays out the anchors
        expected = network(picture).double().numpy()
    model = ov.convert_model(network, example_input=picture, input=[1, 3, SIZE, SIZE])
    model.inputs[0].get_tensor().set_names({"images"})
    model.outputs[0].get_tensor().set_names({"output0"})
    digest = package.sha256(checkpoint)
    with package.new_package(output) as directory:
        ov.save_model(model, directory / "model.xml", compress_to_fp16=False)
        compiled = ov.Core().compile_model(directory / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        difference = abs(compiled(picture.numpy())[0] - expected)[0]
        errors = {"boxes": float(difference[:4].max()), "scores": float(difference[4:].max())}
        if not (errors["boxes"] <= TOLERANCE[0] and errors["scores"] <= TOLERANCE[1]):
            raise ConversionError(f"the export of {checkpoint} disagrees with torch: {errors}")
        package.write_metadata(
            directory,
            ["model.xml", "model.bin"],
            {
                "name": "yolov8n",
                "task": "detect",
                "format": "openvino",
                "precision": "float32",
                "source": {
                    "name": checkpoint.name,
                    "sha256": digest,
                    "framework": "pytorch",
                    "version": str((yolo.ckpt or {}).get("version") or ""),
                    "license": LICENSE,
                    "origin": YOLOV8N.places[0].describe() if digest == YOLOV8N.sha256 else None,
                    "overrides": [],
                },
                "input": package.yolo_input("images", SIZE, SIZE, int(max(network.stride))),
                "output": package.yolo_output("output0", labels),
                "nms": package.nms_defaults(),
                "coreml": None,
                "validation": {
                    "reference": "torch, the same checkpoint",
                    "inputs": f"one picture of noise, torch generator seed 0, {SIZE}x{SIZE}",
                    "max_abs_error": max(errors.values()),
                    "errors": errors,
                    "agreement": None,
                    "passed": True,
                    "golden": None,
                },
                "benchmark": None,
                "tools": package.tools("openvino", "numpy", "torch", "ultralytics-opencv-headless"),
            },
        )


def main() -> int:
    """Run from the command line, as ``fetch`` does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output-dir", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        export(arguments.checkpoint, arguments.output_dir)
    except ConversionError as error:
        print(f"eyrie-convert: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
