"""Packages that take any number of pictures at once: each row is the answer to its own picture."""

import numpy as np
import onnx
import onnxruntime
import openvino as ov
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from eyrie_convert import pictures
from eyrie_convert.converters import architecture, for_target
from eyrie_convert.errors import ConversionError
from eyrie_convert.options import ConversionOptions, Precision, Target

from .test_conversions import metadata_of

models = pytest.importorskip("tests.quantize_models")
FAMILIES, TARGETS = ("yolo", "clip", "vit"), ("openvino", "onnx")
FILES = {"openvino": "model.xml", "onnx": "model.onnx"}


def fed(network, count):
    """Return pictures at the size of the input, no two alike, and what the module is fed for them together."""
    chosen = [pictures.prepare(each, network.input) for _, each in pictures.bundled()[:count]]
    scale = np.float32(1 if network.input.embedded else 1 / 255)
    return chosen, np.stack(chosen).transpose(0, 3, 1, 2).astype(np.float32) * scale


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_row_is_the_answer_to_its_picture(conversions, family, target, precision):
    package = conversions.package(family, target, precision)
    network = conversions.networks[family]
    assert metadata_of(package)["input"]["dynamic_batch"] is True
    model = ov.Core().read_model(package / FILES[target])
    assert model.inputs[0].get_partial_shape().to_string() == "[?,3,?,?]"
    assert all(each.get_partial_shape()[0].is_dynamic for each in model.outputs)
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    # Probabilities and elements; scores of detections.
    rows = slice(4, None) if family == "yolo" else slice(None)
    bound = 1e-4 if precision == "float32" else 0.05 if family == "yolo" else 5e-3
    for count in (1, 3, 2):
        chosen, stack = fed(network, count)
        found = {name: compiled(stack)[name] for name in network.output_names}
        if target == "onnx":
            session = onnxruntime.InferenceSession(package / "model.onnx", providers=["CPUExecutionProvider"])
            found = dict(zip(network.output_names, session.run(network.output_names, {"images": stack}), strict=True))
        first = network.output_names[0]
        assert len(found[first]) == count
        for index, picture in enumerate(chosen):
            expected = network.reference(picture)
            np.testing.assert_allclose(found[first][index, rows], expected[first][0, rows], rtol=0, atol=bound)
            if family == "vit" and precision == "float32":
                np.testing.assert_array_equal(found["top_k_indices"][index], expected["top_k_indices"][0])
            # Another picture's answer would be seen.
            other = network.reference(chosen[index - 1])[first][0, rows]
            assert count == 1 or np.abs(found[first][index, rows] - other).max() > 2 * bound


def test_other_packages_take_one_picture(conversions, tiny):
    from eyrie_convert.architectures.darknet import Darknet

    assert metadata_of(conversions.package("clip", "coreml"))["input"]["dynamic_batch"] is False
    assert Darknet(cfg=tiny[0]).load(str(tiny[1]), ConversionOptions()).input.dynamic_batch is False


def turned_in_openvino(package):
    """Make the package answer in another order than it was asked, which one picture alone does not show."""
    model = ov.Core().read_model(package / "model.xml")
    zero, one = (ov.opset13.constant(np.array([each], np.int64)) for each in (0, 1))
    turned = []
    for output in model.outputs:
        value = output.get_node().input_value(0)
        turned.append(ov.opset13.roll(value, one, zero).output(0))
        turned[-1].get_tensor().set_names(output.get_names())
        value.get_tensor().set_names(set())
    changed = ov.Model(turned, model.get_parameters())
    ov.save_model(changed, package / "changed.xml", compress_to_fp16=False)
    del model, changed
    for suffix in ("xml", "bin"):
        (package / f"changed.{suffix}").replace(package / f"model.{suffix}")


def turned_in_onnx(package):
    model = onnx.load(package / "model.onnx")
    graph = model.graph
    values = {"turn_from": [-1], "turn_to": [-(2**31)], "turn_axis": [0], "turn_step": [-1]}
    graph.initializer.extend(numpy_helper.from_array(np.array(each, np.int64), name) for name, each in values.items())
    for output in graph.output:
        for node in graph.node:
            node.output[:] = [f"{name}_in_order" if name == output.name else name for name in node.output]
            node.input[:] = [f"{name}_in_order" if name == output.name else name for name in node.input]
        graph.node.append(helper.make_node("Slice", [f"{output.name}_in_order", *values], [output.name]))
    onnx.save(model, package / "model.onnx")


TURNED = {"openvino": turned_in_openvino, "onnx": turned_in_onnx}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("family", FAMILIES)
def test_rows_in_another_order_are_found(conversions, tmp_path, family, target):
    import shutil

    package = shutil.copytree(conversions.package(family, target), tmp_path / "package")
    converter = conversions.converter(family, target)
    TURNED[target](package)
    # Alone, each picture is still answered rightly.
    network = converter.network
    (picture,), _ = fed(network, 1)
    what = network.output_names[0]
    answer = converter._runner(package, network)(picture)[what]
    np.testing.assert_allclose(answer, network.reference(picture)[what], atol=0.01)
    assert converter._validate_model(package).failures


def test_a_tower_that_takes_one_picture_only_is_found(conversions, tmp_path, monkeypatch):
    """A class token that is not repeated for each picture, as tracing may leave it."""
    from eyrie_convert.architectures.clip import CLIPEmbedding

    right = CLIPEmbedding.forward
    monkeypatch.setattr(CLIPEmbedding, "forward", lambda self, images: right(self, images[:1]))
    for target in TARGETS:
        converter = for_target(Target(target), architecture("clip"))
        with pytest.raises(ConversionError, match="differs from the original"):
            converter.convert(conversions.config("clip"), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", TARGETS)
def test_int8_packages_take_several_too(conversions, tmp_path, target):
    pytest.importorskip("nncf")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, scene in enumerate(models.scenes(27)):
        Image.fromarray(scene).save(folder / f"{index:02}.png")
    options = ConversionOptions(precision=Precision.INT8, calibration=folder)
    converter = for_target(Target(target), architecture("clip"), options)
    package = converter.convert(conversions.config("clip"), tmp_path / "models")
    errors = metadata_of(package)["validation"]["errors"]
    assert errors["batch_rms_ratio"] <= 0.02
    assert ov.Core().read_model(package / FILES[target]).inputs[0].get_partial_shape()[0].is_dynamic
    TURNED[target](package)
    assert any("batch" in failure for failure in converter._validate_model(package).failures)
