"""Plays a video through Ultralytics' predictor and prints how fast that went, as one line of JSON.

"eyrie bench --against ultralytics" carries this file and runs it with "python -c". The argument is JSON: "model",
"source", "size" (the longer side of the input), "confidence", "iou", "seconds" and "warmup" (frames that are not
counted). Without "source" only versions are printed.
"""

import contextlib
import importlib.metadata
import json
import platform
import sys
import time


def versions() -> dict[str, str]:
    """Import what is needed, and return the versions of it."""
    import torch
    import ultralytics

    found = {"python": platform.python_version(), "torch": torch.__version__, "ultralytics": ultralytics.__version__}
    for name in ("openvino", "onnxruntime"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def play(request: dict) -> dict[str, float]:
    """Play the video again and again, and count frames and objects once it is warm."""
    from ultralytics import YOLO

    model = YOLO(request["model"], task="detect")
    options = {"imgsz": request["size"], "conf": request["confidence"], "iou": request["iou"]}
    seen = frames = detections = 0
    start = end = time.perf_counter()
    while True:
        before = seen
        for result in model.predict(request["source"], stream=True, verbose=False, device="cpu", **options):
            seen += 1
            end = time.perf_counter()
            if seen <= request["warmup"]:
                start = end
                continue
            frames += 1
            detections += len(result.boxes)
            if end - start >= request["seconds"]:
                return {"frames": frames, "seconds": end - start, "detections": detections}
        if seen == before:
            raise ValueError(f"{request['source']}: not one frame came out")


def main() -> None:
    """Answer the request."""
    request = json.loads(sys.argv[1])
    try:
        answer = {"versions": versions()}
    except ImportError as error:
        answer = {"missing": str(error)}
    else:
        try:
            if "source" in request:
                answer.update(play(request))
        except Exception as error:  # whatever it is, it is to be told in one line
            answer = {"error": f"{type(error).__name__}: {error}"}
    print("\n" + json.dumps(answer), flush=True)


main()
