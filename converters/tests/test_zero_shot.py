"""Labels for CLIP: what lies beside the model says the same as the original, with pictures and labels together."""

import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from eyrie_convert import cli, pictures, zero_shot
from eyrie_convert.converters import architecture, for_target
from eyrie_convert.errors import ConversionError, UsageError
from eyrie_convert.options import ConversionOptions, Precision, Target

from .clip_models import TEXT, write_clip, write_config

torch = pytest.importorskip("torch", reason="needs PyTorch")
transformers = pytest.importorskip("transformers")

from eyrie_convert.architectures import clip_text  # noqa: E402 (it needs torch)

LABELS = ["cat", "Dog", "an astronaut in a spacesuit", "cup of coffee", "Grüße", "日本"]
PROMPTS = ("a photo of a {}.", "{}", "the {} and the other {}")
TARGETS = ("openvino", "onnx", "coreml")
FILE = "text_embeddings.safetensors"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Return a directory with a whole small CLIP model, as it is published."""
    directory = tmp_path_factory.mktemp("clip") / "small-clip"
    write_clip(directory, weights=True)
    return directory


class Made:
    """Packages with labels, each made once, and the converters that made them."""

    def __init__(self, clip, directory):
        self.clip, self.directory, self.kept = clip, directory, {}

    def __call__(self, target, precision="float32", prompts=()):
        key = (target, precision, prompts)
        if key not in self.kept:
            options = ConversionOptions(precision=Precision(precision), labels=LABELS, prompts=prompts)
            converter = for_target(Target(target), architecture("clip"), options)
            place = self.directory / "-".join((target, precision, str(len(prompts))))
            self.kept[key] = (converter.convert(self.clip, place), converter)
        return self.kept[key]


@pytest.fixture(scope="module")
def made(clip, tmp_path_factory):
    return Made(clip, tmp_path_factory.mktemp("packages"))


def metadata_of(package):
    return json.loads((package / "conversion_metadata.json").read_text())


def texts_of(package):
    with safe_open(package / FILE, "numpy") as file:
        assert list(file.keys()) == ["text_embeddings"]
        return file.get_tensor("text_embeddings"), file.metadata()


def probabilities_by_transformers(clip, network, prompt):
    """Return what the library's own model and tokenizer say of the bundled pictures, and its pictures' embeddings."""
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(clip)
    texts = tokenizer([prompt.replace("{}", label) for label in LABELS], padding=True, return_tensors="pt")
    prepared = [pictures.prepare(picture, network.input) for _, picture in pictures.bundled()]
    pixels = (np.stack(prepared) / 255 - network.input.mean) / network.input.std
    with torch.no_grad():
        answer = model(**texts, pixel_values=torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32)))
    return prepared, answer.logits_per_image.softmax(-1).numpy(), answer.text_embeds.numpy()


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("target", TARGETS)
def test_package_and_file_say_what_the_original_says(clip, made, target, precision):
    package, converter = made(target, precision)
    prepared, expected, texts = probabilities_by_transformers(clip, converter.network, zero_shot.PROMPT)
    # The labels are told apart, or nothing would be compared.
    assert expected.max() < 0.9
    assert np.ptp(expected, axis=1).min() > 0.02
    stored, _ = texts_of(package)
    np.testing.assert_allclose(stored, texts, atol=1e-6)
    runner = converter._runner(package, converter.network)
    embeddings = np.concatenate([runner(picture)["embedding"] for picture in prepared]).astype(np.float64)
    logits = metadata_of(package)["output"]["zero_shot"]["logit_scale"] * embeddings @ stored.T
    found = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 if precision == "float32" else 5e-3)
    validation = metadata_of(package)["validation"]
    assert validation["errors"]["max_zero_shot_probability"] <= validation["limits"]["max_zero_shot_probability"]
    assert validation["agreement"]["zero_shot_top_1"] == 1


@pytest.mark.parametrize("target", TARGETS)
def test_the_package_states_it_and_holds_nothing_else_of_the_text_tower(clip, made, tmp_path, target):
    package, _ = made(target)
    metadata = metadata_of(package)
    assert metadata["output"]["zero_shot"] == {
        "labels": LABELS,
        "embeddings": FILE,
        "logit_scale": pytest.approx(np.exp(2.5), rel=1e-6),
        "prompts": ["a photo of a {}."],
    }
    listed = {each["path"]: each["sha256"] for each in metadata["files"]}
    assert listed[FILE] == hashlib.sha256((package / FILE).read_bytes()).hexdigest()
    stored, about = texts_of(package)
    assert about == {"schema": "eyrie.text_embeddings/1"}
    assert (stored.dtype, stored.shape) == (np.float32, (len(LABELS), 48))
    np.testing.assert_allclose(np.linalg.norm(stored.astype(np.float64), axis=1), 1, atol=1e-6)
    # Without labels the same file is made of the tower alone.
    plain = for_target(Target(target), architecture("clip"), ConversionOptions(precision=Precision.FLOAT32))
    without = plain.convert(clip, tmp_path)
    assert "zero_shot" not in metadata_of(without)["output"]
    sizes = [
        sum(each.stat().st_size for each in made_.rglob("model*") if each.is_file()) for made_ in (package, without)
    ]
    # Names inside may be numbered otherwise; the text tower would be 400 kB.
    assert abs(sizes[0] - sizes[1]) < 1000
    answers = []
    for each in (package, without):
        with safe_open(each / "golden.safetensors", "numpy") as file:
            answers.append(file.get_tensor("embedding"))
    np.testing.assert_allclose(*answers, atol=1e-6)
    assert not (without / FILE).exists()


def test_several_prompts_are_averaged_and_normalised_again(clip, made):
    package, converter = made("openvino", prompts=PROMPTS)
    each = [probabilities_by_transformers(clip, converter.network, prompt)[2].astype(np.float64) for prompt in PROMPTS]
    average = np.mean(each, axis=0)
    expected = average / np.linalg.norm(average, axis=1, keepdims=True)
    stored, _ = texts_of(package)
    np.testing.assert_allclose(stored, expected, atol=1e-6)
    assert np.abs(stored - each[0]).max() > 0.01
    assert metadata_of(package)["output"]["zero_shot"]["prompts"] == list(PROMPTS)


def test_more_texts_than_fit_in_one_run_of_the_tower(clip, made, monkeypatch):
    monkeypatch.setattr(clip_text, "TEXTS", 4)
    network = architecture("clip").load(str(clip), ConversionOptions(labels=LABELS, prompts=PROMPTS))
    np.testing.assert_allclose(
        network.zero_shot.embeddings, texts_of(made("openvino", prompts=PROMPTS)[0])[0], atol=1e-6
    )
    picture = pictures.prepare(pictures.bundled()[0][1], network.input)
    texts, logits = network.zero_shot.reference([picture, picture])
    np.testing.assert_allclose(texts, network.zero_shot.embeddings, atol=1e-6)
    assert logits.shape == (2, len(LABELS))


def swapped(package):
    stored, about = texts_of(package)
    save_file({"text_embeddings": np.ascontiguousarray(stored[[1, 0, *range(2, len(stored))]])}, package / FILE, about)


def longer(package):
    stored, about = texts_of(package)
    save_file({"text_embeddings": stored * np.float32(1.001)}, package / FILE, about)


def halved(package):
    content = (package / FILE).read_bytes()
    (package / FILE).write_bytes(content[: len(content) // 2])


def of_another_kind(package):
    save_file({"text_embeddings": texts_of(package)[0]}, package / FILE, {"schema": "eyrie.golden/1"})


def with_metadata(change):
    def damage(package):
        fields = metadata_of(package)
        change(fields["output"]["zero_shot"])
        (package / "conversion_metadata.json").write_text(json.dumps(fields))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (swapped, "text embedding is"),
        (longer, "text length minus 1"),
        (halved, "not all of it"),
        (of_another_kind, "not all of it"),
        (lambda package: (package / FILE).unlink(), "No such file"),
        (with_metadata(lambda fields: fields.update(logit_scale=fields["logit_scale"] * 255 / 254)), "logit scale"),
        (with_metadata(lambda fields: fields.pop("logit_scale")), "logit scale"),
        (with_metadata(lambda fields: fields["labels"].reverse()), "the labels are not those"),
    ],
)
@pytest.mark.parametrize("target", TARGETS)
def test_damage_is_found(made, tmp_path, target, damage, message):
    original, converter = made(target)
    package = shutil.copytree(original, tmp_path / "package")
    assert converter._validate_model(package).passed
    damage(package)
    try:
        found = "; ".join(converter._validate_model(package).failures)
    except ConversionError as error:
        found = str(error)
    assert message in found


def test_a_file_that_is_written_wrongly_is_not_shipped(clip, tmp_path, monkeypatch):
    write = zero_shot.ZeroShot.write

    def wrong(self, directory):
        name = write(self, directory)
        swapped(directory)
        return name

    monkeypatch.setattr(zero_shot.ZeroShot, "write", wrong)
    converter = for_target(Target.ONNX, architecture("clip"), ConversionOptions(labels=LABELS))
    with pytest.raises(ConversionError, match=r"differs from the original.*text embedding"):
        converter.convert(clip, tmp_path)
    assert not list(tmp_path.iterdir())


def test_int8_says_what_the_labels_cost(clip, tmp_path):
    pytest.importorskip("nncf")
    from PIL import Image

    models = pytest.importorskip("tests.quantize_models")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, scene in enumerate(models.scenes(27)):
        Image.fromarray(scene).save(folder / f"{index:02}.png")
    options = ConversionOptions(precision=Precision.INT8, calibration=folder, labels=LABELS)
    package = for_target(Target.OPENVINO, architecture("clip"), options).convert(clip, tmp_path / "models")
    validation = metadata_of(package)["validation"]
    assert validation["cost"]["zero_shot_mean_probability_difference"] < 0.02
    assert validation["errors"]["text_embedding"] < 1e-5


def test_labels_on_the_command_line(tmp_path, capsys):
    """A config.json and the tokenizer's files beside it are enough; the same every time."""
    config = write_clip(tmp_path / "mine")
    names = tmp_path / "labels.txt"
    names.write_text("\ufeff# pets\n  cat\n\ndog  \n# things\ncup\x07of tea\r\n", encoding="utf-8")
    stored = []
    for place in ("one", "two"):
        command = ["clip", str(config), "--labels", str(names), "--output-dir", str(tmp_path / place)]
        assert cli.main([*command, "--prompt", "a {}", "--prompt", "many {}"]) == 0
        package = tmp_path / place / "clip-mine-openvino"
        stated = metadata_of(package)["output"]["zero_shot"]
        assert (stated["labels"], stated["prompts"]) == (["cat", "dog", "cup of tea"], ["a {}", "many {}"])
        stored.append(texts_of(package)[0])
    np.testing.assert_array_equal(*stored)
    assert "passed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cat\ndog\n cat \n", "'cat' is there twice"),
        (b"# nothing\n\n", "there are no labels"),
        ("Gr\xfc\xdfe\n".encode("latin-1"), "it is no text in UTF-8"),
        ("\n".join(map(str, range(10_001))).encode(), "there are 10001 labels, and 10000 are the most"),
        (b"cat\n" + b"very " * 80 + b"long dog\n", "the label 'very very .*…' is too long: .* tokens .* reads 77"),
        (b"<|endoftext|> cat\n", "has something in it that the tokenizer does not know"),
    ],
)
def test_labels_that_cannot_be_used_are_one_line(clip, tmp_path, capsys, content, message):
    names = tmp_path / "labels.txt"
    names.write_bytes(content)
    assert cli.main(["clip", str(clip), "--labels", str(names), "--output-dir", str(tmp_path / "out")]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert re.search(message, errors[0])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--prompt", "a photo of a {}."], "--prompt is for labels", 2),
        (["--labels", "LABELS", "--prompt", "a photo"], "the prompt 'a photo' has no {}", 2),
        (["--labels", "/none"], "cannot read the labels /none", 1),
    ],
)
def test_prompts_that_cannot_be_used_are_one_line(clip, tmp_path, capsys, arguments, message, code):
    names = tmp_path / "labels.txt"
    names.write_text("cat\n")
    arguments = [str(names) if each == "LABELS" else each for each in arguments]
    assert cli.main(["clip", str(clip), *arguments, "--output-dir", str(tmp_path / "out")]) == code
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert message in errors[0]


def refused(model, message, error=ConversionError, **options):
    with pytest.raises(error, match=message) as caught:
        architecture("clip").load(str(model), ConversionOptions(**{"labels": ["cat"], **options}))
    assert "\n" not in str(caught.value)


def test_models_without_what_labels_need_are_refused(tmp_path, clip, conversions):
    config = write_clip(tmp_path / "whole")
    for name in ("vocab.json", "merges.txt"):
        kept = (tmp_path / "whole" / name).read_text()
        (tmp_path / "whole" / name).unlink()
        refused(
            config, "need the model's tokenizer, and there is none beside .*json: tokenizer.json, or vocab.json and mer"
        )
        (tmp_path / "whole" / name).write_text(kept)
    (tmp_path / "whole" / "vocab.json").write_text("{")
    refused(config, "cannot load the tokenizer")
    refused(conversions.config("clip"), "labels need CLIP's text tower.*clip_vision_model")
    bare = shutil.copytree(clip, tmp_path / "bare")
    for each in bare.glob("*.txt"):
        each.unlink()
    refused(bare, "labels need the model's tokenizer, and there is none in")
    # Weights of the vision tower alone.
    tower = shutil.copytree(clip, tmp_path / "tower")
    model = clip_text.vision_tower(transformers.CLIPModel.from_pretrained(clip))
    config = (tower / "config.json").read_bytes()
    model.save_pretrained(tower)
    (tower / "config.json").write_bytes(config)
    refused(tower, "has no weights for .* tensors of CLIPModel")
    refused(clip, "a label is empty", labels=["cat", "\x00"])
    refused(clip, "has no {}", UsageError, prompts=("photo",))


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    tokens = json.loads((write_clip(tmp_path / "clip").parent / "vocab.json").read_text())
    config = tmp_path / "clip" / "config.json"
    write_config(tmp_path / "clip", 100)
    refused(config, "the tokenizer does not belong to the model: it gives token .* knows 100")
    write_config(tmp_path / "clip", len(tokens), eos_token_id=len(tokens) - 2)
    refused(config, r"it ends a text with token \d+, and config.json says \d+")
    # As in the configurations that OpenAI's models were first published with.
    write_config(tmp_path / "clip", len(tokens), eos_token_id=2)
    assert architecture("clip").load(str(config), ConversionOptions(labels=["cat"])).zero_shot.labels == ["cat"]
    write_config(tmp_path / "clip", len(tokens), max_position_embeddings=8)
    refused(config, "the label 'elephant' is too long: .* reads 8", labels=["elephant"])
    for name in TEXT.keys() - {"num_hidden_layers"}:
        write_config(tmp_path / "clip", len(tokens), **{name: 0})
        refused(config, rf"cannot use .*config.json: .*(?:{name} in text_config is 0|division|zero)")


def test_the_tokenizer_of_a_model_on_the_hub(clip, monkeypatch):
    """Without the network, what the cache has is enough, or one line says that it is not."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    from eyrie_convert.architectures import transformers_hub

    held = {"vocab.json", "merges.txt"}

    def cached(repository, name):
        if name not in held:
            raise LocalEntryNotFoundError("the network is down")
        return str(clip / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", cached)
    known = transformers_hub.tokenizer("ViT-B/32", "CLIPTokenizer", {"vit-b/32": "openai/clip"})
    assert known("cat")["input_ids"] == transformers.CLIPTokenizer.from_pretrained(clip)("cat")["input_ids"]
    held.clear()
    with pytest.raises(ConversionError, match=r"cannot get the tokenizer of openai/clip: .* cannot be reached"):
        transformers_hub.tokenizer("ViT-B/32", "CLIPTokenizer", {"vit-b/32": "openai/clip"})
