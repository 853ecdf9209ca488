"""The Darknet converter: right on every kind of section, and clear about everything it refuses."""

import hashlib
import json
import struct

import numpy as np
import openvino as ov
import pytest

from eyrie_convert import cli
from eyrie_convert.architectures.darknet import Darknet
from eyrie_convert.darknet import reference
from eyrie_convert.darknet.cfg import read_cfg
from eyrie_convert.darknet.graph import build_graph
from eyrie_convert.darknet.layers import plan_network
from eyrie_convert.darknet.weights import read_weights
from eyrie_convert.errors import ConversionError
from eyrie_convert.options import ConversionOptions, Precision
from eyrie_convert.targets.openvino import OpenVINOConverter

from .conftest import EVERYTHING, write_weights

HEAD = "[net]\nwidth=32\nheight=32\n[convolutional]\nfilters=6\nsize=1\nactivation=linear\n"
YOLO = "[yolo]\nmask=0\nanchors=8,8\nclasses=1\nnum=1\n"


def convert(cfg, weights, output, *, precision=None, labels=None, **fields):
    """Write the package ``output``."""
    options = ConversionOptions(precision=precision, labels=labels)
    darknet = Darknet(cfg=cfg, **fields)
    OpenVINOConverter(darknet, options).convert_network(darknet.load(str(weights), options), output.parent, output)


def run(model, picture):
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(picture[None])[0][0]


def test_every_section_agrees_with_the_plain_network(tiny):
    cfg, weights = tiny
    plan = plan_network(cfg, read_cfg(cfg))
    numbers = read_weights(weights, plan)
    picture = np.random.default_rng(1).random((3, 96, 64), np.float32)
    expected = reference.forward(plan, numbers, picture)
    got = run(build_graph(plan, numbers, "tiny"), picture)
    assert got.shape == (11, 2 * 12 * 8 + 24 * 16)
    # Scores spread over 0 to 1, and boxes differ, so that a mistake anywhere would show.
    assert expected[4:].max() > 0.5
    assert expected[4:].min() < 0.05
    assert expected[:4].std() > 1
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)


def test_the_plain_network_computes_what_can_be_computed_by_hand(tmp_path):
    """One 1×1 convolution without bias: box and score follow from the formulas of YOLOv3."""
    cfg, weights = tmp_path / "a.cfg", tmp_path / "a.weights"
    cfg.write_text(HEAD + YOLO)
    plan = plan_network(cfg, read_cfg(cfg))
    kernel = np.zeros((6, 3), "<f4")
    kernel[2, 0] = np.log(2)  # twice the anchor where red is 1
    weights.write_bytes(struct.pack("<iiiQ", 0, 2, 0, 0) + np.zeros(6, "<f4").tobytes() + kernel.tobytes())
    picture = np.zeros((3, 32, 32), np.float32)
    picture[0, 3, 5] = 1
    for output in (
        reference.forward(plan, read_weights(weights, plan), picture),
        run(build_graph(plan, read_weights(weights, plan), "a"), picture),
    ):
        np.testing.assert_allclose(output[:, 3 * 32 + 5], [5.5, 3.5, 16, 8, 0.25], rtol=1e-6)
        np.testing.assert_allclose(output[:, 3 * 32 + 6], [6.5, 3.5, 8, 8, 0.25], rtol=1e-6)


def test_metadata_is_complete_and_true(tiny, tmp_path):
    cfg, weights = tiny
    output = tmp_path / "package"
    labels = [f"thing {index}" for index in range(7)]
    convert(cfg, weights, output, license="public domain", labels=labels)
    assert sorted(path.name for path in output.iterdir()) == [
        "conversion_metadata.json", "golden.safetensors", "model.bin", "model.xml",
    ]  # fmt: skip
    metadata = json.loads((output / "conversion_metadata.json").read_text())
    assert set(metadata) == {
        "schema", "name", "task", "format", "precision", "files", "source", "input", "output", "nms", "coreml",
        "validation", "benchmark", "created_at", "tools",
    }  # fmt: skip
    assert (metadata["schema"], metadata["task"], metadata["format"]) == ("eyrie.model/1", "detect", "openvino")
    for file in metadata["files"]:
        assert hashlib.sha256((output / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert metadata["source"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert metadata["source"]["license"] == "public domain"
    assert metadata["source"]["overrides"] == []
    taken = metadata["input"]
    assert (taken["width"], taken["height"], taken["stride"]) == (64, 96, 8)
    assert (taken["scale"], taken["mean"], taken["std"]) == (1 / 255, [0, 0, 0], [1, 1, 1])
    assert (taken["resize"], taken["pad_value"], taken["channel_order"]) == ("letterbox", 114, "rgb")
    assert metadata["output"]["labels"] == labels
    assert metadata["output"]["kind"] == "yolo_grid"
    assert metadata["nms"] == {
        "embedded": False, "confidence": 0.25, "iou": 0.45, "class_agnostic": False, "max_detections": 300,
    }  # fmt: skip
    assert metadata["validation"]["passed"] is True
    assert metadata["validation"]["golden"] == "golden.safetensors"
    assert 0 < metadata["validation"]["max_abs_error"] < 0.1
    model = ov.Core().read_model(output / "model.xml")
    assert model.inputs[0].get_any_name() == taken["name"]
    assert [model.outputs[0].get_any_name()] == metadata["output"]["names"]
    assert list(model.inputs[0].shape) == [1, 3, 96, 64]


def test_float16_weights_halve_the_file_and_say_so(tiny, tmp_path):
    cfg, weights = tiny
    for name, precision in (("single", Precision.FLOAT32), ("half", Precision.FLOAT16)):
        convert(cfg, weights, tmp_path / name, precision=precision)
    sizes = [(tmp_path / name / "model.bin").stat().st_size for name in ("half", "single")]
    assert sizes[0] < 0.7 * sizes[1]
    metadata = json.loads((tmp_path / "half" / "conversion_metadata.json").read_text())
    assert metadata["precision"] == "float16"


def test_a_mask_is_overridden_only_where_asked_and_then_recorded(tiny, tmp_path):
    cfg, weights = tiny
    convert(cfg, weights, tmp_path / "a", masks={1: (2,)})
    metadata = json.loads((tmp_path / "a" / "conversion_metadata.json").read_text())
    assert metadata["source"]["overrides"] == ["mask of [yolo] 1: 0 -> 2"]
    picture = np.random.default_rng(2).random((3, 96, 64), np.float32)
    convert(cfg, weights, tmp_path / "b")
    changed, plain = (run(tmp_path / name / "model.xml", picture) for name in "ab")
    cells = 2 * 12 * 8
    np.testing.assert_array_equal(changed[:, :cells], plain[:, :cells])
    np.testing.assert_allclose(changed[2, cells:] / plain[2, cells:], 37 / 10, rtol=1e-5)
    np.testing.assert_allclose(changed[3, cells:] / plain[3, cells:], 58 / 14, rtol=1e-5)


@pytest.mark.parametrize(
    ("masks", "message"),
    [({5: (0,)}, "no \\[yolo\\] 5"), ({0: (0,)}, "has 2 anchors in its mask"), ({1: (9,)}, "anchors 0 to 2 only")],
)
def test_an_override_that_does_not_fit_is_refused(tiny, tmp_path, masks, message):
    with pytest.raises(ConversionError, match=message):
        convert(*tiny, tmp_path / "out", masks=masks)


@pytest.mark.parametrize("version", [(0, 1, 0), (0, 2, 0), (1, 0, 0)])
def test_both_forms_of_the_header_are_read(tiny, version):
    cfg, weights = tiny
    plan = plan_network(cfg, read_cfg(cfg))
    before = read_weights(weights, plan)
    write_weights(weights, plan, np.random.default_rng(7), version)
    after = read_weights(weights, plan)
    np.testing.assert_array_equal(before[0].kernel, after[0].kernel)


def change_weights(kind, data):
    numbers = np.frombuffer(data, "<f4", offset=20).copy()
    match kind:
        case "short":
            return data[:-400]
        case "long":
            return data + bytes(400)
        case "cut":
            return data[:-2]
        case "empty":
            return b""
        case "html":
            return b"<!DOCTYPE html><html><body>not found</body></html>"
        case "nan":
            numbers[100] = np.nan
        case "negative variance":
            numbers[3 * 8 : 4 * 8] = -1
    return data[:20] + numbers.tobytes()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("short", "too short: the network takes [0-9]+ numbers, the file has [0-9]+"),
        ("long", "too long"),
        ("cut", "do not end on a number"),
        ("empty", "no Darknet weights file: it has 0 bytes"),
        ("html", "no Darknet weights file: its header says"),
        ("nan", "not finite, in layer 0"),
        ("negative variance", "negative variance"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_left(tiny, tmp_path, kind, message):
    cfg, weights = tiny
    weights.write_bytes(change_weights(kind, weights.read_bytes()))
    with pytest.raises(ConversionError, match=message) as caught:
        convert(cfg, weights, tmp_path / "out" / "package")
    assert "\n" not in str(caught.value)
    assert str(weights) in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with"),
        ("width=3\n", ":1: 'width=3' stands before"),
        ("[net\nwidth=3", ":1: '\\[net' is no section heading"),
        ("[net]\nwidth\n", ":2: 'width' is neither"),
        ("[net]\nwidth=32\n" + YOLO, ":1: \\[net\\] has no 'height'"),
        ("[net]\nwidth=0\nheight=32\n" + YOLO, "width=0 in \\[net\\] must be at least 1"),
        ("[net]\nwidth=wide\nheight=32\n" + YOLO, "width=wide in \\[net\\] is not a number"),
        ("[net]\nwidth=32\nwidth=32\nheight=32\n", "'width' is given twice"),
        (HEAD, "no \\[yolo\\] section"),
        (HEAD + "[lstm]\noutput=3\n" + YOLO, ":8: section \\[lstm\\] is not supported"),
        (HEAD + "[connected]\noutput=3\n" + YOLO, "section \\[connected\\] is not supported"),
        (HEAD.replace("linear", "selu") + YOLO, "activation=selu .* is not supported"),
        (HEAD.replace("size=1", "size=1\nxnor=1") + YOLO, "xnor=1 .* is not supported"),
        (HEAD.replace("size=1", "size=1\nspeed=1") + YOLO, "option 'speed' of \\[convolutional\\] is not known"),
        (HEAD.replace("filters=6", "filters=7") + YOLO, "needs 1 × \\(5 \\+ 1\\) channels before it, but gets 7"),
        (HEAD + YOLO.replace("num=1", "num=2"), "has num=2 but 2 numbers in anchors"),
        (HEAD + YOLO.replace("mask=0", "mask=3"), "there are anchors 0 to 0 only"),
        (HEAD + YOLO.replace("8,8", "8,inf"), "must be finite"),
        (HEAD + YOLO + "new_coords=1\n", "new_coords=1 .* is not supported"),
        (HEAD + "[route]\nlayers=5\n" + YOLO, "refers to layer 5"),
        (HEAD + "[route]\nlayers=-9\n" + YOLO, "refers to layer -9"),
        (HEAD + "[route]\nlayers=,\n" + YOLO, "names no layer"),
        (HEAD + "[maxpool]\nsize=2\nstride=2\n[route]\nlayers=-1,0\n" + YOLO, "joins layers of different sizes"),
        (HEAD + "[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=0\n" + YOLO, "adds layers of different shapes"),
        (HEAD + "[route]\nlayers=-1\ngroups=4\n" + YOLO, "cannot take group 0 of 4"),
        (HEAD.replace("size=1", "size=99") + YOLO, "empty shape"),
        (HEAD + YOLO + HEAD, "a second \\[net\\]"),
    ],
)
def test_a_cfg_that_cannot_be_converted_says_where_and_why(tmp_path, text, message):
    cfg = tmp_path / "bad.cfg"
    cfg.write_text(text)
    with pytest.raises(ConversionError, match=message) as caught:
        plan_network(cfg, read_cfg(cfg))
    assert str(caught.value).startswith(str(cfg))
    assert "\n" not in str(caught.value)


def test_binary_and_missing_files_are_refused(tmp_path):
    with pytest.raises(ConversionError, match="No such file"):
        read_cfg(tmp_path / "none.cfg")
    (tmp_path / "binary.cfg").write_bytes(bytes(range(256)))
    with pytest.raises(ConversionError, match="not a text file"):
        read_cfg(tmp_path / "binary.cfg")


def test_a_failed_conversion_leaves_an_older_package_alone(tiny, tmp_path, monkeypatch):
    cfg, weights = tiny
    output = tmp_path / "out" / "package"
    convert(cfg, weights, output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    monkeypatch.setattr(reference, "forward", lambda *_: np.full((11, 576), np.nan))
    with pytest.raises(ConversionError, match="score is nan"):
        convert(cfg, weights, output, precision=Precision.FLOAT16)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert [path.name for path in output.parent.iterdir()] == ["package"]


def test_a_package_is_replaced_but_other_directories_are_not(tiny, tmp_path):
    cfg, weights = tiny
    convert(cfg, weights, tmp_path / "package", name="first")
    convert(cfg, weights, tmp_path / "package", name="second")
    assert json.loads((tmp_path / "package" / "conversion_metadata.json").read_text())["name"] == "second"
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(ConversionError, match="not empty and holds no model package"):
        convert(cfg, weights, tmp_path / "photos")
    with pytest.raises(ConversionError, match="a file of that name"):
        convert(cfg, weights, weights)
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"


def test_the_command_line_converts_and_fails_in_one_line(tiny, tmp_path, capsys):
    cfg, weights = tiny
    labels = tmp_path / "names.txt"
    labels.write_text("\n".join("abcdefg") + "\n\n")
    command = ["darknet", str(weights), "--output-dir", str(tmp_path / "p")]
    assert cli.main([*command, "--labels", str(labels), "--license", "MIT", "--mask", "1=2"]) == 0
    metadata = json.loads((tmp_path / "p" / "tiny-openvino" / "conversion_metadata.json").read_text())
    assert metadata["name"] == "tiny"
    assert metadata["output"]["labels"] == list("abcdefg")
    assert metadata["source"]["license"] == "MIT"
    assert metadata["source"]["overrides"] == ["mask of [yolo] 1: 0 -> 2"]
    capsys.readouterr()
    labels.write_text("one\n")
    assert cli.main([*command, "--labels", str(labels)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"eyrie-convert: error: {cfg}: has 7 classes, but 1 labels were given"
    )
    with pytest.raises(SystemExit, match="2"):
        cli.main([*command, "--mask", "one"])


def test_the_sample_network_holds_every_kind_of_section():
    kinds = {line.split("]")[0].strip("[") for line in EVERYTHING.splitlines() if line.startswith("[")}
    assert kinds >= {"net", "convolutional", "conv", "maxpool", "max", "route", "shortcut", "upsample", "yolo"}
