"""``eyrie-convert fetch NAME``: from nothing to a file or a model package that Eyrie can use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from eyrie_convert import __version__, assets
from eyrie_convert.download import pip_reason, say
from eyrie_convert.errors import ConversionError, ReportedError
from eyrie_convert.package import METADATA, sha256

CONVERTERS = Path(__file__).parents[1]


def default_cache() -> Path:
    """Return where downloads are kept: ``EYRIE_CACHE``, ``.cache`` of the checkout, or the user's cache."""
    if chosen := os.environ.get("EYRIE_CACHE"):
        return Path(chosen)
    checkout = CONVERTERS.parent
    if (checkout / "Package.swift").is_file():
        return checkout / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eyrie"


def fetch(name: str, output: Path, cache: Path, checkpoint: Path | None) -> Path:
    """Fetch ``name`` into ``output`` (for a model, the package directory) and return what was made.

    Raises ConversionError if it cannot be had.
    """
    if checkpoint is not None and name != "yolov8n":
        raise ConversionError(f"--checkpoint goes with yolov8n only, not with {name}")
    return FETCHERS[name](output, cache, checkpoint)


def _bikes(output: Path, cache: Path, _checkpoint: Path | None) -> Path:
    source, target = assets.BIKES.obtain(cache), output / assets.BIKES.file
    if target.is_file() and sha256(target) == assets.BIKES.sha256:
        return target
    try:
        output.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        shutil.copyfile(source, partial)
        partial.replace(target)
    except OSError as error:
        raise ConversionError(f"cannot write {target}: {error.strerror}") from error
    return target


def _yolov3_tiny(output: Path, cache: Path, _checkpoint: Path | None) -> Path:
    weights = assets.YOLOV3_TINY.obtain(cache)
    if is_current(output, assets.YOLOV3_TINY.sha256):
        return output
    from eyrie_convert.architectures.darknet import Darknet  # OpenVINO is slow to import
    from eyrie_convert.options import ConversionOptions
    from eyrie_convert.targets.openvino import OpenVINOConverter

    say("converting yolov3-tiny (public domain)")
    darknet = Darknet(
        cfg=assets.YOLOV3_TINY_CFG,
        masks=assets.YOLOV3_TINY_MASKS,
        name="yolov3-tiny",
        license="public domain",
        version="3",
        origin="https://pjreddie.com/darknet/yolo/",
    )
    options = ConversionOptions(labels=assets.coco_labels())
    converter = OpenVINOConverter(darknet, options)
    converter.convert_network(darknet.load(str(weights), options), output.parent, output)
    return output


def _yolov8n(output: Path, cache: Path, checkpoint: Path | None) -> Path:
    if checkpoint is not None and not checkpoint.is_file():
        raise ConversionError(f"there is no checkpoint {checkpoint}")
    source = checkpoint or assets.YOLOV8N.obtain(cache)
    say("the weights of YOLOv8 are licensed under AGPL-3.0 (https://ultralytics.com/license)")
    if is_current(output, sha256(source)):
        return output
    python = _yolov8_environment(cache)
    say("exporting yolov8n")
    command = [
        python,
        "-m",
        "eyrie_convert.yolov8",
        "--checkpoint",
        source.absolute(),
        "--output-dir",
        output.absolute(),
    ]
    # What Ultralytics writes for itself belongs into the cache, and it is not to install or ask anything.
    environment = {
        **os.environ,
        "PYTHONPATH": str(CONVERTERS),
        "YOLO_CONFIG_DIR": str(cache / "ultralytics"),
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
        "YOLO_VERBOSE": "false",
    }
    (cache / "ultralytics").mkdir(parents=True, exist_ok=True)
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        raise ReportedError(f"cannot export {source}")
    return output


FETCHERS = {"bikes": _bikes, "yolov3-tiny": _yolov3_tiny, "yolov8n": _yolov8n}


def is_current(package: Path, source: str) -> bool:
    """Whether ``package`` is whole and was made by this version from the source of this SHA-256."""
    try:
        metadata = json.loads((package / METADATA).read_text(encoding="utf-8"))
        made_from, made_by = metadata["source"]["sha256"], metadata["tools"]["eyrie_convert"]
        files = {package / file["path"]: file["sha256"] for file in metadata["files"]}
        return (made_from, made_by) == (source, __version__) and all(
            sha256(path) == digest for path, digest in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _yolov8_environment(cache: Path) -> Path:
    """Return the Python of an environment with torch and Ultralytics, made on first use (1.4 GB)."""
    environment = cache / "venv-yolov8"
    requirements = [CONVERTERS / "requirements-torch.txt", CONVERTERS / "requirements-yolov8.txt"]
    python, stamp = environment / "bin" / "python", environment / ".requirements"
    identity = " ".join([str(CONVERTERS), sys.version, *map(sha256, requirements)])
    if python.exists() and stamp.is_file() and stamp.read_text() == identity:
        return python
    if sys.version_info < (3, 11):
        raise ConversionError(f"exporting YOLOv8 needs Python 3.11 or later; this is {sys.version.split()[0]}")
    say("installing the CPU build of torch and Ultralytics into .cache/venv-yolov8 (200 MB; takes a minute)")
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    install = [python, "-I", "-m", "pip", "--disable-pip-version-check", "install", "--no-input", "--no-deps"]
    install += ["--retries", "1", "--require-hashes", "--only-binary", ":all:", "-q", "-r"]
    commands = [[base if base.exists() else sys.executable, "-I", "-m", "venv", "--clear", environment]]
    commands += [[*install, each] for each in requirements]
    for command in commands:
        result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if result.returncode != 0:
            raise ConversionError(f"cannot set up {environment}: {pip_reason(result.stderr)}")
    stamp.write_text(identity)
    return python
