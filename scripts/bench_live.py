#!/usr/bin/python3
"""Measures how sources share a detector, and how old results get when a camera gives more than it can do.

    scripts/bench_live.py --model DIR [--seconds 20] [--part fairness|latency|all]

fairness: eight sources at mixed sizes, one of them dead, one 4K, one at 1 FPS. What the others get is compared with
an equal share: once as files that wait, once as cameras (RTSP at 25 FPS) that drop.

latency: one RTSP camera at 25 FPS on a detector that can do about 10 a second: the model is run at the input size at
which it is that slow, so it has to be dynamic. The bound is two inference times and a frame interval.

It needs FFmpeg and the packages of "scripts/setup --dev". Times depend on what else the machine does; the ratios to
the share and to the bound are what counts.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = ["320x240", "640x360", "768x432", "1280x720", "1920x1080", "3840x2160"]
SERVER = ROOT / "scripts/lib/rtsp_server.py"
CAMERA_FPS = 25
WANTED_FPS = 10


def clip(folder: Path, size: str, fps: int = CAMERA_FPS, seconds: int = 2, repeats: int = 60) -> Path:
    """Make a clip of a moving test pattern with a keyframe each second."""
    path = folder / f"{size}-{fps}.mp4"
    part = folder / "part.mp4"
    source = f"testsrc2=size={size}:rate={fps}"
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0", "-g", str(fps)]
    ffmpeg("-f", "lavfi", "-i", source, "-t", str(seconds), *encoder, part)
    ffmpeg("-stream_loop", str(repeats), "-i", part, "-c", "copy", path)
    return path


def ffmpeg(*arguments: str | Path) -> None:
    """Run FFmpeg."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@contextlib.contextmanager
def camera(path: Path) -> Iterator[str]:
    """Serve a clip over RTSP on loopback for as long as the context lasts."""
    with subprocess.Popen([SERVER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        line = server.stdout.readline() if server.stdout else ""
        if not line.startswith("port "):
            raise SystemExit("bench_live: the RTSP server does not start; run scripts/setup --dev")
        try:
            yield f"rtsp://127.0.0.1:{line.split()[1]}/live"
        finally:
            if server.stdin:
                server.stdin.close()


def run(eyrie: Path, folder: Path, pipeline: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Run a pipeline for a while and return its summary. JSON is YAML too."""
    file = folder / "pipeline.yaml"
    file.write_text(json.dumps(pipeline))
    summary = folder / "summary.json"
    summary.unlink(missing_ok=True)
    command = [eyrie, "run", file, "--duration", str(seconds), "--summary", summary]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if not summary.exists():
        raise SystemExit(f"bench_live: {result.stderr.strip()}")
    return json.loads(summary.read_text())


def pipeline(sources: dict[str, Any], model: str, folder: Path, **detect: object) -> dict[str, Any]:
    """Lead all sources through one detector into a file."""
    return {
        "sources": sources,
        "stages": {"detect": {"from": list(sources), "model": model, **detect}},
        "sinks": {"jsonl": {"from": "detect", "path": str(folder / "events.jsonl")}},
    }


def fairness(eyrie: Path, model: str, folder: Path, seconds: float) -> bool:
    """Print what each source got of the detector; tell whether the shares are equal within 10 %."""
    clips = {f"s{size}": clip(folder, size) for size in SIZES}
    slow = clip(folder, "640x368", fps=1, seconds=4)
    others: dict[str, Any] = {
        "slow": {"input": str(slow), "loop": True, "pacing": "realtime"},
        "dead": {"input": "rtsp://127.0.0.1:9/nothing"},
    }
    files = {name: {"input": str(path), "loop": True} for name, path in clips.items()}
    good = shares("files", run(eyrie, folder, pipeline(files | others, model, folder), seconds), list(clips))
    with contextlib.ExitStack() as stack:
        live = {name: {"input": stack.enter_context(camera(path))} for name, path in clips.items()}
        summary = run(eyrie, folder, pipeline(live | others, model, folder), seconds)
        return shares("cameras", summary, list(clips)) and good


def shares(title: str, summary: dict[str, Any], busy: list[str]) -> bool:
    """Print a table of shares."""
    sources = summary["sources"]
    fair = sum(sources[name]["inferred"] for name in busy) / len(busy)
    print(f"fairness, {title}: {summary['fps']['mean']:.1f} FPS in all, a fair share is {fair:.0f} frames")
    worst = 0.0
    for name, source in sources.items():
        ratio = source["inferred"] / fair if name in busy and fair else None
        if ratio is not None and name != f"s{SIZES[-1]}":
            worst = max(worst, abs(ratio - 1))
        p99 = source["latency_ms"]["p99"]
        print(
            f"  {name:<12} {source['inferred']:>6} of {source['frames']:>6} frames"
            f"  {'' if ratio is None else f'{ratio:.3f} of the share':<20}"
            f"  p99 {'–' if p99 is None else f'{p99:.0f} ms':<8} errors {source['errors']}"
        )
    print(f"  furthest from the share: {worst:.1%} (asked: 10 %)")
    return worst <= 0.1


def latency(eyrie: Path, model: str, folder: Path, seconds: float) -> bool:
    """Print how old results are under overload; tell whether they keep to the bound."""
    path = clip(folder, "768x432")
    for size in range(640, 2049, 64):
        files = {"file": {"input": str(path), "loop": True, "pacing": "realtime"}}
        try:
            measured = run(eyrie, folder, pipeline(files, model, folder, input_size=size), 4)
        except SystemExit as error:
            print(f"latency: not measured: {error}")
            return True
        rate = 1000 / (measured["stages"]["detect"]["service_ms"]["p50"] or 1)
        if rate <= WANTED_FPS * 1.2:
            break
    with camera(path) as url:
        summary = run(eyrie, folder, pipeline({"camera": {"input": url}}, model, folder, input_size=size), seconds)
    inference = summary["stages"]["detect"]["service_ms"]["p50"]
    bound = 2 * inference + 1000 / CAMERA_FPS
    source = summary["sources"]["camera"]
    ages = source["latency_ms"]
    print(
        f"latency, {size}×{size}: {source['fps']['mean']:.1f} of {CAMERA_FPS} FPS, inference {inference:.0f} ms, "
        f"bound {bound:.0f} ms\n"
        f"  p50 {ages['p50']:.0f} ms, p99 {ages['p99']:.0f} ms ({ages['p99'] / bound:.2f} of the bound), "
        f"max {ages['max']:.0f} ms\n"
        f"  {source['frames']} frames = {source['inferred']} inferred + "
        f"{sum(sum(reasons.values()) for reasons in source['dropped'].values())} dropped; "
        f"deepest queue {max((s['queue'] or {'depth_max': 0})['depth_max'] for s in summary['stages'].values())}"
    )
    return ages["p99"] <= bound


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a detector")
    parser.add_argument("--eyrie", type=Path, default=ROOT / ".build/release/eyrie", help="the binary")
    parser.add_argument("--seconds", type=float, default=20, help="how long each measurement takes")
    parser.add_argument("--part", choices=["fairness", "latency", "all"], default="all")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.part != "latency":
            good = fairness(options.eyrie, options.model, folder, options.seconds) and good
        if options.part != "fairness":
            good = latency(options.eyrie, options.model, folder, options.seconds) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
