"""The runtime's labels of objects in a video against PyTorch's: decoding, cropping, resizing, batching, inference.

A ViT, whose crops are stretched, and CLIP with labels of its own, whose crops are resized and cut as transformers does.

The reference cuts the same boxes out of frames that FFmpeg decoded, resizes them with Pillow and runs the original
network in PyTorch. So everything between a packet and a label is compared.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.clip_models import write_clip
from tests.conftest import SHARED
from tests.varied_vit import SIDE, write_vit

torch = pytest.importorskip("torch", reason="needs PyTorch")
ROOT = Path(__file__).parents[2]
FRAMES, CANDIDATES, CROPS, PADDING, MIN_BOX = 400, 300, 200, 0.1, 40
TOLERANCE = 0.02
SCALE = "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp+bilinear,format=rgb24"


CACHE = ROOT / ".cache"
YOLOV8N = SHARED / "models/yolov8n_int8_openvino_model"
# Video and detector: of the demo, and shared footage.
PLACES = [
    pytest.param(CACHE / "media/bikes.mp4", CACHE / "models/yolov3-tiny", id="bikes"),
    pytest.param(SHARED / "media/one-by-one-person-detection.mp4", YOLOV8N, id="one-by-one"),
    pytest.param(SHARED / "media/car-detection.mp4", YOLOV8N, id="car"),
]


def frames(video):
    """Yield the frames as RGB bytes, as they are shown."""
    probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "json"]
    stream = json.loads(subprocess.run([*probe, video], capture_output=True, check=True).stdout)["streams"][0]
    shape = stream["height"], stream["width"], 3
    command = ["ffmpeg", "-v", "error", "-i", video, "-fps_mode", "passthrough", "-vf", SCALE, "-f", "rawvideo", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while len(raw := process.stdout.read(int(np.prod(shape)))) == np.prod(shape):
            yield np.frombuffer(raw, np.uint8).reshape(shape)


def detections(eyrie, folder, video, detector, classifier=None, **options):
    """Run the runtime, perhaps with a classifier and its options; return the detections of each frame."""
    last, stages = "detect", {"detect": {"from": "video", "model": str(detector), "confidence": 0.05}}
    if classifier:
        stages["classify"] = {"from": "detect", "model": str(classifier), "precision": "f32", "top_k": 8}
        stages["classify"] |= {"padding": PADDING, "min_box": MIN_BOX, "batch": 8, **options}
        last = "classify"
    events = folder / "events.jsonl"
    pipeline = {
        "sources": {"video": {"input": str(video), "max_frames": FRAMES}},
        "stages": stages,
        "sinks": {"jsonl": {"from": last, "path": str(events)}},
    }
    # JSON is YAML too.
    (folder / "pipeline.yaml").write_text(json.dumps(pipeline))
    result = eyrie("run", folder / "pipeline.yaml")
    assert result.returncode == 0, result.stderr
    found = [json.loads(line) for line in events.read_text().splitlines()]
    return {event["frame"]: event["detections"] for event in found if event["type"] == "detections"}


def part_of(frame, box):
    """Return the whole pixels around what a classifier is to see, and where in them that is."""
    height, width = frame.shape[:2]
    left = max(0, box["x"] - PADDING * box["width"])
    top = max(0, box["y"] - PADDING * box["height"])
    right = min(width, box["x"] + (1 + PADDING) * box["width"])
    bottom = min(height, box["y"] + (1 + PADDING) * box["height"])
    x, y = int(np.floor(left)), int(np.floor(top))
    part = Image.fromarray(frame[y : int(np.ceil(bottom)), x : int(np.ceil(right))])
    return part, (left - x, top - y, right - x, bottom - y)


def cut(frame, box):
    """Return the crop that a classifier is to see, stretched to its size."""
    part, inside = part_of(frame, box)
    return np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=inside))


def chosen(found):
    """Return the places of detections, spread evenly over all that are large enough."""
    all_of_them = [
        (frame, index)
        for frame, boxes in sorted(found.items())
        for index, each in enumerate(boxes)
        if min(each["box"]["width"], each["box"]["height"]) >= MIN_BOX + 1
    ]
    return set(evenly(all_of_them, CANDIDATES))


def evenly(items, count):
    """Return so many of a list, spread over it."""
    return [items[place] for place in np.unique(np.linspace(0, len(items) - 1, count).astype(int))]


@pytest.mark.parametrize(("video", "detector"), PLACES)
def test_labels_are_pytorchs(eyrie, tmp_path, video, detector):
    if not video.exists() or not detector.exists():
        pytest.skip(f"{video} or its detector is not here")
    first = detections(eyrie, tmp_path, video, detector)
    wanted = chosen(first)
    crops = {
        (index, place): cut(picture, first[index][place]["box"])
        for index, picture in zip(range(FRAMES), frames(video), strict=False)
        for place in range(len(first.get(index, [])))
        if (index, place) in wanted
    }
    # Not so sharp that a difference of one level, which is what resizing differs by, becomes one of probabilities.
    directory = write_vit(tmp_path / "vit", size="Ti/16", crops=list(crops.values())[::3], sharpness=0.6)

    from transformers import ViTForImageClassification

    from eyrie_convert.converters import convert_vit

    package = convert_vit(model_name=str(directory), output_dir=tmp_path / "models", target="openvino")
    network = ViTForImageClassification.from_pretrained(directory).eval()
    answers = {}
    for place, crop in crops.items():
        pixels = torch.from_numpy(((crop / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None].astype(np.float32))
        with torch.no_grad():
            answers[place] = network(pixel_values=pixels).logits.softmax(-1)[0].numpy()
    # Of two classes that are as good as equal, either is right.
    decided = [place for place, values in answers.items() if np.diff(np.sort(values)[-2:])[0] > TOLERANCE]
    assert len(decided) >= CROPS, f"only {len(decided)} of {len(answers)} crops are decided"
    labelled = detections(eyrie, tmp_path, video, detector, package)
    differences, wrong = {}, []
    for frame, index in evenly(decided, CROPS):
        scores = {each["label"]: each["confidence"] for each in labelled[frame][index]["classifications"]}
        values = np.array([scores[f"cluster {each}"] for each in range(len(scores))])
        reference = answers[frame, index]
        differences[frame, index] = float(np.abs(values - reference).max())
        if values.argmax() != reference.argmax():
            wrong.append((frame, index, values.round(3).tolist(), reference.round(3).tolist()))
    best = {int(answers[place].argmax()) for place in differences}
    largest = max(differences.values())
    print(
        f"{video.name}: {len(differences)} crops, {len(best)} classes, {len(wrong)} of another class, "
        f"largest difference of probabilities {largest:.4f}; {len(answers) - len(decided)} of {len(answers)} undecided"
    )
    assert len(differences) >= CROPS
    assert len(best) >= 4
    assert not wrong
    assert largest <= TOLERANCE


def centred(part, inside):
    """Return what CLIP is to see of a part of a picture: the shorter side brought to 224, the middle of the longer."""
    width, height = inside[2] - inside[0], inside[3] - inside[1]
    short = min(width, height)
    size = tuple(SIDE if side == short else int(SIDE * side / short) for side in (width, height))
    left, top = ((side - SIDE) // 2 for side in size)
    resized = part.resize(size, Image.Resampling.BICUBIC, box=inside)
    return np.asarray(resized.crop((left, top, left + SIDE, top + SIDE)))


def test_clip_tells_labels_as_transformers_does(eyrie, tmp_path):
    video, detector = PLACES[0].values
    if not video.exists() or not detector.exists():
        pytest.skip("needs the demo's video and detector: make test-assets")
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    from eyrie_convert.converters import convert_clip

    labels = ["car", "person", "hog", "otter by the car"]
    directory = write_clip(tmp_path / "clip", weights=True).parent
    package = convert_clip(str(directory), tmp_path / "models", target="openvino", labels=labels)
    found = detections(eyrie, tmp_path, video, detector, package, top_k=len(labels))
    network = CLIPModel.from_pretrained(directory).eval()
    tokenizer = CLIPTokenizer.from_pretrained(directory)
    tokens = tokenizer([f"a photo of a {label}." for label in labels], return_tensors="pt", padding=True)
    processor = CLIPImageProcessorPil()
    mean, std = (np.array(each).reshape(3, 1, 1) for each in (processor.image_mean, processor.image_std))
    differences, shapes = [], set()
    for index, picture in zip(range(60), frames(video), strict=False):
        for each in found.get(index, []):
            if "classifications" not in each:
                continue
            part, inside = part_of(picture, each["box"])
            # What is meant by the crop of a box is what the library's own processor makes of whole pixels.
            whole = centred(part, (0, 0, *part.size)).transpose(2, 0, 1)
            assert np.allclose((whole / 255 - mean) / std, processor(images=part)["pixel_values"][0], atol=1e-5)
            pixels = ((centred(part, inside).transpose(2, 0, 1) / 255 - mean) / std)[None].astype(np.float32)
            with torch.no_grad():
                answer = (
                    network(pixel_values=torch.from_numpy(pixels), **tokens).logits_per_image.softmax(-1)[0].numpy()
                )
            scores = {one["label"]: one["confidence"] for one in each["classifications"]}
            differences.append(np.abs(np.array([scores[label] for label in labels]) - answer).max())
            shapes.add(part.size[0] > part.size[1])
    print(f"CLIP: {len(differences)} crops, largest difference of probabilities {max(differences):.4f}")
    # Some are cut at their sides, and some at top and bottom.
    assert len(differences) >= 40
    assert shapes == {True, False}
    assert max(differences) <= TOLERANCE
