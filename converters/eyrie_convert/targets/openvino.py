"""OpenVINO IR: ``model.xml`` and ``model.bin``."""

from __future__ import annotations

import warnings
from pathlib import Path

import openvino as ov

from eyrie_convert.base import Export, ModelConverter
from eyrie_convert.network import Network, Runner
from eyrie_convert.options import Precision, Target
from eyrie_convert.quantised import quantise
from eyrie_convert.runners import OpenVINORunner

INPUT = "images"


class OpenVINOConverter(ModelConverter):
    """Writes OpenVINO packages, whose batch, height and width stay open."""

    target = Target.OPENVINO
    keeps_size_open = True
    keeps_batch_open = True

    def _export(self, network: Network, directory: Path) -> Export:
        model = to_openvino(network)
        if self.precision is Precision.INT8:
            from eyrie_convert.quantize import quantize_openvino

            self.quantised = quantise(network, self.options.calibration, model, quantize_openvino, OpenVINORunner)
            model = self.quantised.model
        ov.save_model(model, directory / "model.xml", compress_to_fp16=self.precision is Precision.FLOAT16)
        return Export(["model.xml", "model.bin"], INPUT, tools=("openvino", *network.tools))

    def _runner(
        self, directory: Path, network: Network, size: tuple[int, int] | None = None, *, batch: bool = False
    ) -> Runner:
        size = size or (network.input.width, network.input.height)
        return OpenVINORunner(directory / "model.xml", network.input, network.output_names, size, batch)


def to_openvino(network: Network) -> ov.Model:
    """Return the network as an OpenVINO model, with open batch, height and width if it can have them."""
    if network.openvino is not None:
        return network.openvino()
    import torch

    from eyrie_convert.architectures.picture_modules import Resize

    spec, module = network.input, network.module
    if spec.embedded:
        module = torch.nn.Sequential(Resize(spec.width, spec.interpolation, crop=spec.resize == "center_crop"), module)
    example = torch.zeros(1, 3, spec.height, spec.width)
    with torch.no_grad(), warnings.catch_warnings():
        # What tracing cannot follow is found by the comparison afterwards, at two sizes and for batches of several.
        warnings.simplefilter("ignore")
        module(example)
        shape = [-1 if spec.dynamic_batch else 1, 3, *([-1, -1] if spec.dynamic else [spec.height, spec.width])]
        model = ov.convert_model(module, example_input=example, input=shape)
    model.inputs[0].get_tensor().set_names({INPUT})
    for output, name in zip(model.outputs, network.output_names, strict=True):
        output.get_tensor().set_names({name})
    model.validate_nodes_and_infer_types()
    return model
