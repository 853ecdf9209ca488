"""Checkpoints: safe to load, and clear about what is wrong with them. Nothing is left behind by a failure."""

import json
import pickle
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
import torch

from eyrie_convert.architectures.ultralytics_import import ultralytics
from eyrie_convert.converters import architecture
from eyrie_convert.errors import ConversionError
from eyrie_convert.options import ConversionOptions


class Trap:
    """What a pickle can do: call something when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return an Ultralytics checkpoint as training leaves it: the whole model, pickled, in half precision."""
    torch.manual_seed(0)
    model = ultralytics().DetectionModel("yolov8n.yaml", nc=3, verbose=False)
    model.names = {0: "helmet", 1: "head", 2: "person"}
    path = tmp_path_factory.mktemp("checkpoint") / "best.pt"
    torch.save(
        {"epoch": -1, "model": model.half(), "ema": None, "version": "8.3.0", "train_args": {"imgsz": 640}}, path
    )
    return path


def load(family, path, **options):
    return architecture(family).load(str(path), ConversionOptions(**options))


def refused(family, path, message, **options):
    with pytest.raises(ConversionError, match=message) as caught:
        load(family, path, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_ordinary_checkpoint_loads_without_trust(checkpoint):
    network = load("yolo", checkpoint, size=(64, 64))
    assert network.labels == ["helmet", "head", "person"]
    assert (network.name, network.package_name) == ("best", "yolo-best")
    assert network.source["version"] == "8.3.0"
    assert network.random_weights is False
    assert next(network.module.parameters()).dtype is torch.float32


def test_code_in_a_checkpoint_does_not_run_unless_trusted(checkpoint, tmp_path, capsys):
    trap, path = tmp_path / "sprung", tmp_path / "trap.pt"
    held = torch.load(checkpoint, weights_only=False)
    torch.save({**held, "trap": Trap(trap)}, path)
    refused("yolo", path, r"holds more than weights \(.*open\).*--trust-checkpoint", size=(64, 64))
    assert not trap.exists()
    with pytest.warns(ResourceWarning):  # of the file that the trap opened
        load("yolo", path, size=(64, 64), trust_checkpoint=True)
    assert trap.exists()
    assert "warning" in capsys.readouterr().err


LAYERS = {"nc": 3, "backbone": [[-1, 1, "Conv", [16, 3, 2]]], "head": [[[0], 1, "Detect", ["nc"]]]}


def layers_that_run(trap, inner):
    """Return descriptions of layers that make Ultralytics run code when it builds a network from them."""
    loader = [[-1, 1, "torch_safe_load", [f"'{inner}'"]]]
    evaluating = {**LAYERS, "activation": f"open({str(trap)!r}, 'w').close()"}
    nested = [[-1, 1, "DetectionModel", [evaluating]]]
    return {
        "evaluating": evaluating,
        "loading": {**LAYERS, "backbone": loader},
        "nested": {**LAYERS, "backbone": nested},
    }


class Call:
    """A pickle that calls a class which is allowed, with arguments of its own."""

    def __init__(self, called, *arguments):
        self.called, self.arguments = called, arguments

    def __reduce__(self):
        return self.called, self.arguments


@pytest.mark.parametrize("how", ["evaluating", "loading", "nested"])
def test_constructors_of_allowed_classes_are_not_called(tmp_path, how):
    trap, inner, path = tmp_path / "sprung", tmp_path / "inner.pt", tmp_path / "calls.pt"
    torch.save({"model": Trap(trap)}, inner)
    layers = layers_that_run(trap, inner)[how]
    torch.save({"model": Call(ultralytics().DetectionModel, layers, 3, 3, False)}, path)
    refused("yolo", path, r"holds more than weights \(a call of .*DetectionModel\)")
    assert not trap.exists()


@pytest.mark.parametrize("how", ["evaluating", "loading", "nested"])
@pytest.mark.parametrize("name", ["layers.yaml", "config.json"])
def test_code_in_a_description_of_layers_does_not_run(tmp_path, how, name):
    trap, inner, path = tmp_path / "sprung", tmp_path / "inner.pt", tmp_path / name
    torch.save({"model": Trap(trap)}, inner)
    path.write_text(json.dumps(layers_that_run(trap, inner)[how]))
    refused("yolo", path, "cannot make a detector of .*(is no layer|is none of torch.nn's)", size=(64, 64))
    assert not trap.exists()


@pytest.mark.parametrize("text", ["[]", "{}", '{"backbone": [], "head": []}', '{"backbone": [1], "head": [2]}'])
def test_a_description_of_no_layers_is_refused(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    refused("yolo", path, "cannot make a detector of .*no list of layers")


def test_an_activation_of_torch_is_allowed(tmp_path):
    import yaml

    layers = ultralytics().yaml_model_load("yolov8n.yaml")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**layers, "nc": 2, "activation": "torch.nn.LeakyReLU(0.1, inplace=True)"}))
    network = load("yolo", path, size=(64, 64))
    assert any(isinstance(each, torch.nn.LeakyReLU) for each in network.module.modules())


def test_a_bare_pickle_does_not_run_either(tmp_path):
    trap, path = tmp_path / "sprung", tmp_path / "trap.pt"
    path.write_bytes(pickle.dumps({"model": Trap(trap)}, protocol=2))
    refused("yolo", path, "trap.pt")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda good: b"", "no PyTorch checkpoint, or is damaged"),
        (lambda good: bytes(range(256)) * 64, "no PyTorch checkpoint, or is damaged"),
        (lambda good: good[: len(good) // 2], "no PyTorch checkpoint, or is damaged"),
        (lambda good: good[:-40_000], "no PyTorch checkpoint, or is damaged"),
    ],
)
def test_damaged_checkpoints_are_refused(checkpoint, tmp_path, make, message):
    path = tmp_path / "damaged.pt"
    path.write_bytes(make(checkpoint.read_bytes()))
    refused("yolo", path, message)


def test_what_is_no_checkpoint_of_a_detector_is_refused(tmp_path):
    tasks = ultralytics()
    path = tmp_path / "a.pt"
    refused("yolo", path, "there is no checkpoint|there is no file")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.jpg", b"cat")
    refused("yolo", path, "no PyTorch checkpoint, or is damaged")
    torch.save({"weights": torch.zeros(3)}, path)
    refused("yolo", path, "not one of an Ultralytics model")
    torch.save(torch.zeros(3), path)
    refused("yolo", path, "not one of an Ultralytics model")
    torch.save({"model": tasks.ClassificationModel("yolov8n-cls.yaml", verbose=False)}, path)
    refused("yolo", path, "no detector but a ClassificationModel")


@pytest.mark.parametrize("layers", ["yolov10n.yaml", "yolov3-tiny.yaml", "yolo11n.yaml", "yolov8n-p2.yaml"])
def test_other_heads_convert_or_are_refused(layers, tmp_path):
    """Detectors with the same head convert, whatever is in front of it; others are named."""
    if layers == "yolov10n.yaml":
        refused("yolo", layers, r"head of yolov10n.yaml \(v10Detect\) is not YOLOv8's", size=(64, 64))
    else:
        from eyrie_convert.targets.openvino import OpenVINOConverter

        options = ConversionOptions(size=(128, 128))
        package = OpenVINOConverter(architecture("yolo"), options).convert(layers, tmp_path)
        assert package.is_dir()


def test_names_that_cannot_be_had_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("EYRIE_CACHE", str(tmp_path))
    monkeypatch.setattr("eyrie_convert.architectures.yolov8.RELEASE", "http://127.0.0.1:9/none")
    refused("yolo", "yolov8x", "cannot get yolov8x.pt from http://127.0.0.1:9/none")
    refused("yolo", "yolov9000", "no checkpoint is known by that name")
    refused("clip", "ViT-B/32", "cannot get ViT-B/32: the Hugging Face hub cannot be reached")
    refused("vit", "someone/some-model", "cannot get someone/some-model")
    refused("vit", "./nowhere/at/all", "there is no file or directory")


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    """Return directories as ``save_pretrained`` writes them: a ViT and a whole CLIP's vision tower."""
    import transformers

    folder = tmp_path_factory.mktemp("pretrained")
    layers = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    labels = {0: "cat", 1: "dog", 2: "bird"}
    vit = transformers.ViTConfig(**layers, image_size=64, patch_size=16, num_labels=3, id2label=labels)
    transformers.ViTForImageClassification(vit).save_pretrained(folder / "vit")
    (folder / "vit" / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "resample": 3})
    )
    clip = transformers.CLIPVisionConfig(**layers, image_size=64, patch_size=16, projection_dim=32)
    transformers.CLIPVisionModelWithProjection(clip).save_pretrained(folder / "clip")
    return folder


def test_a_local_directory_converts_with_its_own_preprocessing(directories, tmp_path):
    from eyrie_convert.converters import ViTConverter

    network = load("vit", directories / "vit")
    assert network.labels == ["cat", "dog", "bird"]
    assert (network.input.mean, network.input.std) == ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    assert (network.input.resize, network.input.interpolation) == ("stretch", "bicubic")
    package = ViTConverter("onnx").convert(directories / "vit", tmp_path)
    metadata = json.loads((package / "conversion_metadata.json").read_text())
    assert metadata["output"]["labels"] == ["cat", "dog", "bird"]
    assert metadata["output"]["top_k"] == 3
    assert metadata["source"]["random_weights"] is False


def test_directories_of_other_models_and_damaged_ones_are_refused(directories, tmp_path):
    import shutil

    refused("clip", directories / "vit", "is the configuration of a vit model, and clip_vision_model is wanted")
    refused("vit", directories / "clip", "is the configuration of a clip_vision_model model, and vit is wanted")
    copy = tmp_path / "vit"
    shutil.copytree(directories / "vit", copy)
    weights = copy / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused("vit", copy, "cannot load")
    weights.unlink()
    refused("vit", copy, "holds no model.safetensors")
    trap = tmp_path / "sprung"
    torch.save({"trap": Trap(trap)}, copy / "pytorch_model.bin")
    refused("vit", copy, "cannot load")
    assert not trap.exists()
    (copy / "config.json").write_text("{")
    refused("vit", copy, "is no JSON")
    (copy / "config.json").unlink()
    refused("vit", copy, "cannot read")


def test_weights_that_are_missing_are_not_made_up(directories, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    copy = tmp_path / "vit"
    shutil.copytree(directories / "vit", copy)
    weights = load_file(copy / "model.safetensors")
    save_file({name: each for name, each in weights.items() if "classifier" not in name}, copy / "model.safetensors")
    refused("vit", copy, r"no weights for 2 tensors of ViTForImageClassification \(classifier.bias")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_std": [0, 1, 1]}, "it is divided by"),
        ({"image_mean": "grey"}, "not three numbers"),
        ({"image_mean": [1, 2]}, "not three numbers"),
    ],
)
def test_preprocessing_that_makes_no_sense_is_refused(directories, tmp_path, fields, message):
    import shutil

    copy = tmp_path / "vit"
    shutil.copytree(directories / "vit", copy)
    (copy / "preprocessor_config.json").write_text(json.dumps(fields))
    refused("vit", copy, message)


@pytest.mark.parametrize(
    ("family", "fields", "message"),
    [
        ("vit", {"image_size": [224, 192]}, "image_size is .*, not a number of at least 32"),
        ("vit", {"image_size": -224}, "image_size is -224, not"),
        ("vit", {"image_size": 31}, "image_size is 31, not a number of at least 32"),
        ("vit", {"image_size": 10**6}, "image_size is 1000000, and 4096 is the most"),
        ("vit", {"image_size": "big"}, "image_size.*: .*big"),
        ("vit", {"patch_size": 0}, "patch_size is 0, not"),
        ("vit", {"hidden_act": "nope"}, "hidden_act is 'nope', which is no activation"),
        ("vit", {"num_labels": 1}, "num_labels is 1: "),
        ("vit", {"num_channels": 1}, "takes 1 channels"),
        ("clip", {"num_channels": 1}, "takes 1 channels"),
        ("clip", {"projection_dim": 0}, "projection_dim is 0, not"),
    ],
)
def test_configurations_that_make_no_network_are_refused(conversions, tmp_path, family, fields, message):
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({**json.loads(Path(conversions.config(family)).read_text()), **fields}))
    refused(family, path, f"cannot use .*odd.json: .*{message}")


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ({2: "c", 0: "a", 1: "b"}, ["a", "b", "c"]),
        ({"2": "c", "0": "a", "1": "b"}, ["a", "b", "c"]),
        (["a", "b", "c"], ["a", "b", "c"]),
        ({0: "a\nb", 1: "\x1b[31mred", 2: "\ud800"}, ["a b", "[31mred", "class_2"]),
        ({0: "猫", 1: "a, b", 2: ""}, ["猫", "a, b", "class_2"]),
        ({0: "a", 1: "b", 5: "c"}, ["class_0", "class_1", "class_2"]),
        ({0: "a"}, ["class_0", "class_1", "class_2"]),
        (None, ["class_0", "class_1", "class_2"]),
        ("abc", ["class_0", "class_1", "class_2"]),
    ],
)
def test_class_names_go_by_their_indices_and_can_be_printed(checkpoint, tmp_path, names, labels):
    held = torch.load(checkpoint, weights_only=False)
    held["model"].names = names
    path = tmp_path / "names.pt"
    torch.save(held, path)
    assert load("yolo", path, size=(64, 64)).labels == labels


def test_a_file_of_labels_may_begin_with_a_mark(tmp_path):
    from eyrie_convert.commands.arguments import labels_of

    path = tmp_path / "my.names"
    path.write_bytes("\ufeffhelmet\r\n\r\nhead \x07\r\n猫".encode())
    assert labels_of(path) == ["helmet", "head", "猫"]
