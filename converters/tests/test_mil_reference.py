"""The reference interpreter: that it computes what PyTorch does, and that damage to a package shows."""

import shutil

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="needs the extra coreml")
torch = pytest.importorskip("torch", reason="needs the extra coreml")

from torch import nn  # noqa: E402

from eyrie_convert.coreml.config import CoreMLConverterConfig  # noqa: E402
from eyrie_convert.coreml.convert import convert_program, save_package  # noqa: E402
from eyrie_convert.coreml.tools import load_coremltools  # noqa: E402
from eyrie_convert.errors import ConversionError  # noqa: E402
from eyrie_convert.mil_reference import MILReference  # noqa: E402
from eyrie_convert.mil_reference.package import read_specification  # noqa: E402
from eyrie_convert.mil_reference.suppression import suppress  # noqa: E402
from tests.coreml_stand_ins import IMAGE_SIZE, YOLO_SIZE, module, package, picture, tensor  # noqa: E402

SPECIFICATION = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


def of(function):
    """Return a module that computes a function of an image's [1, 3, H, W]."""

    class Module(nn.Module):
        def forward(self, image):
            return function(image)

    return Module()


class WithWeights(nn.Module):
    """A module with the layers of a network, one after the other, all answered."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.even = nn.Conv2d(3, 6, 4, stride=3, padding=1, groups=3)
        self.dilated = nn.Conv2d(3, 4, 3, dilation=2, bias=False)
        self.line = nn.Conv1d(8, 5, 3, padding=1)
        self.linear = nn.Linear(8, 7)
        self.layer_norm = nn.LayerNorm([6, 8])
        self.batch_norm = nn.BatchNorm2d(3)
        self.batch_norm.running_mean.uniform_(-1, 1)
        self.batch_norm.running_var.uniform_(0.5, 2)
        self.embedding = nn.Parameter(torch.randn(6, 3))

    def forward(self, x):
        """Return the answer of each."""
        x = x / 128 - 1
        normal = self.batch_norm(x.relu())  # the activation keeps it from being folded into a convolution
        return (
            self.even(x),
            self.dilated(x),
            self.line(x[:, 0].transpose(1, 2)),
            self.linear(x),
            self.layer_norm(x),
            normal,
            self.embedding[x[0, :, 0, 0].abs().mul(2).int().clamp(0, 5)],
        )


# Each on an image of 6 x 8, so that every axis has a length of its own.
FUNCTIONS = {
    "arithmetic": lambda x: (x / 50 - x.mean((2, 3), keepdim=True) / 40) * (x + 1) ** 0.5,
    "division": lambda x: x / (x.sum(1, keepdim=True) + 1),
    "extrema": lambda x: torch.maximum(torch.minimum(x, x.mean(1, keepdim=True)), x / 2 + 30).clamp(40, 180),
    "exponentials": lambda x: torch.exp(x / 100) + torch.sqrt(x + 1) + torch.rsqrt(x + 1) + (x / 90).square().abs(),
    "relu": lambda x: nn.functional.relu(x - 100) + nn.functional.leaky_relu(x - 100, 0.1),
    "sigmoids": lambda x: torch.sigmoid(x / 99 - 1) + nn.functional.silu(x / 99 - 1) + torch.tanh(x / 99 - 1),
    "gelu": lambda x: nn.functional.gelu(x / 50 - 2),
    "gelu tanh": lambda x: nn.functional.gelu(x / 50 - 2, approximate="tanh"),
    "erf": lambda x: torch.erf(x / 99 - 1),
    "softmax": lambda x: (x / 50).softmax(1) + (x / 50).softmax(-1),
    "matmul": lambda x: (x / 99) @ (x / 99).transpose(-1, -2),
    "einsum": lambda x: torch.einsum("bchq,bkhc->bkhq", x.transpose(1, 3) / 99, x / 99),
    "attention": lambda x: nn.functional.scaled_dot_product_attention(x / 50, x / 70, x / 90),
    "norm": lambda x: x / x.norm(dim=1, keepdim=True),
    "normalize": lambda x: nn.functional.normalize(x.mean((2, 3))),
    "reductions": lambda x: x.mean(1) + x.sum(1) / 3 + x.amax(1),
    "sum of squares": lambda x: (x * x).sum(-1),
    "max_pool": lambda x: nn.functional.max_pool2d(x - 200, 3, 2, 1),
    "avg_pool": lambda x: nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "avg_pool padded": lambda x: nn.functional.avg_pool2d(x, 3, 2, 1),
    "nearest": lambda x: nn.functional.interpolate(x, scale_factor=2, mode="nearest"),
    "bilinear": lambda x: nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
    "shapes": lambda x: x.reshape(1, 6, -1).transpose(1, 2).unsqueeze(0).squeeze(1)[:, 1:9:2, 1:],
    "split and join": lambda x: torch.cat([part * number for number, part in enumerate(x.split([1, 2], 1))], 2 - 1),
    "stack": lambda x: torch.stack([x[0], x[0] * 2], 1),
    "chunks": lambda x: torch.cat(x.chunk(4, 3)[::-1], 2),
    "tile": lambda x: x.repeat(1, 2, 1, 3),
    "pad": lambda x: nn.functional.pad(x, (1, 2, 3, 0), value=7.0),
    "index": lambda x: x[:, 1, 2:4, -1],
    "topk": lambda x: x.flatten(1).topk(4),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_operation_computes_what_pytorch_does(name, tmp_path):
    check_module(of(FUNCTIONS[name]), tmp_path)


@pytest.mark.parametrize("target", ["iOS15", "iOS18"])
def test_layers_with_weights_compute_what_pytorch_does(target, tmp_path):
    check_module(WithWeights().eval(), tmp_path, target)


def check_module(network, tmp_path, target="iOS15"):
    pixels = np.random.default_rng(5).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = network(tensor(pixels))
    expected = expected if isinstance(expected, tuple) else (expected,)
    names = [f"output_{index}" for index in range(len(expected))]
    config = CoreMLConverterConfig(precision="float32", minimum_deployment_target=target)
    path = save_package(convert_program(network, (6, 8), config, names), tmp_path / "m.mlpackage")
    answers = MILReference(path).run({"image": pixels})
    for name, value in zip(names, expected, strict=True):
        assert np.ptp(value.numpy()) > 0.01, "the test is vacuous"
        np.testing.assert_allclose(answers[name], value.numpy(), rtol=1e-5, atol=1e-5 * float(value.abs().max()))


def reference(kind, pixels):
    network, _, names, scale = module(kind)
    with torch.no_grad():
        answers = network(tensor(pixels) * scale)
    answers = answers if isinstance(answers, tuple) else (answers,)
    return {name: value.numpy() for name, value in zip(names, answers, strict=True)}


def size_of(kind):
    return YOLO_SIZE if kind in ("yolo", "pipeline") else (IMAGE_SIZE, IMAGE_SIZE)


@pytest.mark.parametrize("kind", ["yolo", "vit", "clip"])
def test_float32_agrees_with_pytorch(kind):
    pixels = picture(*size_of(kind), seed=9)
    answers = MILReference(package(kind, "float32")).run({"image": pixels})
    for name, expected in reference(kind, pixels).items():
        assert np.abs(answers[name] - expected).max() <= 1e-4 * np.ptp(expected), name


@pytest.mark.parametrize("precision", ["float16", "mixed"])
@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_float16_probabilities_and_embeddings_agree_with_pytorch(kind, precision):
    pixels = picture(*size_of(kind), seed=9)
    answers = MILReference(package(kind, precision)).run({"image": pixels})
    expected = reference(kind, pixels)
    for name in expected.keys() - {"top_k_indices"}:
        assert 1e-6 < np.abs(answers[name] - expected[name]).max() <= 5e-3, name
    if kind == "vit":
        assert set(answers["top_k_indices"][0]) == set(expected["top_k_indices"][0])
    else:
        np.testing.assert_allclose(np.linalg.norm(answers["embedding"]), 1, atol=2e-3)


@pytest.mark.parametrize("precision", ["float16", "mixed"])
def test_float16_detections_agree_with_pytorch(precision):
    pixels = picture(*YOLO_SIZE, seed=9)
    answers, expected = MILReference(package("yolo", precision)).run({"image": pixels}), reference("yolo", pixels)
    strong = expected["raw_confidence"].max(1) > 0.25
    assert strong.sum() > 20, "the test is vacuous"
    pixel_size = np.array([*YOLO_SIZE[::-1]] * 2)
    boxes = np.abs(answers["raw_coordinates"] - expected["raw_coordinates"]) * pixel_size
    assert boxes[strong].max() <= 1
    assert np.abs(answers["raw_confidence"] - expected["raw_confidence"]).max() <= 0.02


def plain_nms(confidence, coordinates, iou, least):
    """Return kept indices, box by box and pair by pair: slow and obvious."""

    def overlap(a, b):
        sides = [
            min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2)
            for i in (0, 1)
        ]
        both = max(sides[0], 0) * max(sides[1], 0)
        return both / (a[2] * a[3] + b[2] * b[3] - both)

    kept = []
    for index in sorted(range(len(confidence)), key=lambda index: -confidence[index].max()):
        if confidence[index].max() >= least and all(
            confidence[index].argmax() != confidence[other].argmax()
            or overlap(coordinates[index], coordinates[other]) <= iou
            for other in kept
        ):
            kept.append(index)
    return kept


@pytest.mark.parametrize("thresholds", [{}, {"iouThreshold": 0.2, "confidenceThreshold": 0.5}])
def test_pipeline_agrees_with_plain_nms_of_pytorch(thresholds):
    pixels, reader = picture(*YOLO_SIZE, seed=9), MILReference(package("pipeline"))
    assert reader.inputs == ["image", "iouThreshold", "confidenceThreshold"]
    assert reader.outputs == ["confidence", "coordinates"]
    answers = reader.run({"image": pixels, **{name: np.float64(value) for name, value in thresholds.items()}})
    raw = reference("yolo", pixels)
    confidence, coordinates = raw["raw_confidence"], raw["raw_coordinates"]
    iou, least = thresholds.get("iouThreshold", 0.45), thresholds.get("confidenceThreshold", 0.25)
    kept = plain_nms(confidence, coordinates, iou, least)
    assert 3 < len(kept) < (confidence.max(1) >= least).sum(), "the test is vacuous"
    np.testing.assert_allclose(answers["confidence"], confidence[kept], atol=1e-4)
    np.testing.assert_allclose(answers["coordinates"], coordinates[kept], atol=1e-4)


def test_suppression_keeps_to_its_rules():
    boxes = np.array(
        [[0.5, 0.5, 0.2, 0.2], [0.51, 0.5, 0.2, 0.2], [0.5, 0.51, 0.2, 0.2], [0.9, 0.9, 0, 0], [0.9, 0.9, 0, 0]]
    )
    scores = np.array([[0.6, 0.1], [0.9, 0.2], [0.3, 0.8], [0.5, 0.4], [0.25, 0.1]])
    assert suppress(scores, boxes, 0.5, 0.25, per_class=True).tolist() == [1, 2, 3, 4]
    assert suppress(scores, boxes, 0.5, 0.25, per_class=False).tolist() == [1, 3, 4]
    assert suppress(scores, boxes, 0.5, 0.3, per_class=True).tolist() == [1, 2, 3]
    assert suppress(scores, boxes, 1.0, 0.3, per_class=True).tolist() == [1, 2, 0, 3]
    assert suppress(scores, boxes, 0.5, 1.0, per_class=True).tolist() == []


def test_image_layouts_are_one():
    pixels, reader = picture(IMAGE_SIZE, IMAGE_SIZE, seed=9), MILReference(package("clip"))
    planes = pixels.transpose(2, 0, 1)
    answers = [reader.run({"image": form})["embedding"] for form in (pixels, pixels[None], planes, planes[None])]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


# Damage. Each change must raise, or change the answers by more than any tolerance.


@pytest.fixture
def damaged(tmp_path):
    """Return a function that copies a package for damaging."""

    def copy(kind, precision="float32"):
        return shutil.copytree(package(kind, precision), tmp_path / "damaged.mlpackage")

    return copy


def change_specification(path, change):
    specification, _ = read_specification(path)
    change(specification)
    (path / SPECIFICATION).write_bytes(specification.SerializeToString())


def difference(kind, path):
    pixels = picture(*size_of(kind), seed=9)
    answers, expected = MILReference(path).run({"image": pixels}), reference(kind, pixels)
    return max(np.abs(answers[name] - expected[name]).max() for name in expected if name != "top_k_indices")


def test_what_is_not_damaged_agrees(damaged):
    for kind in ("yolo", "vit", "clip"):
        path = damaged(kind)
        change_specification(path, lambda specification: None)
        assert difference(kind, path) < 1e-4
        shutil.rmtree(path)


@pytest.mark.parametrize(("kind", "least"), [("yolo", 0.03), ("vit", 0.01), ("clip", 0.03)])
def test_flipped_weights_change_the_answers(kind, least, damaged):
    path = damaged(kind)
    weights = bytearray((path / WEIGHTS).read_bytes())
    # The greatest weight in the file, in float32: its values change sign.
    place, size = max(weight_places(path), key=lambda weight: weight[1])
    values = np.frombuffer(weights, "<f4", count=size // 4, offset=place).copy()
    weights[place : place + size] = (-values).tobytes()
    (path / WEIGHTS).write_bytes(weights)
    assert difference(kind, path) > least


def weight_places(path):
    specification, _ = read_specification(path)
    contents = (path / WEIGHTS).read_bytes()
    for operation in specification.mlProgram.functions["main"].block_specializations["CoreML5"].operations:
        value = operation.attributes["val"] if operation.type == "const" else None
        if value is not None and value.WhichOneof("value") == "blobFileValue":
            entry = value.blobFileValue.offset
            yield tuple(int(number) for number in np.frombuffer(contents, "<u8", 2, entry + 8))[::-1]


@pytest.mark.parametrize(("kind", "least"), [("yolo", 0.03), ("vit", 0.01), ("clip", 0.03)])
def test_bgr_for_rgb_changes_the_answers(kind, least, damaged):
    path = damaged(kind)
    bgr = load_coremltools().proto.FeatureTypes_pb2.ImageFeatureType.BGR

    def change(specification):
        specification.description.input[0].type.imageType.colorSpace = bgr

    change_specification(path, change)
    assert difference(kind, path) > least


@pytest.mark.parametrize(("kind", "least"), [("yolo", 0.03), ("vit", 0.01), ("clip", 0.03)])
def test_wrong_scale_changes_the_answers(kind, least, damaged):
    path = damaged(kind)

    def change(specification):
        block = specification.mlProgram.functions["main"].block_specializations["CoreML5"]
        user = next(operation for operation in block.operations if operation.type == "mul")
        name = user.inputs["y"].arguments[0].name
        const = next(operation for operation in block.operations if operation.outputs[0].name == name)
        floats = const.attributes["val"].immediateValue.tensor.floats.values
        assert floats[0] == pytest.approx(1 / 255)
        floats[0] = 1 / 127.5

    change_specification(path, change)
    assert difference(kind, path) > least


@pytest.mark.parametrize("keep", [0, 40, 1000, -1])
def test_truncated_weights_raise(keep, damaged):
    path = damaged("vit")
    contents = (path / WEIGHTS).read_bytes()
    (path / WEIGHTS).write_bytes(contents[:keep])
    with pytest.raises(ConversionError, match=r"weight.bin is (truncated|damaged): .*weight"):
        MILReference(path)


def test_missing_weights_raise(damaged):
    path = damaged("vit")
    (path / WEIGHTS).unlink()
    with pytest.raises(ConversionError, match=r"cannot read the weights .*weight.bin: No such file"):
        MILReference(path)


def test_weights_outside_of_the_package_raise(damaged):
    path = damaged("vit")

    def change(specification):
        for operation in specification.mlProgram.functions["main"].block_specializations["CoreML5"].operations:
            if operation.type == "const" and operation.attributes["val"].WhichOneof("value") == "blobFileValue":
                operation.attributes["val"].blobFileValue.fileName = "@model_path/weights/../../../secret.bin"

    change_specification(path, change)
    with pytest.raises(ConversionError, match="outside of the package"):
        MILReference(path)


def test_a_weight_of_another_type_raises(damaged):
    path = damaged("vit", "float16")

    def change(specification):
        for operation in specification.mlProgram.functions["main"].block_specializations["CoreML5"].operations:
            if operation.type == "const" and operation.attributes["val"].WhichOneof("value") == "blobFileValue":
                operation.attributes["val"].type.tensorType.dimensions[0].constant.size *= 2

    change_specification(path, change)
    with pytest.raises(ConversionError, match="is damaged: no weight"):
        MILReference(path)


def test_unknown_operation_raises(damaged):
    path = damaged("yolo")

    def change(specification):
        for operation in specification.mlProgram.functions["main"].block_specializations["CoreML5"].operations:
            if operation.type == "sigmoid":
                operation.type = "sinh"

    change_specification(path, change)
    with pytest.raises(ConversionError, match=r"uses the operation 'sinh' \(.*does not know"):
        MILReference(path)


def test_a_shape_that_does_not_fit_raises(damaged):
    path = damaged("yolo")

    def change(specification):
        specification.mlProgram.functions["main"].inputs[0].type.tensorType.dimensions[2].constant.size -= 32

    change_specification(path, change)
    with pytest.raises(ConversionError, match="is damaged"):
        MILReference(path).run({"image": picture(*YOLO_SIZE)})


def test_pipeline_and_detector_must_describe_one_image(damaged):
    path = damaged("pipeline")

    def change(specification):
        image = specification.description.input[0].type.imageType
        image.colorSpace = load_coremltools().proto.FeatureTypes_pb2.ImageFeatureType.BGR

    change_specification(path, change)
    with pytest.raises(ConversionError, match="in one way for the pipeline and in another"):
        MILReference(path)


@pytest.mark.parametrize("contents", [b"", b"\x00", b"\xff" * 64, b'{"a": 1}'])
@pytest.mark.parametrize("name", ["Manifest.json", SPECIFICATION])
def test_damaged_files_raise_one_line(name, contents, damaged):
    path = damaged("vit")
    (path / name).write_bytes(contents)
    with pytest.raises(ConversionError) as raised:
        MILReference(path)
    assert "\n" not in str(raised.value)
    assert name.rsplit("/", 1)[-1] in str(raised.value)


def test_a_specification_cut_short_raises(damaged):
    path = damaged("vit")
    contents = (path / SPECIFICATION).read_bytes()
    for length in (10, len(contents) // 2, len(contents) - 3):
        (path / SPECIFICATION).write_bytes(contents[:length])
        with pytest.raises(ConversionError, match="is damaged"):
            MILReference(path)


def test_no_package_raises(tmp_path):
    with pytest.raises(ConversionError, match="is no Core ML package"):
        MILReference(tmp_path)


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # a directory of Core ML Tools
def test_arrays_go_in_as_they_are(tmp_path):
    ct = load_coremltools()

    @ct.converters.mil.Builder.program(
        input_specs=[ct.converters.mil.Builder.TensorSpec(shape=(2, 3))], opset_version=ct.target.iOS15
    )
    def program(x):
        return ct.converters.mil.Builder.mul(x=x, y=np.float32(2), name="y")

    converted = ct.convert(program, minimum_deployment_target=ct.target.iOS15, skip_model_load=True)
    reader = MILReference(save_package(converted, tmp_path / "m.mlpackage"))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(reader.run({"x": x})["y"], 2 * x)
    for wrong in (x.T, x.astype(np.float64)):
        with pytest.raises(ConversionError, match=r"'x' takes float32 \[2, 3\], not"):
            reader.run({"x": wrong})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: setattr(d.input[0].type.imageType, "colorSpace", 10), "the colour space GRAYSCALE"),
        (lambda d: setattr(d.input[0].type.imageType, "colorSpace", 77), "the colour space 77"),
        (lambda d: setattr(d.output[0].type.multiArrayType, "dataType", 77), "of the type 77"),
        (
            lambda d: setattr(d.output[0].type.multiArrayType, "dataType", 0x10000 | 16),
            "as float16, its program answers",
        ),
        (lambda d: setattr(d.output[0], "name", "vector"), "its program has no output 'vector'"),
    ],
)
def test_descriptions_that_do_not_fit_raise(change, message, damaged):
    path = damaged("clip")
    change_specification(path, lambda specification: change(specification.description))
    with pytest.raises(ConversionError, match=message):
        MILReference(path).run({"image": picture(IMAGE_SIZE, IMAGE_SIZE)})


def test_inputs_are_checked():
    reader = MILReference(package("pipeline"))
    pixels = picture(*YOLO_SIZE)
    for features, message in (
        ({}, "needs the input 'image'"),
        ({"images": pixels}, "has no input 'images'"),
        ({"image": pixels[1:]}, r"takes uint8 \[160, 224, 3\]"),
        ({"image": pixels.astype(np.float32)}, r"not float32 \[160, 224, 3\]"),
        ({"image": pixels, "iouThreshold": np.zeros(2)}, "takes one number"),
    ):
        with pytest.raises(ConversionError, match=message):
            reader.run(features)


def test_float16_is_computed_in_float16(tmp_path):
    network = of(lambda x: (x * 1000 - x * 999).mean((2, 3)))
    for precision, worst in (("float32", 0.02), ("float16", 100)):
        config = CoreMLConverterConfig(precision=precision)
        path = save_package(convert_program(network, (6, 8), config, ["y"]), tmp_path / f"{precision}.mlpackage")
        pixels = picture(6, 8, seed=5) // 4
        error = np.abs(MILReference(path).run({"image": pixels})["y"] - pixels.mean((0, 1))).max()
        assert worst / 1000 < error < worst or (precision == "float32" and error < worst)
