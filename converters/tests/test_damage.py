"""Packages that are wrong in ways that still load: the comparison with the original must find each."""

import shutil

import numpy as np
import onnx
import openvino as ov
import pytest
from onnx import numpy_helper

from eyrie_convert.errors import ConversionError

COREML = "model.mlpackage/Data/com.apple.CoreML"
FAMILIES = ("yolo", "clip", "vit")


@pytest.fixture
def damaged(conversions, tmp_path):
    """Return a function that copies a package, damages the copy, and says whether the check finds it."""

    def run(family, target, damage, precision="float32"):
        package = conversions.package(family, target, precision)
        copy = tmp_path / package.name
        shutil.copytree(package, copy, dirs_exist_ok=True)
        converter = conversions.converter(family, target, precision)
        assert converter._validate_model(copy).passed
        damage(copy)
        try:
            return converter._validate_model(copy).failures
        except ConversionError as error:
            return [str(error)]

    return run


def negate(path, dtype, count=2048):
    """Negate consecutive weights in the middle of a file of numbers."""
    numbers = np.fromfile(path, dtype)
    middle = len(numbers) // 2
    numbers[middle : middle + count] *= -1
    numbers.tofile(path)


def change_openvino(change):
    """Return a damage that rewrites the model."""

    def damage(package):
        model = ov.Core().read_model(package / "model.xml")
        processor = ov.preprocess.PrePostProcessor(model)
        processor.input().tensor().set_layout(ov.Layout("NCHW"))
        change(processor.input().preprocess())
        changed = processor.build()
        ov.save_model(changed, package / "changed.xml", compress_to_fp16=False)
        del model, changed
        for suffix in ("xml", "bin"):
            (package / f"changed.{suffix}").replace(package / f"model.{suffix}")

    return damage


def change_onnx(change):
    """Return a damage that rewrites one weight after another until ``change`` returns an array."""

    def damage(package):
        model = onnx.load(package / "model.onnx")
        for weight in model.graph.initializer:
            changed = change(numpy_helper.to_array(weight))
            if changed is not None:
                weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
                break
        else:
            raise AssertionError("nothing was changed")
        onnx.save(model, package / "model.onnx")

    return damage


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("family", FAMILIES)
class TestOpenVINO:
    """Of OpenVINO packages."""

    def test_flipped_weights(self, damaged, family):
        assert damaged(family, "openvino", lambda package: negate(package / "model.bin", np.float32))

    def test_blue_for_red(self, damaged, family):
        assert damaged(family, "openvino", change_openvino(lambda steps: steps.reverse_channels()))

    def test_a_wrong_scale(self, damaged, family):
        assert damaged(family, "openvino", change_openvino(lambda steps: steps.scale(255 / 254)))

    def test_a_truncated_weight_file(self, damaged, family):
        converter_error = damaged_error(damaged, family, "openvino", lambda package: halved(package / "model.bin"))
        assert converter_error


@pytest.mark.parametrize("family", FAMILIES)
class TestONNX:
    """Of ONNX packages."""

    def test_flipped_weights(self, damaged, family):
        def flip(array):
            if array.size < 8192 or array.dtype != np.float32:
                return None
            changed = array.copy().reshape(-1)
            changed[:2048] *= -1
            return changed.reshape(array.shape)

        assert damaged(family, "onnx", change_onnx(flip))

    def test_blue_for_red(self, damaged, family):
        def swap(array):
            return array[:, ::-1].copy() if array.ndim == 4 and array.shape[1] == 3 and array.shape[2] > 1 else None

        assert damaged(family, "onnx", change_onnx(swap))

    def test_a_wrong_scale(self, damaged, family):
        def scale(array):
            return array * np.float32(255 / 254) if array.ndim == 4 and array.shape[1] == 3 else None

        assert damaged(family, "onnx", change_onnx(scale))

    def test_a_truncated_file(self, damaged, family):
        assert damaged_error(damaged, family, "onnx", lambda package: halved(package / "model.onnx"))


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("family", FAMILIES)
class TestCoreML:
    """Of Core ML packages, by the interpreter."""

    def test_flipped_weights(self, damaged, family, precision):
        dtype = np.float32 if precision == "float32" else np.float16
        # Where a header lies among the weights, flipping would damage the form, and not the values.
        weights = f"{COREML}/weights/weight.bin"
        assert damaged(family, "coreml", lambda package: negate(package / weights, dtype), precision)

    def test_blue_for_red(self, damaged, family, precision):
        def swap(package):
            import coremltools as ct

            path = str(package / COREML / "model.mlmodel")
            specification = ct.utils.load_spec(path)
            images = ct.proto.FeatureTypes_pb2.ImageFeatureType
            models = [specification, *specification.pipeline.models]
            for model in models:
                for feature in model.description.input:
                    if feature.type.WhichOneof("Type") == "imageType":
                        feature.type.imageType.colorSpace = images.ColorSpace.BGR
            ct.utils.save_spec(specification, path)

        assert damaged(family, "coreml", swap, precision)

    def test_a_truncated_weight_file(self, damaged, family, precision):
        weights = f"{COREML}/weights/weight.bin"
        assert damaged_error(damaged, family, "coreml", lambda package: halved(package / weights), precision)


def damaged_error(damaged, family, target, damage, precision="float32"):
    """Return what is said of a package that does not even load."""
    found = damaged(family, target, damage, precision)
    assert len(found) == 1
    assert "\n" not in found[0]
    return found[0]
