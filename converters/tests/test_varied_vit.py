"""The ViT that runtimes are compared with: its answers differ between crops, clearly, and a package gives the same."""

import numpy as np
import pytest
from safetensors import safe_open

from eyrie_convert import pictures
from eyrie_convert.converters import architecture, for_target
from eyrie_convert.options import ConversionOptions, Target

pytest.importorskip("torch", reason="needs PyTorch")
varied_vit = pytest.importorskip("tests.varied_vit")


def test_two_hundred_crops_it_was_not_fitted_to(tmp_path):
    converter = for_target(Target.OPENVINO, architecture("vit"), ConversionOptions())
    package = converter.convert(varied_vit.write_vit(tmp_path / "varied"), tmp_path / "models")
    network = converter.network
    assert network.random_weights is False
    assert network.labels == [f"cluster {index}" for index in range(8)]
    crops = [pictures.prepare(each, network.input) for each in varied_vit.natural_crops(200, seed=1)]
    expected = np.concatenate([network.reference(each)["probabilities"] for each in crops])
    best = np.sort(expected, axis=1)[:, ::-1]
    margins = best[:, 0] - best[:, 1]
    counts = np.bincount(expected.argmax(1), minlength=8)
    # Every class, none of them most of the time, no crop undecided to the last digit, and few nearly.
    assert (counts > 0).sum() >= 7
    assert counts.max() < 100
    assert margins.min() > 1e-3
    assert (margins > 0.1).mean() > 0.85
    # Probabilities that would show an error: neither all alike nor all 1.
    assert np.ptp(best[:, 0]) > 0.4
    assert np.median(best[:, 0]) < 0.99
    runner = converter._runner(package, network)
    found = np.concatenate([runner(each)["probabilities"] for each in crops])
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_it_is_the_same_every_time_and_follows_its_crops(tmp_path):
    crops = varied_vit.natural_crops(40, seed=2)
    heads = []
    for name, some in (("first", crops), ("second", crops), ("third", crops[::-1][:30])):
        with safe_open(varied_vit.write_vit(tmp_path / name, crops=some) / "model.safetensors", "numpy") as file:
            heads.append(file.get_tensor("classifier.weight"))
    np.testing.assert_allclose(heads[0], heads[1], atol=1e-4)
    assert np.abs(heads[0] - heads[2]).max() > 0.01
