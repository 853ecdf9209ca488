#!/usr/bin/env python3
"""Measures what classifying tracked objects costs: the same video with and without it, in turns.

    scripts/bench_classify.py --model DETECTOR --classifier VIT [--video FILE] [--refresh 5s] [--rounds 3]

The video should have some ten people in view. Without --video a scene is put together of stretches of one in which
people come one by one (../shared/media or --footage), ten of them side by side at 25 FPS.

Rates are counted from the second second on: in the first, everybody is new. "realtime" plays the video at its own
pace and drops what comes too fast, as a camera would; "max" plays it as fast as it goes, where 'refresh', which is of
the stream's time, comes round as much more often as the video runs faster.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOOTAGE = ROOT.parent / "shared/media/one-by-one-person-detection.mp4"
# Where somebody stands in the footage, in seconds, and the part of the picture in which.
STARTS = [8, 24, 30, 34, 52, 57, 92, 98, 104, 108]
PART = "crop=256:432:256:0"


def scene(footage: Path, path: Path) -> None:
    """Put ten people side by side."""
    inputs: list[str] = []
    for start in STARTS:
        inputs += ["-ss", str(start), "-t", "9", "-i", str(footage)]
    parts = "".join(f"[{n}:v]{PART},fps=25,setpts=PTS-STARTPTS[p{n}];" for n in range(len(STARTS)))
    places = "|".join(f"{256 * (n % 5)}_{432 * (n // 5)}" for n in range(len(STARTS)))
    stack = "".join(f"[p{n}]" for n in range(len(STARTS))) + f"xstack=inputs={len(STARTS)}:layout={places}[v]"
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-an"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", parts + stack, "-map", "[v]", *encoder, str(path)],
        check=True,
    )


def pipeline(options: argparse.Namespace, video: Path, folder: Path, pacing: str, classify: bool) -> dict[str, Any]:
    """Return the pipeline of one measurement."""
    detect: dict[str, Any] = {"from": "scene", "model": options.model, "classes": ["person"]}
    if pacing == "realtime":
        detect["from"] = {"name": "scene", "overflow": "dropOldest", "capacity": 1}
    stages: dict[str, Any] = {"detect": detect, "track": {"from": "detect"}}
    if classify:
        stages["classify"] = {
            "from": "track",
            "model": options.classifier,
            "precision": options.precision,
            "refresh": options.refresh,
        }
    last = "classify" if classify else "track"
    return {
        "sources": {"scene": {"input": str(video), "loop": True, "pacing": pacing}},
        "stages": stages,
        "sinks": {"jsonl": {"from": last, "path": str(folder / "events.jsonl")}},
    }


def measure(options: argparse.Namespace, video: Path, folder: Path, pacing: str, classify: bool) -> dict[str, float]:
    """Run for a while; return frames and crops a second and the people in view, from the second second on."""
    file = folder / "pipeline.yaml"
    file.write_text(json.dumps(pipeline(options, video, folder, pacing, classify)))
    summary = folder / "summary.json"
    command = [options.eyrie, "run", file, "--duration", str(options.seconds), "--summary", summary]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"bench_classify: {result.stderr.strip()}")
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    stats = [event for event in events if event["type"] == "stats"]
    first, last = stats[0], stats[-1]
    seconds = last["uptime_s"] - first["uptime_s"]
    frames = [event for event in events if event["type"] == "detections"]
    told = json.loads(summary.read_text())
    crops = told["crops"].get("classify", {})
    return {
        "fps": (last["frames"]["published"] - first["frames"]["published"]) / seconds,
        "people": sum(len(event["detections"]) for event in frames) / max(1, len(frames)),
        "labelled": sum("classifications" in found for event in frames for found in event["detections"])
        / max(1, sum(len(event["detections"]) for event in frames)),
        "crops": crops.get("classified", 0) / told["wall_s"],
        "cpu": told["cpu_s"] / told["wall_s"],
    }


def main() -> int:
    """Measure in turns, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a detector that knows persons")
    parser.add_argument("--classifier", required=True, help="a classifier package")
    parser.add_argument("--video", type=Path, help="a video with some ten people in view")
    parser.add_argument("--footage", type=Path, default=FOOTAGE, help="what a scene is made of")
    parser.add_argument("--eyrie", type=Path, default=ROOT / ".build/release/eyrie", help="the binary")
    parser.add_argument("--precision", default="auto", help="of the classifier")
    parser.add_argument("--refresh", default="5s")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12, help="how long each measurement takes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = options.video
        if video is None:
            if not options.footage.exists():
                raise SystemExit("bench_classify: there is no footage here: give a video with people by --video")
            video = folder / "scene.mp4"
            scene(options.footage, video)
        print("pacing    round  FPS without  FPS with  ratio  crops/s  people  labelled  cores without, with")
        medians = {}
        for pacing in ["realtime", "max"]:
            ratios = []
            for number in range(options.rounds):
                without, with_it = (measure(options, video, folder, pacing, classify) for classify in [False, True])
                ratios.append(with_it["fps"] / without["fps"])
                print(
                    f"{pacing:<9} {number + 1:>5}  {without['fps']:>11.1f}  {with_it['fps']:>8.1f}  {ratios[-1]:>5.3f}"
                    f"  {with_it['crops']:>7.2f}  {with_it['people']:>6.1f}  {with_it['labelled']:>8.3f}"
                    f"  {without['cpu']:.2f}, {with_it['cpu']:.2f}",
                    flush=True,
                )
            medians[pacing] = sorted(ratios)[len(ratios) // 2]
    for pacing, ratio in medians.items():
        print(f"median ratio of FPS with to without classification, {pacing}: {ratio:.3f}")
    return 0 if medians["realtime"] >= 0.8 else 1


if __name__ == "__main__":
    sys.exit(main())
