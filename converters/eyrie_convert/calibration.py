"""Pictures to quantise a model with, and others to measure on what it cost: from a video, or from pictures."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eyrie_convert import pictures
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import Picture, PictureInput

CALIBRATION, HELD_OUT = 128, 64
# Below these, ranges of activations and the measure of accuracy are a matter of luck.
LEAST_CALIBRATION, LEAST_HELD_OUT = 16, 8
PICTURE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# The stretches that a video is cut into: in each the first half is for calibration, the third quarter for
# measuring; the eighths between them are left out, so that no frame is measured on that all but equals one seen.
STRETCH_SECONDS, MOST_STRETCHES = 4.0, 16
LEAST_GAP = 2
# Reading on is cheaper than seeking, which decodes from the last key frame, over fewer frames than this.
SEEK_FROM = 24


@dataclass(frozen=True)
class Calibration:
    """Pictures at the size of a model's input, ``height`` × ``width`` × 3 bytes, RGB; no two are equal.

    ``calibration`` are for quantising, ``held_out`` for measuring. ``skipped`` pictures or frames could not be
    read. ``equal`` ones were left out because the same picture had been taken already.
    """

    source: str
    kind: str
    calibration: list[Picture]
    held_out: list[Picture]
    skipped: int
    equal: int

    @classmethod
    def read(
        cls,
        path: Path,
        spec: PictureInput,
        *,
        calibration: int = CALIBRATION,
        held_out: int = HELD_OUT,
        least: tuple[int, int] = (LEAST_CALIBRATION, LEAST_HELD_OUT),
    ) -> Calibration:
        """Read at most so many pictures, spread evenly over all there are, and bring them to the input's size.

        A video is cut into stretches of four seconds or more (16 at most). The first half of each gives frames for
        calibration and the third quarter those to measure on; an eighth, at least two frames, lies between
        and is not used. Of pictures (one, or all in a folder and below it, by name) every third is to measure
        on: they are taken to be unrelated, so give the video itself rather than its frames.

        Only the pictures returned are kept in memory, a long video is never in it whole. Raises ConversionError
        if the path cannot be read or gives fewer than ``least`` pictures to calibrate and to measure on.
        """
        path = Path(path)
        if path.is_dir():
            source: _Frames = _PictureFrames(_pictures_in(path))
        elif not path.exists():
            raise ConversionError(f"cannot calibrate on {path}: there is no such file or folder")
        elif not path.is_file():
            raise ConversionError(f"cannot calibrate on {path}: it is neither a file nor a folder")
        elif path.suffix.lower() in PICTURE_SUFFIXES:
            source = _PictureFrames([path])
        else:
            source = _VideoFrames(path)
        first, second = source.split()
        taken = _Taken(spec, calibration, held_out)
        try:
            taken.take(source, _spread(first, calibration), _spread(second, held_out))
        finally:
            source.close()
        result = cls(path.name, source.kind, *taken.pictures, taken.skipped, taken.equal)
        result._check(path, least)
        return result

    def _check(self, path: Path, least: tuple[int, int]) -> None:
        found = (len(self.calibration), len(self.held_out))
        if found[0] >= least[0] and found[1] >= least[1]:
            return
        unit = "frames" if self.kind == "video" else "pictures"
        lost = f" ({self.skipped} unreadable, {self.equal} equal to others)" if self.skipped or self.equal else ""
        # A gap costs a quarter of a video; of pictures a third is held out.
        needed = max(2 * least[0], 4 * least[1]) if self.kind == "video" else max(3 * least[0] // 2, 3 * least[1])
        raise ConversionError(
            f"cannot calibrate on {path}: of its {unit} {found[0]} can be had to calibrate and {found[1]} to "
            f"measure on{lost}, but {least[0]} and {least[1]} are needed; give at least {needed} different {unit}"
        )

    def describe(self) -> dict[str, Any]:
        """Return what the metadata says of it."""
        return {
            "source": self.source,
            "kind": self.kind,
            "calibration": len(self.calibration),
            "held_out": len(self.held_out),
            "skipped": self.skipped,
            "equal": self.equal,
        }


class _Frames:
    """Where pictures come from, by index."""

    kind: str

    def split(self) -> tuple[list[int], list[int]]:
        """Return the indices for calibration and those for measuring."""
        raise NotImplementedError

    def read(self, indices: list[int]) -> Iterator[tuple[int, Picture | None]]:
        """Give the pictures of ascending indices, ``None`` for what cannot be read."""
        raise NotImplementedError

    def close(self) -> None:
        """Give up what was opened."""


class _PictureFrames(_Frames):
    kind = "pictures"

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def split(self) -> tuple[list[int], list[int]]:
        indices = range(len(self._paths))
        return [each for each in indices if each % 3 != 1], [each for each in indices if each % 3 == 1]

    def read(self, indices: list[int]) -> Iterator[tuple[int, Picture | None]]:
        for index in indices:
            try:
                yield index, pictures.read(self._paths[index])
            except ConversionError:
                yield index, None


def _pictures_in(folder: Path) -> list[Path]:
    found = []
    for directory, folders, names in os.walk(folder, onerror=lambda error: _unreadable(folder, error)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES:
                found.append(Path(directory) / name)
    if not found:
        raise ConversionError(
            f"cannot calibrate on {folder}: there is no picture in it (looked for {' '.join(PICTURE_SUFFIXES)})"
        )
    return sorted(found)


def _unreadable(folder: Path, error: OSError) -> None:
    raise ConversionError(f"cannot calibrate on {folder}: {error.strerror} ({error.filename})") from error


class _VideoFrames(_Frames):
    kind = "video"

    def __init__(self, path: Path) -> None:
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said here, in one line
        try:
            import cv2
        except ImportError as error:
            raise ConversionError(
                f"cannot calibrate on the video {path}: opencv-python-headless is not installed "
                "(pip install 'eyrie-convert[quantize]'); a folder of pictures needs none"
            ) from error
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._cv2 = cv2
        self._path = path
        self._capture = self._open()
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # Streams without a header for it say 0, a negative number or one beyond all bounds.
        self._count = int(count) if 0 < count < 1e9 else self._counted()
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._rate = rate if 1 <= rate <= 1000 else 25.0
        self._next = 0

    def _open(self) -> Any:
        # FFmpeg alone: others would take a name with a % in it for a pattern of pictures.
        capture = self._cv2.VideoCapture(str(self._path), self._cv2.CAP_FFMPEG)
        if not capture.isOpened() or not capture.grab():
            capture.release()
            raise ConversionError(
                f"cannot calibrate on {self._path}: it is no video that can be read; give a video (MP4, MKV, AVI …), "
                "a picture or a folder of pictures"
            )
        capture.release()
        return self._cv2.VideoCapture(str(self._path), self._cv2.CAP_FFMPEG)

    def _counted(self) -> int:
        count = 0
        while self._capture.grab():
            count += 1
        self._capture.release()
        self._capture = self._open()
        return count

    def split(self) -> tuple[list[int], list[int]]:
        stretches = int(min(max(self._count / self._rate // STRETCH_SECONDS, 1), MOST_STRETCHES))
        first, second = [], []
        for number in range(stretches):
            start, end = number * self._count // stretches, (number + 1) * self._count // stretches
            length = end - start
            gap = max(length // 8, LEAST_GAP)
            first += range(start, start + length // 2)
            second += range(start + length // 2 + gap, max(end - gap, start))
        return first, second

    def read(self, indices: list[int]) -> Iterator[tuple[int, Picture | None]]:
        for index in indices:
            if not 0 <= index - self._next < SEEK_FROM:
                self._capture.set(self._cv2.CAP_PROP_POS_FRAMES, index)
                self._next = index
            while self._next < index and self._capture.grab():
                self._next += 1
            good, frame = self._capture.read() if self._next == index else (False, None)
            self._next += 1
            # A failed read leaves the place unknown: seek to the next.
            self._next = self._next if good else -SEEK_FROM - 1
            yield index, np.ascontiguousarray(frame[..., ::-1]) if good and frame is not None else None

    def close(self) -> None:
        self._capture.release()


def _spread(candidates: list[int], count: int) -> list[list[int]]:
    """Cut the candidates into ``count`` groups of neighbours or fewer: one of each is wanted."""
    count = min(count, len(candidates))
    edges = [number * len(candidates) // count for number in range(count + 1)] if count else [0]
    return [candidates[start:end] for start, end in itertools.pairwise(edges)]


class _Taken:
    """What was taken of the two sets, one picture of each group."""

    # So many of a group are tried: to read on to the end of a damaged video would take long.
    TRIES = 4

    def __init__(self, spec: PictureInput, *most: int) -> None:
        self._spec = spec
        self.pictures: tuple[list[Picture], list[Picture]] = ([], [])
        self.skipped, self.equal = 0, 0
        self._seen: set[bytes] = set()

    def take(self, source: _Frames, *sets: list[list[int]]) -> None:
        """Read in ascending order, so that a video is gone through once."""
        groups = sorted((group, number) for number, each in enumerate(sets) for group in each)
        for group, number in groups:
            step = max(len(group) // self.TRIES, 1)
            for _, picture in source.read(group[::step][: self.TRIES]):
                if self._keep(picture, self.pictures[number]):
                    break

    def _keep(self, picture: Picture | None, kept: list[Picture]) -> bool:
        try:
            prepared = None if picture is None else pictures.prepare(picture, self._spec)
        except (ValueError, MemoryError):  # a side of no pixel once resized
            prepared = None
        if prepared is None:
            self.skipped += 1
            return False
        digest = hashlib.sha256(np.ascontiguousarray(prepared)).digest()
        if digest in self._seen:
            self.equal += 1
            return False
        self._seen.add(digest)
        kept.append(prepared)
        return True
