"""Measuring packages. No figure of speed is asserted: what runs, in which arithmetic, and what is made of it."""

import json
import math
import platform

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from eyrie_convert import bench
from eyrie_convert.bench import measure, vit_sizes
from eyrie_convert.errors import ConversionError
from eyrie_convert.package import METADATA
from eyrie_convert.pictures import prepare
from eyrie_convert.quantize import quantize_openvino

models = pytest.importorskip("tests.quantize_models")


def model(result, *inputs):
    return ov.Model([result], list(inputs))


def value(*shape):
    return ops.parameter(list(shape), np.float32)


def constant(*shape):
    return ops.constant(np.zeros(shape, np.float32))


def test_operations_are_counted():
    picture = value(1, 8, 10, 12)
    convolution = ops.convolution(picture, constant(16, 8, 3, 3), [2, 2], [1, 1], [1, 1], [1, 1])
    assert bench.count_operations(model(convolution, picture)) == 2 * (16 * 5 * 6) * (8 * 9)
    grouped = ops.group_convolution(picture, constant(4, 3, 2, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
    assert bench.count_operations(model(grouped, picture)) == 2 * (12 * 10 * 12) * (2 * 9)
    wider = ops.convolution_backprop_data(picture, constant(8, 5, 2, 2), [2, 2])
    assert bench.count_operations(model(wider, picture)) == 2 * (8 * 10 * 12) * (5 * 4)
    tokens = value(2, 7, 32)
    product = ops.matmul(tokens, constant(48, 32), False, True)
    assert bench.count_operations(model(product, tokens)) == 2 * 2 * 7 * 48 * 32
    turned = ops.matmul(tokens, constant(2, 7, 5), True, False)
    assert bench.count_operations(model(turned, tokens)) == 2 * 2 * 32 * 5 * 7
    query, key, held = value(1, 3, 7, 16), value(1, 3, 9, 16), value(1, 3, 9, 20)
    attention = ops.scaled_dot_product_attention(query, key, held)
    assert bench.count_operations(model(attention, query, key, held)) == 2 * 3 * 7 * 9 * (16 + 20)


def test_operations_of_an_open_shape_are_not_counted():
    picture = ops.parameter(ov.PartialShape([1, 3, -1, -1]), np.float32)
    convolution = ops.convolution(picture, constant(4, 3, 3, 3), [1, 1], [0, 0], [0, 0], [1, 1])
    with pytest.raises(ValueError, match="not fixed"):
        bench.count_operations(model(convolution, picture))


def test_peak_only_rises():
    meter = bench.PeakMeter(ov.Core(), ("f32", "int8"))
    meter.measure(0.01, 1)
    first = dict(meter.gop_per_s)
    assert all(figure > 0 for figure in first.values())
    meter.measure(0.01, 1)
    assert all(meter.gop_per_s[name] >= first[name] for name in first)


def write_package(directory, name, task, kind, precision, files, spec):
    directory.mkdir()
    for file, content in files.items():
        if isinstance(content, bytes):
            (directory / file).write_bytes(content)
        else:
            ov.save_model(content, directory / file, compress_to_fp16=False)
    metadata = {
        "name": name,
        "task": task,
        "format": kind,
        "precision": precision,
        "input": spec.metadata("images"),
        "files": [{"path": file} for file in files],
    }
    (directory / METADATA).write_text(json.dumps(metadata))
    return directory


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Return one package of each kind: float32, int8, ONNX and Core ML."""
    folder, spec = tmp_path_factory.mktemp("packages"), models.MARKS_INPUT
    floats = models.to_openvino(models.marks(), 512, ["output0"])
    seen = [prepare(each, spec) for each in models.scenes(4)]
    eights = quantize_openvino(floats, "detect", seen, spec)
    onnx = models.to_onnx(models.marks(), 512, ["output0"]).SerializeToString()
    return [
        write_package(folder / "f", "marks", "detect", "openvino", "float32", {"model.xml": floats}, spec),
        write_package(folder / "i", "marks", "detect", "openvino", "int8", {"model.xml": eights}, spec),
        write_package(folder / "o", "marks", "detect", "onnx", "float32", {"model.onnx": onnx}, spec),
        write_package(folder / "c", "marks", "detect", "coreml", "float16", {}, spec),
    ]


def test_packages_are_measured_side_by_side(packages):
    lines = []
    results = bench.benchmark_packages(packages[:3], seconds=0.02, rounds=2, progress=lines.append)
    assert lines[-1] == "round 2 of 2"
    has_bfloat16 = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    floats = ["f32", "bf16"] if has_bfloat16 else ["f32"]
    assert [[run["arithmetic"] for run in each.benchmark["runs"]] for each in results] == [floats, ["int8"], floats]
    for result in results:
        assert json.loads(json.dumps(result.benchmark, allow_nan=False)) == result.benchmark
        assert result.benchmark["target"] is None
        # Three convolutions that halve the sides, and two of one pixel.
        gop = 2 * (12 * 27 * 256**2 + 6 * 108 * 128**2 + 6 * 54 * 64**2 + (64 + 3) * 6 * 64**2) / 1e9
        assert result.benchmark["model_gop"] == pytest.approx(gop, abs=1e-3)
        for run in result.benchmark["runs"]:
            assert len(run["throughput_fps_rounds"]) == len(run["latency_ms_rounds"]) == 2
            assert run["throughput_fps"] > 0
            assert run["latency_ms"] >= run["latency_ms_least"] > 0
            assert run["floor_ms"] == pytest.approx(gop / run["peak_gop_per_s"] * 1000, abs=0.01)
    (run,) = results[1].benchmark["runs"]
    assert sum(run["layers_executed_in"].values()) == 5
    assert set(run["layers_executed_in"]) <= {"u8", "i8"}
    assert results[0].benchmark["runs"][0]["layers_executed_in"] == {"f32": 5}
    text = bench.table(results)
    assert "int8: FPS, ms (floor)" in text
    assert sum(line.startswith("marks ") for line in text.splitlines()) == 2  # a line for OpenVINO, one for ONNX
    assert f"{results[0].benchmark['host']['cores']} cores" in text


def test_one_package(packages):
    assert bench.benchmark(packages[1], seconds=0.01, rounds=1)["width_pixels"] == 512


@pytest.mark.skipif(platform.system() == "Darwin", reason="Core ML runs on macOS")
def test_coreml_is_said_to_be_skipped(packages):
    (result,) = bench.benchmark_packages(packages[3:], seconds=0.01, rounds=1)
    assert result.benchmark is None
    assert "skipped: Core ML runs on macOS only" in bench.table([result])
    with pytest.raises(ConversionError, match="macOS only"):
        bench.benchmark(packages[3])


def test_coreml_is_measured_through_coremltools(packages, monkeypatch):
    """With the prediction replaced, which only macOS has."""
    coremltools = pytest.importorskip("coremltools")
    (packages[3] / "model.mlpackage").mkdir()

    class Model:
        def __init__(self, path):
            assert path.endswith("model.mlpackage")

        def get_spec(self):
            spec = coremltools.proto.Model_pb2.Model()
            spec.description.input.add().name = "image"
            return spec

        def predict(self, feed):
            assert feed["image"].size == (512, 512)

    monkeypatch.setattr(coremltools.models, "MLModel", Model)
    monkeypatch.setattr(measure.platform, "system", lambda: "Darwin")
    (result,) = bench.benchmark_packages(packages[3:], seconds=0.01, rounds=1)
    (run,) = result.benchmark["runs"]
    assert run["arithmetic"] == "coreml"
    assert run["floor_ms"] is None
    assert "coreml: FPS, ms (floor)" in bench.table([result])


def spoil(folder, how):
    if how == "empty":
        return "no conversion_metadata.json"
    metadata = {
        "name": "x",
        "task": "detect",
        "format": "openvino",
        "precision": "float32",
        "input": models.MARKS_INPUT.metadata("images"),
        "files": [{"path": "model.xml"}],
    }
    if how == "no json":
        (folder / METADATA).write_text("{")
        return "cannot be used"
    if how == "no input":
        del metadata["input"]
    if how == "no model listed":
        metadata["files"] = []
    if how == "damaged":
        (folder / "model.xml").write_text("<net")
    (folder / METADATA).write_text(json.dumps(metadata))
    return {"no input": "lacks 'input'", "no model listed": r"lists no \.xml"}.get(how, "cannot measure")


@pytest.mark.parametrize("how", ["empty", "no json", "no input", "no model listed", "missing", "damaged"])
def test_unusable_packages_are_refused_in_one_line(tmp_path, how):
    with pytest.raises(ConversionError, match=spoil(tmp_path, how)) as error:
        bench.benchmark(tmp_path)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def run(arithmetic, fps, latency):
    return {
        "arithmetic": arithmetic,
        "throughput_fps": fps,
        "latency_ms": latency,
        "peak_gop_per_s": 500.0,
        "floor_ms": 17.5,
    }


def test_targets():
    runs = [run("f32", 29.9, 30), run("bf16", 30.0, 29.9)]
    yolo = measure._target("yolov8n", "detect", 640, 640, runs)
    assert yolo == {"measure": "throughput_fps", "at_least": 30.0, "met": {"f32": False, "bf16": True}}
    assert measure._target("YOLO-v8n", "detect", 640, 640, runs) is not None
    assert measure._target("yolov8n", "detect", 320, 320, runs) is None
    assert measure._target("yolov8x", "detect", 640, 640, runs) is None
    assert measure._target("any", "classify", 224, 224, runs)["met"] == {"f32": False, "bf16": True}
    assert measure._target("any", "embed", 224, 224, runs)["below"] == 50


def test_table_puts_arithmetics_side_by_side(tmp_path):
    host = {"cpu": "Test CPU", "cores": 2, "load_average": 1.5, "openvino": "1"}

    def result(precision, *runs):
        target = measure._target("yolov8n", "detect", 640, 640, list(runs))
        figures = {"host": host, "width_pixels": 640, "height_pixels": 640, "rounds": 3, "runs": list(runs)}
        return bench.Result(
            "yolov8n", tmp_path / precision, "detect", "openvino", precision, {**figures, "target": target}
        )

    text = bench.table(
        [result("float32", run("f32", 21.5, 48), run("bf16", 39, 26)), result("int8", run("int8", 60, 17))]
    )
    lines = text.splitlines()
    cells = "yolov8n openvino 640x640 21.5, 48.0 (17.5) 39.0, 26.0 (17.5) 60.0, 17.0 (17.5)"
    assert " ".join(lines[1].split()) == cells
    assert lines[2] == "yolov8n openvino: target 30 FPS or more: f32 NOT met (21.5 FPS), bf16 met (39.0 FPS)"
    assert "busy" in text
    assert "f32 500, bf16 500, int8 500" in text
    assert bench.table([]) == "nothing was measured"


def test_sizes_of_vision_transformers():
    pytest.importorskip("transformers")
    pytest.importorskip("nncf")
    tiny = vit_sizes.VitSize("tiny", 48, 2, 3, 32)
    results = bench.measure_vit_sizes([tiny], seconds=0.01, rounds=1)
    assert [each.precision for each in results] == ["float32", "int8"]
    tokens, width = 50, 48
    layer = tokens * width * width * 12 + 2 * tokens * tokens * width
    expected = 2 * (49 * width * 3 * 32 * 32 + 2 * layer + width * 1000) / 1e9
    assert results[0].benchmark["model_gop"] == pytest.approx(expected, abs=1e-3)
    text = bench.vit_table(results)
    assert "tiny" in text
    assert "int8" in text
    assert all("met" in line for line in text.splitlines())
    assert not math.isnan(results[1].benchmark["runs"][0]["latency_ms"])
