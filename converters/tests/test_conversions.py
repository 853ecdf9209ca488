"""Every family to every target: the layout of packages, what they answer, and what their metadata says."""

import hashlib
import json

import numpy as np
import openvino as ov
import pytest

from eyrie_convert import golden, pictures
from eyrie_convert.base import ModelConverter
from eyrie_convert.converters import CLIPConverter, ViTConverter, YOLOv8Converter, convert_yolo
from eyrie_convert.errors import ConversionError, UsageError
from eyrie_convert.options import ConversionOptions, Precision
from eyrie_convert.validation import suppress

FILES = {
    "openvino": {"model.xml", "model.bin"},
    "onnx": {"model.onnx"},
    "coreml": {
        "model.mlpackage/Manifest.json",
        "model.mlpackage/Data/com.apple.CoreML/model.mlmodel",
        "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
    },
}
FAMILIES, TARGETS = ("yolo", "clip", "vit"), ("coreml", "openvino", "onnx")
NAMES = {"yolo": "yolo-v8n", "clip": "clip", "vit": "vit"}


def metadata_of(package):
    return json.loads((package / "conversion_metadata.json").read_text())


def prepared(network, which=0):
    return pictures.prepare(pictures.bundled()[which][1], network.input)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_package_is_complete_and_true(conversions, family, target):
    package = conversions.package(family, target)
    suffix = "-float32" if target == "coreml" else ""
    assert package.name == f"{NAMES[family]}-{target}{suffix}"
    found = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    assert found == FILES[target] | {"golden.safetensors", "conversion_metadata.json"}
    metadata = metadata_of(package)
    assert {file["path"] for file in metadata["files"]} == FILES[target] | {"golden.safetensors"}
    for file in metadata["files"]:
        assert hashlib.sha256((package / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert (metadata["schema"], metadata["format"], metadata["precision"]) == ("eyrie.model/1", target, "float32")
    validation = metadata["validation"]
    assert validation["passed"] is True
    assert validation["golden"] == "golden.safetensors"
    assert 0 < validation["max_abs_error"] < 0.1
    assert all(validation["errors"][what] <= limit for what, limit in validation["limits"].items())
    assert metadata["source"]["random_weights"] is True
    assert (metadata["coreml"] is not None) == (target == "coreml")


@pytest.mark.parametrize("target", TARGETS)
def test_detections_come_in_the_form_that_is_stated(conversions, target):
    package = conversions.package("yolo", target)
    converter = conversions.converter("yolo", target)
    network, metadata = converter.network, metadata_of(package)
    answers = converter._runner(package, network)(prepared(network))
    reference = network.reference(prepared(network))["output0"]
    # Real detections, or nothing would be compared.
    assert reference.shape == (1, 84, 2100)
    assert len(suppress(reference[0])) >= 3
    assert len(metadata["output"]["labels"]) == 80
    if target == "coreml":
        assert metadata["output"]["names"] == ["coordinates", "confidence"]
        assert metadata["output"]["kind"] == "yolo_end_to_end"
        assert metadata["nms"]["embedded"] is True
        count = len(suppress(reference[0]))
        assert answers["coordinates"].shape == (count, 4)
        assert answers["confidence"].shape == (count, 80)
        assert (answers["coordinates"] >= 0).mean() > 0.9
        assert answers["coordinates"].max() < 2
    else:
        assert metadata["output"]["names"] == ["output0"]
        assert metadata["output"]["kind"] == "yolo_grid"
        assert answers["output0"].shape == (1, 84, 2100)
        assert metadata["input"]["dynamic_spatial"] is True


@pytest.mark.parametrize("target", TARGETS)
def test_an_embedding_has_512_numbers_and_unit_length(conversions, target):
    package = conversions.package("clip", target)
    converter = conversions.converter("clip", target)
    for which in range(3):
        answer = converter._runner(package, converter.network)(prepared(converter.network, which))["embedding"]
        assert answer.shape == (1, 512)
        assert abs(np.linalg.norm(answer.astype(np.float64)) - 1) < 1e-5
    output = metadata_of(package)["output"]
    assert (output["kind"], output["dimension"], output["normalized"]) == ("embedding", 512, True)


@pytest.mark.parametrize("target", TARGETS)
def test_a_classifier_answers_1000_probabilities_and_the_best_five(conversions, target):
    package = conversions.package("vit", target)
    converter = conversions.converter("vit", target)
    answers = converter._runner(package, converter.network)(prepared(converter.network))
    probabilities = answers["probabilities"][0]
    assert probabilities.shape == (1000,)
    assert abs(probabilities.sum() - 1) < 1e-4
    # Not all the same, or top-1 would mean nothing.
    assert probabilities.max() > 0.01
    order = np.argsort(-probabilities, kind="stable")[:5]
    np.testing.assert_array_equal(answers["top_k_indices"][0], order)
    np.testing.assert_allclose(answers["top_k_scores"][0], probabilities[order], atol=1e-6)
    output = metadata_of(package)["output"]
    assert (output["kind"], output["top_k"], len(output["labels"])) == ("probabilities", 5, 1000)
    assert output["names"] == ["probabilities", "top_k_scores", "top_k_indices"]


@pytest.mark.parametrize(
    ("family", "target", "precision"),
    [
        *((family, "coreml", precision) for family in FAMILIES for precision in ("float16", "mixed")),
        *((family, target, "float16") for family in FAMILIES for target in ("openvino", "onnx")),
    ],
)
def test_other_precisions_are_smaller_and_within_their_bounds(conversions, family, target, precision):
    single, package = conversions.package(family, target), conversions.package(family, target, precision)
    sizes = [sum(path.stat().st_size for path in each.rglob("*") if path.is_file()) for each in (package, single)]
    assert sizes[0] < 0.75 * sizes[1]
    metadata = metadata_of(package)
    assert metadata["precision"] == precision
    errors = metadata["validation"]["errors"]
    if family == "yolo":
        assert errors["max_box_px"] <= 1
        assert errors["max_score"] <= 0.02
    else:
        assert metadata["validation"]["max_abs_error"] <= 5e-3


@pytest.mark.parametrize("target", ["openvino", "onnx"])
def test_a_detector_runs_at_any_multiple_of_its_stride(conversions, target):
    path = conversions.package("yolo", target) / ("model.xml" if target == "openvino" else "model.onnx")
    model = ov.Core().read_model(path)
    assert model.inputs[0].get_partial_shape().to_string() == "[?,3,?,?]"
    model.reshape([1, 3, 96, 416])
    assert list(model.outputs[0].shape) == [1, 84, sum((96 // s) * (416 // s) for s in (8, 16, 32))]


@pytest.mark.parametrize("target", ["openvino", "onnx"])
@pytest.mark.parametrize("family", ["clip", "vit"])
def test_a_picture_of_any_size_is_resized_inside_as_pillow_does(conversions, family, target):
    package = conversions.package(family, target)
    converter = conversions.converter(family, target)
    network = converter.network
    what = network.output_names[0]
    for _, picture in pictures.bundled():
        picture = picture[:, 20:]
        size = (picture.shape[1], picture.shape[0])
        inside = converter._runner(package, network, size)(picture)[what]
        if network.input.resize == "center_crop":
            # Before resizing, as inside: after it, Pillow's crop is off by up to half a pixel.
            side = min(size)
            top, left = (size[1] - side) // 2, (size[0] - side) // 2
            picture = picture[top : top + side, left : left + side]
        outside = converter._runner(package, network)(pictures.prepare(picture, network.input))[what]
        plain = converter._runner(package, network)(np.roll(pictures.prepare(picture, network.input), 7, axis=1))[what]
        # The host rounds to bytes; a shift by a few pixels shows how little that is.
        assert np.abs(inside - outside).max() < 0.1 * np.abs(plain - outside).max()


def test_the_golden_file_holds_what_the_original_answers(conversions):
    from safetensors import safe_open

    for family, target in (("yolo", "onnx"), ("clip", "openvino"), ("vit", "coreml"), ("yolo", "coreml")):
        package = conversions.package(family, target)
        network = conversions.networks[family]
        with safe_open(package / "golden.safetensors", "numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
        assert (package / "golden.safetensors").stat().st_size < 400_000
        assert (metadata["schema"], metadata["task"]) == ("eyrie.golden/1", network.task)
        assert (int(metadata["width"]), int(metadata["height"])) == (network.input.width, network.input.height)
        assert {"f32", "f16", "bf16"} <= set(json.loads(metadata["tolerance"]))
        part = tensors["input"][0]
        whole = np.full((network.input.height, network.input.width, 3), network.input.pad_value, np.uint8)
        whole[: part.shape[0], : part.shape[1]] = part
        expected = network.reference(whole)
        if "anchors" in tensors:
            grid = expected["output0"][0]
            np.testing.assert_array_equal(tensors["boxes"], grid[:4, tensors["anchors"]].T)
            np.testing.assert_array_equal(tensors["scores"], grid[4:, tensors["anchors"]].T)
            assert tensors["scores"].max() > 0.25
        elif "coordinates" in tensors:
            assert len(tensors["coordinates"]) == len(suppress(expected["output0"][0])) > 0
        else:
            for name, array in expected.items():
                np.testing.assert_array_equal(tensors[name], array)


def test_the_golden_picture_keeps_its_place():
    picture = np.arange(300 * 400 * 3, dtype=np.uint32).astype(np.uint8).reshape(300, 400, 3)
    part, whole = golden.picture_for(picture, 400, 300, 114)
    assert part.shape == (224, 224, 3)
    np.testing.assert_array_equal(whole[:224, :224], part)
    assert (whole[224:] == 114).all()
    np.testing.assert_array_equal(part, picture[38:262, 88:312])


def test_the_converters_by_name(tmp_path, conversions):
    for converter, family in ((YOLOv8Converter, "yolo"), (CLIPConverter, "clip"), (ViTConverter, "vit")):
        made = converter("openvino", ConversionOptions(precision=Precision.FLOAT16))
        assert isinstance(made, ModelConverter)
        package = made.convert(conversions.config(family), tmp_path)
        assert package == tmp_path / f"{NAMES[family]}-openvino-float16"
        assert made._validate_model(package).passed
    assert convert_yolo("yolov8n.yaml", tmp_path, "onnx", size=(64, 64)) == tmp_path / "yolo-v8n-onnx"


@pytest.mark.parametrize(
    ("options", "target", "message"),
    [
        ({"precision": Precision.MIXED}, "openvino", "openvino packages cannot be mixed"),
        ({"precision": Precision.INT8}, "coreml", "coreml packages cannot be int8"),
        ({"precision": Precision.INT8}, "onnx", "needs --calibration"),
        ({}, "tflite", "there is no target 'tflite'"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_loaded(options, target, message):
    with pytest.raises(UsageError, match=message):
        YOLOv8Converter(target, ConversionOptions(**options))


@pytest.mark.parametrize(
    ("family", "size", "message"),
    [
        ("yolo", (640, 650), "height of 650 pixels .* multiple of the model's stride 32"),
        ("yolo", (1 << 20, 640), "width of 1048576"),
        ("clip", (256, 256), "takes 224x224 pixels"),
        ("vit", (224, 256), "takes 224x224 pixels"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(conversions, tmp_path, family, size, message):
    from eyrie_convert.converters import architecture

    with pytest.raises(ConversionError, match=message):
        architecture(family).load(conversions.config(family), ConversionOptions(size=size))
