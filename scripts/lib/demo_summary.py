"""Prints what the demo did, and fails if events were lost on the way.

usage: demo_summary.py RUN_SUMMARY SUBSCRIBE_SUMMARY MODEL PICTURE
"""

import json
import sys
from pathlib import Path
from typing import Any


def dropped_frames(dropped: dict[str, dict[str, int]]) -> int:
    """Return the frames dropped anywhere for any reason."""
    return sum(count for reasons in dropped.values() for count in reasons.values())


def ranked(counts: dict[str, int]) -> str:
    """Return counts by name, the largest first."""
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in order) or "none"


def faults(run: dict[str, Any], received: dict[str, Any]) -> list[str]:
    """Return what does not add up, one sentence each."""
    frames, events = run["frames"], run["events"]
    lost = dropped_frames(frames["dropped"])
    found = []
    if events["published"] != received["received"]:
        found.append(f"{events['published']} events were published and {received['received']} received")
    if received["lost"] or received["gaps"]:
        found.append(f"the subscriber saw {received['gaps']} gaps and counts {received['lost']} lost events")
    if frames["decoded"] != frames["inferred"] + lost:
        found.append(f"of {frames['decoded']} decoded frames {frames['inferred']} were inferred and {lost} dropped")
    if not run["detections"]:
        found.append("nothing was detected")
    return found


def table(run: dict[str, Any], received: dict[str, Any], model: str, picture: str) -> list[tuple[str, str]]:
    """Return the rows of the summary."""
    frames, fps, latency, events = run["frames"], run["fps"], run["latency_ms"], run["events"]
    source = f"; the video plays at {fps['source']:.0f}" if fps.get("source") else ""
    return [
        ("model", model),
        ("frames", f"{frames['decoded']} decoded, {frames['inferred']} inferred, "
         f"{dropped_frames(frames['dropped'])} dropped"),
        ("detections", f"{run['detections']}: {ranked(run['detections_by_label'])}"),
        ("FPS", f"{fps['mean']:.1f} sustained, p05 {fps['p05']:.1f}{source}"),
        ("latency", f"p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms"),
        ("events", f"{events['published']} published, {received['received']} received "
         f"({ranked(received['by_type'])})"),
        ("picture", picture),
    ]  # fmt: skip


def main(run_summary: str, subscribe_summary: str, model: str, picture: str) -> int:
    """Print the table; return 1 if something does not add up."""
    run, received = (json.loads(Path(path).read_text()) for path in (run_summary, subscribe_summary))
    print()
    for name, value in table(run, received, model, picture):
        print(f"  {name:<12}{value}")
    wrong = faults(run, received)
    for sentence in wrong:
        print(f"demo: error: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
