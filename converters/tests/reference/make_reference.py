#!/usr/bin/env python3
"""Makes bikes.yolov3-tiny.jsonl: what YOLOv3-tiny says of bikes.mp4, by a route of its own.

usage: make_reference.py bikes.mp4 yolov3-tiny.weights > bikes.yolov3-tiny.jsonl
needs: opencv-python-headless 4.x (version 5 no longer reads Darknet), numpy, ffmpeg on the PATH

Nothing of the converter takes part: OpenCV's dnn module reads the .cfg and the .weights itself and runs
them; ffmpeg decodes and scales; letterbox, decoding of boxes and suppression are written out below. The
only thing shared is the .cfg, with the mask of the second head as the weights need it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

SIZE, PAD, CONFIDENCE, IOU, MOST = 416, 114, 0.25, 0.45, 300
CFG = Path(__file__).parents[2] / "eyrie_convert" / "data" / "yolov3-tiny.cfg"


def network(weights):
    """Return OpenCV's network, on its own kernels."""
    text = CFG.read_text()
    assert text.count("mask=0,1,2") == 1
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as cfg:
        cfg.write(text.replace("mask=0,1,2", "mask=1,2,3"))
        cfg.flush()
        net = cv2.dnn.readNetFromDarknet(cfg.name, weights)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    return net


def geometry(width, height):
    """Return gain, scaled width and height, left and top of the letterbox, as Ultralytics rounds them."""
    gain = min(SIZE / width, SIZE / height)
    w, h = round(width * gain), round(height * gain)
    return gain, w, h, round((SIZE - w) / 2 - 0.1), round((SIZE - h) / 2 - 0.1)


def frames(video, width, height):
    """Yield letterboxed RGB pictures, scaled by swscale in one pass from YUV."""
    _, w, h, left, top = geometry(width, height)
    command = ["ffmpeg", "-v", "error", "-i", video, "-vsync", "passthrough"]
    command += ["-vf", f"scale={w}:{h}:flags=bilinear,format=rgb24", "-f", "rawvideo", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while len(raw := process.stdout.read(w * h * 3)) == w * h * 3:
            boxed = np.full((SIZE, SIZE, 3), PAD, np.uint8)
            boxed[top : top + h, left : left + w] = np.frombuffer(raw, np.uint8).reshape(h, w, 3)
            yield boxed
    assert process.returncode == 0


def overlap(box, others):
    """Return the intersection over union of one box with others, corners in pixels."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    common = np.maximum(width, 0) * np.maximum(height, 0)
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    return common / (area + areas - common)


def suppress(corners, scores, labels):
    """Return the indices that survive greedy suppression per class, the best first."""
    order = list(np.argsort(-scores, kind="stable"))
    kept = []
    while order and len(kept) < MOST:
        best = order.pop(0)
        kept.append(best)
        ious = overlap(corners[best], corners[order])
        order = [i for i, iou in zip(order, ious, strict=True) if labels[i] != labels[best] or iou <= IOU]
    return kept


def detect(net, boxed, width, height):
    """Return the detections of one picture, boxes as x, y, width, height in the video's pixels."""
    gain, _, _, left, top = geometry(width, height)
    net.setInput(cv2.dnn.blobFromImage(boxed, 1 / 255))
    rows = np.concatenate(net.forward(net.getUnconnectedOutLayersNames()))
    # A row: centre and size as fractions of the input, objectness, then objectness × class probability.
    score, label = rows[:, 5:].max(1), rows[:, 5:].argmax(1)
    keep = score >= CONFIDENCE
    rows, score, label = rows[keep].astype(np.float64), score[keep], label[keep]
    centre, half = rows[:, :2] * SIZE, rows[:, 2:4] * SIZE / 2
    corners = np.concatenate([centre - half, centre + half], 1)
    result = []
    for i in suppress(corners, score, label):
        x0, y0, x1, y1 = (corners[i] - [left, top, left, top]) / gain
        (x0, x1), (y0, y1) = np.clip([x0, x1], 0, width), np.clip([y0, y1], 0, height)
        box = [round(float(v), 2) for v in (x0, y0, x1 - x0, y1 - y0)]
        result.append({"class_id": int(label[i]), "confidence": round(float(score[i]), 4), "box": box})
    return result


def main(video, weights):
    """Write one JSON line a frame to standard output."""
    probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height"]
    stream = json.loads(subprocess.check_output([*probe, "-of", "json", video]))["streams"][0]
    net = network(weights)
    for number, boxed in enumerate(frames(video, stream["width"], stream["height"])):
        found = detect(net, boxed, stream["width"], stream["height"])
        print(json.dumps({"frame": number, "detections": found}, separators=(",", ":")))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
