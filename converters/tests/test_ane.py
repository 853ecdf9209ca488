"""The Neural Engine: what fits it, and networks rewritten for it."""

import copy
import functools

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="needs the extra coreml")
torch = pytest.importorskip("torch", reason="needs the extra coreml")

from torch import nn  # noqa: E402

from eyrie_convert.coreml.ane import ane_report, apply_ane_optimizations  # noqa: E402
from eyrie_convert.coreml.config import CoreMLConverterConfig  # noqa: E402
from eyrie_convert.coreml.convert import convert_program, save_package  # noqa: E402
from eyrie_convert.coreml.nms import RAW_OUTPUTS, add_nms  # noqa: E402
from eyrie_convert.coreml.yolo import CoreMLYOLO  # noqa: E402
from eyrie_convert.errors import ConversionError  # noqa: E402
from eyrie_convert.mil_reference import MILReference  # noqa: E402
from eyrie_convert.mil_reference.suppression import suppress  # noqa: E402
from tests.coreml_stand_ins import (  # noqa: E402
    CLIP,
    IMAGE_SIZE,
    LABELS,
    MEAN,
    STD,
    VIT_OUTPUTS,
    YOLO_SIZE,
    ViT,
    clip_model,
    detection_model,
    model,
    module,
    package,
    picture,
    randomize,
    tensor,
    vit_model,
)

MODELS = {"yolo": detection_model, "vit": vit_model, "clip": clip_model}
FOR_NEURAL_ENGINE = CoreMLConverterConfig(ane_optimized=True)


def rewritten(kind):
    return apply_ane_optimizations(kind, MODELS[kind](), image_size=YOLO_SIZE, mean=MEAN, std=STD)


@functools.cache
def converted(kind, config=FOR_NEURAL_ENGINE):
    _, size, names, scale = module(kind)
    return convert_program(rewritten(kind), size, config, names, scale=scale, float32_outputs=kind == "yolo")


def answers_of(network, pixels, scale=1.0):
    with torch.no_grad():
        answers = network(tensor(pixels) * scale)
    return [value.numpy() for value in (answers if isinstance(answers, tuple) else (answers,))]


# Equality


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_rewritten_answers_the_same(kind):
    plain, size, _, scale = module(kind)
    for seed in range(3):
        pixels = picture(*size, seed=seed)
        expected = answers_of(plain, pixels, scale)
        for value, answer in zip(expected, answers_of(rewritten(kind), pixels, scale), strict=True):
            assert answer.shape == value.shape
            assert answer.dtype == value.dtype
            assert np.abs(answer - value).max() <= 1e-5


@pytest.mark.parametrize(
    ("patch", "image", "activation", "extra"),
    [
        (14, 56, "gelu", {}),
        (32, 96, "gelu_new", {"qkv_bias": False}),
        (7, 49, "quick_gelu", {"num_attention_heads": 1}),
        (8, 40, "relu", {"num_hidden_layers": 1}),
        (12, 48, "silu", {"num_attention_heads": 6}),
    ],
)
def test_vits_of_other_makes_answer_the_same(patch, image, activation, extra):
    from transformers import ViTConfig, ViTForImageClassification

    settings = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 80}
    settings |= {"image_size": image, "patch_size": patch, "hidden_act": activation, "num_labels": 9}
    original = randomize(ViTForImageClassification(ViTConfig(**settings | extra)))
    pixels = picture(image, image, seed=2)
    expected = answers_of(ViT(original, 3), pixels)
    answers = answers_of(apply_ane_optimizations("vit", original, mean=MEAN, std=STD, top_k=3), pixels)
    for value, answer in zip(expected, answers, strict=True):
        assert np.abs(answer - value).max() <= 1e-5


def test_clips_of_other_makes_answer_the_same():
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    settings = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 80}
    settings |= {"image_size": 56, "patch_size": 14, "hidden_act": "gelu", "projection_dim": 20}
    original = randomize(CLIPVisionModelWithProjection(CLIPVisionConfig(**settings)))
    pixels = picture(56, 56, seed=2)
    (expected,) = answers_of(CLIP(original), pixels)
    (answer,) = answers_of(apply_ane_optimizations("clip", original, mean=MEAN, std=STD), pixels)
    assert answer.shape == (1, 20)
    assert np.abs(answer - expected).max() <= 1e-5


def test_models_are_left_as_they_were():
    for kind in ("vit", "clip"):
        before = copy.deepcopy(MODELS[kind]().state_dict())
        network = rewritten(kind)
        with torch.no_grad():
            for value in [*network.parameters(), *network.buffers()]:
                value.zero_()
        after = MODELS[kind]().state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)


# Packages


@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_packages_agree_with_pytorch(kind, tmp_path):
    pixels = picture(IMAGE_SIZE, IMAGE_SIZE, seed=9)
    for target in ("iOS15", "iOS18"):
        config = CoreMLConverterConfig(ane_optimized=True, minimum_deployment_target=target)
        path = save_package(converted(kind, config), tmp_path / "m.mlpackage")
        answers = MILReference(path).run({"image": pixels})
        for name, expected in zip(module(kind)[2], answers_of(module(kind)[0], pixels), strict=True):
            if name == "top_k_indices":
                assert set(answers[name][0]) == set(expected[0])
            else:
                assert np.abs(answers[name].astype(np.float32) - expected).max() <= 5e-3


def test_the_detector_agrees_with_pytorch(tmp_path):
    pixels = picture(*YOLO_SIZE, seed=9)
    path = save_package(converted("yolo"), tmp_path / "m.mlpackage")
    answers = MILReference(path).run({"image": pixels})
    confidence, coordinates = answers_of(module("yolo")[0], pixels, 1 / 255)
    strong = confidence.max(1) > 0.25
    assert strong.sum() > 20, "the test is vacuous"
    assert np.abs(answers["raw_confidence"] - confidence).max() <= 0.02
    boxes = np.abs(answers["raw_coordinates"] - coordinates) * np.array([*YOLO_SIZE[::-1]] * 2)
    assert boxes[strong].max() <= 1
    pipeline = save_package(add_nms(converted("yolo"), LABELS), tmp_path / "p.mlpackage")
    left = MILReference(pipeline).run({"image": pixels})["confidence"]
    kept = suppress(answers["raw_confidence"], answers["raw_coordinates"], 0.45, 0.25, per_class=True)
    np.testing.assert_array_equal(left, answers["raw_confidence"][kept])


# The report


def unfit(report):
    return [(entry["type"], entry["reason"]) for entry in report["operations"] if not entry["fit"]]


@pytest.mark.parametrize("kind", MODELS)
def test_more_fits_after_the_rewrite(kind):
    # Both in float16, for the same system: only the rewrite differs.
    plain, fitted = ane_report(model(kind, "float16")), ane_report(converted(kind))
    assert fitted["summary"]["fit"] > plain["summary"]["fit"]
    assert fitted["summary"]["unfit"] < plain["summary"]["unfit"]
    assert fitted["summary"]["share"] > plain["summary"]["share"] > 0.9
    assert fitted["summary"]["moves"] < plain["summary"]["moves"]
    # What is left is at the edges: from the picture's float32, to float32 outputs, and the choice of the best.
    assert {kind for kind, _ in unfit(fitted)} <= {"cast", "topk"}
    assert not any("advice" in entry for entry in fitted["operations"])
    assert ane_report(model(kind, "float32"))["summary"]["fit"] == 0


def test_a_great_picture_fits_when_decoded_level_by_level():
    size = (1024, 1088)  # 22,848 anchors, where an axis may be 16,384 long
    reports = {}
    for ane_optimized in (False, True):
        config = CoreMLConverterConfig(ane_optimized=ane_optimized)
        network = CoreMLYOLO(detection_model(), size, ane_optimized=ane_optimized)
        reports[ane_optimized] = ane_report(convert_program(network, size, config, RAW_OUTPUTS, scale=1 / 255))
    too_long = [sum("16384" in reason for _, reason in unfit(reports[fitted])) for fitted in (False, True)]
    assert too_long[0] > 15
    assert too_long[1] <= 8  # where the answers are laid end to end
    assert reports[True]["summary"]["share"] > reports[False]["summary"]["share"] + 0.05


def test_report_is_of_every_operation_and_counts_them():
    report = ane_report(package("pipeline", "float16"))
    entries, summary = report["operations"], report["summary"]
    assert summary["operations"] == len(entries) == summary["fit"] + summary["unfit"]
    assert summary["share"] == pytest.approx(summary["fit"] / len(entries), abs=1e-4)
    assert entries[-1] == {
        "name": "confidence, coordinates",
        "type": "nonMaximumSuppression",
        "fit": False,
        "reason": "a model of its own that runs on the CPU",
    }
    assert "const" not in {entry["type"] for entry in entries}
    assert all(entry["fit"] or entry["reason"] for entry in entries)
    assert ane_report(package("yolo", "float16")) == ane_report(model("yolo", "float16"))


class Rules(nn.Module):
    """A network with one thing in it that does not fit."""

    def __init__(self, function, *layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.function = function

    def forward(self, image):
        """Return what the function makes of the image and the layers."""
        return self.function(image, *self.layers)


@pytest.mark.parametrize(
    ("function", "layers", "kind", "reason"),
    [
        (lambda x, c: c(x), [nn.Conv2d(3, 4, 14)], "conv", "its kernel is 14 wide, and 13 is the most"),
        (lambda x, c: c(x), [nn.Conv2d(3, 4, 3, dilation=2)], "conv", "dilated"),
        (lambda x, c: c(x[:, 0]), [nn.Conv1d(16, 4, 3)], "conv", "no convolution over two axes"),
        (lambda x: x.flatten(1).topk(2)[0], [], "topk", "sorting"),
        (lambda x: x.flatten(1)[:, x[0, 0, 0].int()], [], "gather", "reading at computed places"),
        (lambda x: x.cumsum(1), [], "cumsum", "no hardware for running sums"),
        (lambda x: x.repeat(1, 1, 1, 1100) * 2, [], "mul", "an axis is 17600 long, and 16384 is the most"),
        (lambda x: nn.functional.max_pool2d(nn.functional.pad(x, (9, 9, 9, 9)), 31), [], "max_pool", "wider than 29"),
        (lambda x: (x.int() + 1) * 3, [], "mul", "int32"),
        (lambda x: torch.sinh(x / 99), [], "sinh", "not known to run"),
    ],
)
def test_each_rule_is_kept(function, layers, kind, reason):
    report = ane_report(convert_program(Rules(function, *layers), (16, 16), CoreMLConverterConfig(), ["y"]))
    assert any(name == kind and reason in why for name, why in unfit(report)), unfit(report)


def test_rank_and_fixed_shapes_are_rules():
    specification = model("yolo", "float16").get_spec()  # Core ML Tools makes neither, so they are put there
    block = specification.mlProgram.functions["main"].block_specializations["CoreML5"]
    sums = [operation for operation in block.operations if operation.type == "add"]
    shape = sums[0].outputs[0].type.tensorType
    for _ in range(2):
        shape.dimensions.add().constant.size = 1
    sums[-1].outputs[0].type.tensorType.dimensions[0].unknown.variadic = False

    class Changed:
        def get_spec(self):
            return specification

    reasons = [reason for name, reason in unfit(ane_report(Changed())) if name == "add"]
    assert reasons == ["it has 6 axes, and 5 are the most", "its shape is not fixed"]


def test_what_fits_fits():
    network = Rules(lambda x, c: c(x).relu().softmax(1), nn.Conv2d(3, 4, 13))
    report = ane_report(convert_program(network, (16, 16), CoreMLConverterConfig(), ["y"]))
    assert [entry["type"] for entry in report["operations"] if entry["fit"]] == ["conv", "relu", "softmax"]


def test_a_package_that_is_none_says_so(tmp_path):
    with pytest.raises(ConversionError, match="is no Core ML package"):
        ane_report(tmp_path / "absent.mlpackage")


def test_what_cannot_be_rewritten_says_so():
    with pytest.raises(ConversionError, match="nothing can be done"):
        apply_ane_optimizations("resnet", nn.Identity())
    with pytest.raises(ConversionError, match="without its size"):
        apply_ane_optimizations("yolo", detection_model())
    with pytest.raises(ConversionError, match="mean and standard deviation"):
        apply_ane_optimizations("vit", vit_model(), mean=MEAN)
    with pytest.raises(ConversionError, match="is not built as the clip of transformers 5"):
        apply_ane_optimizations("clip", vit_model(), mean=MEAN, std=STD)
    with pytest.raises(ConversionError, match="the ViT has no 51 classes"):
        apply_ane_optimizations("vit", vit_model(), mean=MEAN, std=STD, top_k=51)
    other = copy.copy(vit_model())
    other.config = copy.copy(other.config)
    other.config.hidden_act = "mish"
    with pytest.raises(ConversionError, match="the activation 'mish' is not known"):
        apply_ane_optimizations("vit", other, mean=MEAN, std=STD)


def test_outputs_are_named_alike():
    assert tuple(output.name for output in converted("vit").get_spec().description.output) == VIT_OUTPUTS
