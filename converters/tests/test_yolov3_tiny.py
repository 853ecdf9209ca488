"""The demo's model, for real: fetched, converted, and compared with what OpenCV makes of the same files."""

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from eyrie_convert import assets, fetch
from eyrie_convert.architectures.darknet import Darknet
from eyrie_convert.errors import ConversionError
from eyrie_convert.targets.openvino import OpenVINOConverter

REFERENCE = Path(__file__).parent / "reference"
SIZE = 416


@pytest.fixture(scope="module")
def files():
    """Return the weights and the video, from the cache or the network."""
    cache = fetch.default_cache()
    try:
        return assets.YOLOV3_TINY.obtain(cache), assets.BIKES.obtain(cache)
    except ConversionError as error:
        pytest.skip(f"needs the network once: {error}")


@pytest.fixture(scope="module")
def package(files, tmp_path_factory):
    """Return the package as `fetch yolov3-tiny` makes it."""
    return fetch.fetch("yolov3-tiny", tmp_path_factory.mktemp("models") / "yolov3-tiny", fetch.default_cache(), None)


@functools.lru_cache
def pictures(video):
    """Return the letterboxed frames of bikes.mp4, which is 640×272: 416×177, 119 rows above."""
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-vsync", "passthrough", "-vf"]
    command += ["scale=416:177:flags=bilinear,format=rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 177, SIZE, 3)
    boxed = np.full((len(frames), SIZE, SIZE, 3), 114, np.uint8)
    boxed[:, 119 : 119 + 177] = frames
    return boxed


def answers(package, video, step=1):
    """Yield the raw output [84, 2535] of every frame, or of every step-th."""
    model = ov.Core().compile_model(package / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for picture in pictures(video)[::step]:
        yield model(picture.transpose(2, 0, 1)[None].astype(np.float32) / 255)[0][0]


def corners(output):
    """Return corners [N, 4] in the video's pixels."""
    centre, half = output[:2].T - [0, 119], output[2:4].T / 2
    return np.concatenate([centre - half, centre + half], 1) * (640 / SIZE)


def overlaps(box, others):
    """Return the intersection over union of one box with others."""
    common = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    return common / ((box[2:] - box[:2]).prod() + areas - common)


def test_metadata(package):
    metadata = json.loads((package / "conversion_metadata.json").read_text())
    assert metadata["name"] == "yolov3-tiny"
    assert metadata["source"]["license"] == "public domain"
    assert metadata["source"]["sha256"] == assets.YOLOV3_TINY.sha256
    assert metadata["source"]["overrides"] == ["mask of [yolo] 1: 0,1,2 -> 1,2,3"]
    assert (metadata["input"]["width"], metadata["input"]["height"], metadata["input"]["stride"]) == (416, 416, 32)
    assert metadata["output"]["labels"][:3] == ["person", "bicycle", "car"]
    assert len(metadata["output"]["labels"]) == 80
    assert list(ov.Core().read_model(package / "model.xml").outputs[0].shape) == [1, 84, 3 * (13 * 13 + 26 * 26)]


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
def test_every_detection_of_the_reference_is_found(package, files):
    """Each has an anchor of the same class and score with the same box; nothing else scores as high."""
    text = (REFERENCE / "bikes.yolov3-tiny.jsonl").read_text()
    expected = [json.loads(line)["detections"] for line in text.splitlines()]
    assert len(expected) == 250
    missed = extra = found = 0
    for output, detections in zip(answers(package, files[1]), expected, strict=True):
        boxes, scores = corners(output), output[4:]
        boxes = np.clip(boxes, 0, [640, 272, 640, 272])
        best = scores.max(0)
        explained = best < 0.3
        for detection in detections:
            x, y, width, height = detection["box"]
            ious = overlaps(np.array([x, y, x + width, y + height]), boxes)
            same = scores[detection["class_id"]]
            hit = (ious > 0.98) & (abs(same - detection["confidence"]) < 0.002)
            found += hit.any()
            missed += not hit.any()
            explained |= (ious > 0.45) & (scores.argmax(0) == detection["class_id"])
        extra += np.count_nonzero(~explained)
    assert (missed, extra) == (0, 0)
    assert found == sum(map(len, expected)) > 300


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
def test_the_overridden_mask_is_the_one_that_fits(package, files, tmp_path):
    """Where both heads see the same thing, their boxes agree with anchors 1,2,3 and not with 0,1,2."""
    darknet = Darknet(cfg=assets.YOLOV3_TINY_CFG)
    published = OpenVINOConverter(darknet).convert(files[0], tmp_path)
    agreement = {}
    for name, directory in (("overridden", package), ("published", published)):
        ious = []
        for output in answers(directory, files[1], step=4):
            boxes, scores, labels = corners(output), output[4:].max(0), output[4:].argmax(0)
            coarse, fine = (
                np.flatnonzero((scores > 0.4) & side) for side in (np.arange(2535) < 507, np.arange(2535) >= 507)
            )
            for index in fine:
                same = coarse[labels[coarse] == labels[index]]
                if len(same):
                    ious.append(overlaps(boxes[index], boxes[same]).max())
        assert len(ious) >= 10
        agreement[name] = float(np.mean(ious))
    assert agreement["overridden"] > agreement["published"] + 0.15


def test_fetching_again_changes_nothing_and_repairs_damage(package):
    model = package / "model.bin"
    before = model.stat().st_mtime_ns
    fetch.fetch("yolov3-tiny", package, fetch.default_cache(), None)
    assert model.stat().st_mtime_ns == before
    model.write_bytes(model.read_bytes()[:-4])
    fetch.fetch("yolov3-tiny", package, fetch.default_cache(), None)
    metadata = json.loads((package / "conversion_metadata.json").read_text())
    assert fetch.is_current(package, metadata["source"]["sha256"])


def test_the_published_files_convert_on_the_command_line(files, tmp_path):
    command = [sys.executable, "-m", "eyrie_convert", "darknet", str(files[0]), "--cfg", str(assets.YOLOV3_TINY_CFG)]
    command += ["--labels", "coco", "--mask", "1=1,2,3", "--output-dir", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    # Libraries may have something to say on stderr (hwloc, in a container without /sys); we have not.
    assert result.returncode == 0, result.stderr
    assert "error" not in result.stderr
    assert "passed" in result.stdout
