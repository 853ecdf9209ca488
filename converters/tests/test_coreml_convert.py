"""Settings, conversion, suppression and saving of Core ML models."""

import logging
import warnings

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="needs the extra coreml")
torch = pytest.importorskip("torch", reason="needs the extra coreml")

from eyrie_convert.coreml import convert  # noqa: E402
from eyrie_convert.coreml.config import COMPUTE_UNITS, DEPLOYMENT_TARGETS, CoreMLConverterConfig  # noqa: E402
from eyrie_convert.coreml.convert import convert_program, save_package  # noqa: E402
from eyrie_convert.coreml.nms import RAW_OUTPUTS, add_nms  # noqa: E402
from eyrie_convert.coreml.tools import load_coremltools  # noqa: E402
from eyrie_convert.coreml.yolo import CoreMLYOLO  # noqa: E402
from eyrie_convert.errors import ConversionError  # noqa: E402
from eyrie_convert.mil_reference import MILReference  # noqa: E402
from tests.coreml_stand_ins import (  # noqa: E402
    IMAGE_SIZE,
    LABELS,
    YOLO_SIZE,
    detection_model,
    model,
    module,
    package,
    picture,
    tensor,
    vit_model,
)


def test_deployment_targets_are_those_of_coremltools():
    offered = {name for name in load_coremltools().target.__members__ if name.startswith(("iOS", "macOS"))}
    old = {"iOS13", "iOS14", "macOS10_15", "macOS10_16", "macOS11"}
    assert set(DEPLOYMENT_TARGETS) == offered - old
    assert set(COMPUTE_UNITS) == {unit.name for unit in load_coremltools().ComputeUnit}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "int4"}, "precision is one of float32, float16, mixed, not 'int4'"),
        ({"compute_units": "GPU"}, "compute_units is one of"),
        ({"minimum_deployment_target": "iOS14"}, "minimum_deployment_target is one of iOS15"),
        ({"minimum_deployment_target": None}, "not None"),
        ({"ane_optimized": "yes"}, "ane_optimized is true or false"),
        ({"ane_optimized": True, "precision": "float32"}, "needs precision float16"),
        ({"ane_optimized": True, "precision": "mixed"}, "needs precision float16"),
        ({"ane_optimized": True, "compute_units": "CPU_ONLY"}, "leave the Neural Engine out"),
        ({"compute_units": "CPU_AND_NE"}, "came with iOS 16 and macOS 13"),
        ({"compute_units": "CPU_AND_NE", "minimum_deployment_target": "macOS12"}, "came with iOS 16"),
    ],
)
def test_settings_that_cannot_be_had_are_refused(settings, message):
    with pytest.raises(ConversionError, match=message):
        CoreMLConverterConfig(**settings)


def test_settings_go_into_the_metadata():
    config = CoreMLConverterConfig("float16", "CPU_AND_NE", "macOS13", ane_optimized=True)
    assert config.metadata() == {
        "compute_units": "CPU_AND_NE",
        "minimum_deployment_target": "macOS13",
        "ane_optimized": True,
    }


@pytest.mark.parametrize("target", DEPLOYMENT_TARGETS)
def test_every_deployment_target_converts(target):
    converted = model("clip", "float16", target)
    specification = converted.get_spec()
    assert specification.specificationVersion == getattr(load_coremltools().target, target).value
    pixels = picture(IMAGE_SIZE, IMAGE_SIZE, seed=9)
    answer = MILReference(package("clip", "float16", target)).run({"image": pixels})["embedding"]
    assert answer.dtype == (np.float32 if target in ("iOS15", "macOS12") else np.float16)
    with torch.no_grad():
        expected = module("clip")[0](tensor(pixels)).numpy()
    np.testing.assert_allclose(answer, expected, atol=5e-3)


@pytest.mark.parametrize("target", ["iOS15", "iOS18"])
def test_the_pipeline_answers_float32_whatever_the_target(target):
    answers = MILReference(package("pipeline", "float16", target)).run({"image": picture(*YOLO_SIZE, seed=9)})
    assert answers["confidence"].dtype == answers["coordinates"].dtype == np.float32
    assert len(answers["confidence"]) > 3


def types(converted):
    """Return, of each operation in a program, its type, the type it computes in and its name."""
    names = load_coremltools().proto.MIL_pb2.DataType
    block = next(iter(converted.get_spec().mlProgram.functions["main"].block_specializations.values()))
    return [
        (operation.type, names.Name(operation.outputs[0].type.tensorType.dataType), operation.outputs[0].name)
        for operation in block.operations
        if operation.type not in ("const", "cast")
    ]


@pytest.mark.parametrize("kind", ["yolo", "vit", "clip"])
def test_float32_and_float16_are_what_the_program_computes_in(kind):
    of_float32, of_float16 = types(model(kind, "float32")), types(model(kind, "float16"))
    assert {precision for _, precision, _ in of_float32} == {"FLOAT32"}
    in_float32 = [operation for operation, precision, _ in of_float16 if precision != "FLOAT16"]
    # The scale of YOLO's input belongs to the input, which is float32.
    assert in_float32 == (["mul"] if kind == "yolo" else [])


def test_mixed_keeps_what_is_delicate_in_float32():
    for kind, layers in (("vit", "linear"), ("clip", "linear")):
        operations = types(model(kind, "mixed"))
        delicate = ("softmax", "layer_norm", "reduce_l2_norm", "real_div", "topk")
        assert {precision for name, precision, _ in operations if name in delicate} == {"FLOAT32"}
        assert {precision for name, precision, _ in operations if name in (layers, "conv", "matmul")} == {"FLOAT16"}
    operations = types(model("yolo", "mixed"))
    decoded = operations.index(next(operation for operation in operations if operation[0] == "softmax"))
    # From the distributions on, all is float32; the layers before are not.
    assert {precision for name, precision, _ in operations[decoded:]} == {"FLOAT32"}
    network = [precision for name, precision, _ in operations[:decoded] if name in ("conv", "silu")]
    assert len(network) > 100
    assert set(network) == {"FLOAT16"}


def test_suppression_is_described_as_vision_wants_it():
    specification = add_nms(model("yolo"), LABELS, 0.6, 0.3, class_agnostic=True, max_detections=7).get_spec()
    assert [feature.name for feature in specification.description.input] == [
        "image",
        "iouThreshold",
        "confidenceThreshold",
    ]
    assert [feature.type.isOptional for feature in specification.description.input] == [False, True, True]
    assert [feature.name for feature in specification.description.output] == ["confidence", "coordinates"]
    settings = specification.pipeline.models[1].nonMaximumSuppression
    assert (settings.iouThreshold, settings.confidenceThreshold, settings.pickTop.perClass) == (0.6, 0.3, False)
    assert list(settings.stringClassLabels.vector) == LABELS
    bounds = specification.description.output[0].type.multiArrayType.shapeRange.sizeRanges
    assert [(bound.lowerBound, bound.upperBound) for bound in bounds] == [(0, 7), (len(LABELS), len(LABELS))]


def test_suppression_keeps_no_more_than_wanted(tmp_path):
    path = save_package(add_nms(model("yolo"), LABELS, max_detections=7), tmp_path / "m.mlpackage")
    pixels = picture(*YOLO_SIZE, seed=9)
    few, all_of_them = (MILReference(p).run({"image": pixels}) for p in (path, package("pipeline")))
    assert few["confidence"].shape == (7, len(LABELS))
    np.testing.assert_array_equal(few["coordinates"], all_of_them["coordinates"][:7])


def test_suppression_refuses_what_core_ml_would():
    with pytest.raises(ConversionError, match=r"answers raw_confidence and raw_coordinates, not embedding"):
        add_nms(model("clip"), LABELS)
    with pytest.raises(ConversionError, match="2 labels were given for 6 classes"):
        add_nms(model("yolo"), ["one", "two"])
    with pytest.raises(ConversionError, match=r"IoU threshold is between 0 and 1, not 1.5"):
        add_nms(model("yolo"), LABELS, iou=1.5)
    with pytest.raises(ConversionError, match="confidence threshold is between 0 and 1, not nan"):
        add_nms(model("yolo"), LABELS, confidence=float("nan"))
    with pytest.raises(ConversionError, match="at least 1, not 0"):
        add_nms(model("yolo"), LABELS, max_detections=0)


def test_suppression_refuses_float16():
    class Detector(torch.nn.Module):
        def forward(self, image):
            return image[0, 0], image[0, 1]

    for target, float32_outputs in (("iOS15", False), ("iOS16", True)):
        config = CoreMLConverterConfig(minimum_deployment_target=target)
        detector = convert_program(Detector(), (9, 4), config, RAW_OUTPUTS, float32_outputs=float32_outputs)
        add_nms(detector, ["a", "b", "c", "d"])
    detector = convert_program(Detector(), (9, 4), config, RAW_OUTPUTS)
    with pytest.raises(ConversionError, match="takes float32, and targets from iOS 16 on answer float16"):
        add_nms(detector, ["a", "b", "c", "d"])


@pytest.mark.parametrize("ane_optimized", [False, True])
def test_coreml_yolo_answers_what_ultralytics_does(ane_optimized):
    network = CoreMLYOLO(detection_model(), YOLO_SIZE, ane_optimized=ane_optimized)
    image = tensor(picture(*YOLO_SIZE, seed=9)) / 255
    with torch.no_grad():
        expected = detection_model()(image)[0][0].T.numpy()
        confidence, coordinates = (value.numpy() for value in network(image))
    np.testing.assert_allclose(confidence, expected[:, 4:], atol=1e-4)
    height, width = YOLO_SIZE
    np.testing.assert_allclose(coordinates * [width, height, width, height], expected[:, :4], atol=1e-2)
    assert (confidence.max(1) > 0.25).sum() > 20, "the test is vacuous"


def test_coreml_yolo_leaves_the_model_as_it_was():
    before = {name: value.clone() for name, value in detection_model().state_dict().items()}
    CoreMLYOLO(detection_model(), YOLO_SIZE, ane_optimized=True)
    after = detection_model().state_dict()
    assert before.keys() == after.keys()
    assert type(detection_model().model[-1]).__name__ == "Detect"
    assert not detection_model().model[-1].export


def test_coreml_yolo_refuses_what_it_cannot_take():
    for size in ((160, 200), (16, 160), (0, 160), (-32, 160)):
        with pytest.raises(ConversionError, match="is no multiple of the detector's stride of 32"):
            CoreMLYOLO(detection_model(), size)
    with pytest.raises(ConversionError, match="only YOLOv8's Detect"):
        CoreMLYOLO(torch.nn.Sequential(), YOLO_SIZE)
    with pytest.raises(ConversionError, match="only YOLOv8's Detect"):
        CoreMLYOLO(vit_model(), YOLO_SIZE)


def test_a_module_that_cannot_be_converted_says_so():
    class Wrong(torch.nn.Module):
        def forward(self, image):
            return torch.linalg.svd(image[0, 0])[1]

    config = CoreMLConverterConfig()
    with pytest.raises(ConversionError, match="Core ML Tools cannot convert Wrong: "):
        convert_program(Wrong(), (8, 8), config, ["y"])
    with pytest.raises(ConversionError, match="PyTorch cannot trace Conv2d at 8x4: "):
        convert_program(torch.nn.Conv2d(4, 4, 1), (4, 8), config, ["y"])
    with pytest.raises(ConversionError, match="Conv2d answers 1 outputs, and 2 are named"):
        convert_program(torch.nn.Conv2d(3, 4, 1), (4, 8), config, ["y", "z"])
    with pytest.raises(ConversionError, match="an image of 8x0 pixels is empty"):
        convert_program(torch.nn.Conv2d(3, 4, 1), (0, 8), config, ["y"])


def test_description_is_written(tmp_path):
    about = {"author": "A", "license": "B", "short_description": "C", "version": "1.2"}
    network = torch.nn.Conv2d(3, 4, 1)
    path = tmp_path / "m.mlpackage"
    save_package(convert_program(network, (4, 8), CoreMLConverterConfig(), ["y"], metadata=about), path)
    metadata = load_coremltools().utils.load_spec(str(path)).description.metadata
    assert (metadata.author, metadata.license, metadata.shortDescription) == ("A", "B", "C")
    assert metadata.versionString == "1.2"
    with pytest.raises(ConversionError, match="has no 'colour'"):
        convert_program(network, (4, 8), CoreMLConverterConfig(), ["y"], metadata={"colour": "blue"})


def test_saving_replaces_a_package_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new folder" / "m.mlpackage"
    for kind in ("clip", "vit"):
        assert save_package(model(kind), path) == path
        assert MILReference(path).outputs[0] == module(kind)[2][0]
        assert list(path.parent.iterdir()) == [path]


def test_a_failed_save_leaves_the_old_package(tmp_path, monkeypatch):
    path = save_package(model("clip"), tmp_path / "m.mlpackage")
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}

    def fail(source, destination, replace=convert.os.replace):
        if str(source).endswith("new.mlpackage"):
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(convert.os, "replace", fail)
    with pytest.raises(ConversionError, match=r"cannot write .*: No space left on device"):
        save_package(model("vit"), path)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    assert list(tmp_path.iterdir()) == [path]


def test_names_of_packages_are_checked(tmp_path):
    with pytest.raises(ConversionError, match=r"ends in .mlpackage"):
        save_package(model("clip"), tmp_path / "m.mlmodel")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConversionError, match="cannot write"):
        save_package(model("clip"), tmp_path / "file" / "m.mlpackage")


def test_converting_is_silent(capfd, caplog):
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.WARNING):
        warnings.simplefilter("always")
        convert_program(module("clip")[0], (IMAGE_SIZE, IMAGE_SIZE), CoreMLConverterConfig(), ["embedding"])
    assert capfd.readouterr() == ("", "")
    assert not caught
    assert not caplog.records
