"""The commands as a person types them: output, exit codes, and what is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eyrie_convert import cli

pytest.importorskip("torch", reason="needs PyTorch")


def test_converting_prints_a_table(tmp_path, capsys, conversions):
    command = ["clip", conversions.config("clip"), "--output-dir", str(tmp_path), "--target", "onnx,openvino,coreml"]
    assert cli.main([*command, "--benchmark"]) == 0
    printed = capsys.readouterr()
    conversion, measured = printed.out.split("\n\n")
    lines = conversion.splitlines()
    assert "f32" in measured
    for target, runs in (("onnx", True), ("openvino", True), ("coreml", sys.platform == "darwin")):
        metadata = json.loads((tmp_path / f"clip-{target}" / "conversion_metadata.json").read_text())
        assert bool(metadata["benchmark"]) == runs
    assert lines[0].split() == ["package", "size", "precision", "max", "error", "result"]
    assert [line.split()[0].rsplit("/", 1)[1] for line in lines[1:]] == ["clip-onnx", "clip-openvino", "clip-coreml"]
    assert all(line.endswith("passed") for line in lines[1:])
    assert [line.split()[3] for line in lines[1:]] == ["float32", "float32", "float16"]
    assert "writing clip-onnx (float32)" in printed.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip-coreml", "clip-onnx", "clip-openvino"]


def test_what_fails_is_in_the_table_and_the_others_are_made(tmp_path, capsys, conversions, monkeypatch):
    def broken(network):
        from eyrie_convert.errors import ConversionError

        raise ConversionError("the disk is on fire")

    monkeypatch.setattr("eyrie_convert.targets.onnx.to_onnx", broken)
    command = ["vit", conversions.config("vit"), "--output-dir", str(tmp_path), "--target", "onnx,openvino"]
    assert cli.main(command) == 1
    printed = capsys.readouterr()
    assert "failed: the disk is on fire" in printed.out
    assert "eyrie-convert: error: the disk is on fire" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["vit-openvino"]


def test_a_conversion_that_is_wrong_is_refused_and_leaves_nothing(tmp_path, capsys, conversions, monkeypatch):
    from eyrie_convert.architectures.picture_modules import Normalise

    right = Normalise.forward
    monkeypatch.setattr(Normalise, "forward", lambda self, images: right(self, images.flip(1)))
    command = ["vit", conversions.config("vit"), "--output-dir", str(tmp_path), "--target", "openvino"]
    assert cli.main(command) == 1
    assert "differs from the original" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--target", "tensorrt"], "there is no target 'tensorrt'", 2),
        (["--precision", "int4"], "there is no precision 'int4'", 2),
        (["--precision", "int8"], "int8 needs --calibration", 2),
        (["--size", "big"], "--size 'big' is neither", 2),
        (["--size", "0"], "--size '0' is neither", 2),
        (["--size", "100"], "multiple of the model's stride 32", 1),
        (["--labels", "/none"], "cannot read the labels /none", 1),
        (["--target", "coreml", "--compute-units", "GPU"], "compute_units is one of", 1),
        (["--target", "coreml", "--ane-optimized", "--precision", "float32"], "needs precision float16", 1),
        (["--precision", "int8", "--calibration", "/none"], "cannot calibrate on /none", 1),
        (["--picture", "/none.jpg", "--size", "64"], "cannot read the picture /none.jpg", 1),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, arguments, message, code):
    assert cli.main(["yolo", "yolov8n.yaml", "--output-dir", str(tmp_path / "out"), *arguments]) == code
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert not any((tmp_path / "out").glob("*"))


def test_check_converts_and_ends_with_a_summary(tmp_path, capsys, conversions, monkeypatch):
    from eyrie_convert.commands import check

    monkeypatch.setitem(check.MODELS, "yolo", ("nothing", "yolov8n.yaml"))
    command = ["check", "--only", "yolo", "--target", "openvino", "--output-dir", str(tmp_path)]
    assert cli.main(command) == 0
    printed = capsys.readouterr()
    log = [line for line in printed.err.splitlines() if line[:2] == "20"]
    assert all(time.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%SZ") for line in log)
    assert "no checkpoint is known by that name" in printed.err
    assert "going on with random weights" in printed.err
    assert log[-1].split(" ", 1)[1].startswith("1 passed, 0 failed, in ")
    assert "yolo-v8n-openvino" in printed.out
    assert "MB" in printed.out


def test_check_says_what_failed(capsys, monkeypatch):
    def broken(network):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("eyrie_convert.targets.openvino.to_openvino", broken)
    assert cli.main(["check", "--random", "--only", "yolo", "--target", "openvino"]) == 1
    printed = capsys.readouterr()
    assert "failed: it met RuntimeError: the disk is on fire" in printed.out
    assert "Traceback" not in printed.err
    assert "0 passed, 1 failed" in printed.err


def test_bench_prints_and_saves(capsys, tmp_path, conversions):
    import shutil

    package = tmp_path / "clip"
    shutil.copytree(conversions.package("clip", "openvino"), package)
    assert cli.main(["bench", str(package), "--seconds", "0.1", "--rounds", "1", "--save"]) == 0
    assert "f32" in capsys.readouterr().out
    metadata = json.loads((package / "conversion_metadata.json").read_text())
    assert metadata["benchmark"]["runs"]
    assert cli.main(["bench"]) == 2
    assert cli.main(["bench", str(tmp_path / "none")]) == 1


def test_ending_a_conversion_leaves_nothing(tmp_path):
    """SIGTERM in the middle: no half-written package, no working directory, one exit code."""
    command = [sys.executable, "-m", "eyrie_convert", "check", "--random", "--only", "vit"]
    command += ["--target", "openvino", "--output-dir", str(tmp_path)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}) as process:
        for line in process.stderr:
            if b"writing vit-b-16-openvino" in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 143
    assert b"Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def test_darknet_needs_no_pytorch(tiny, tmp_path):
    """The base installation is numpy, pillow and openvino; what needs more says what to install."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'transformers', 'onnx', 'nncf', 'coremltools']));"
        "from eyrie_convert.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    root = Path(__file__).parents[1]

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=root, capture_output=True, text=True, check=False
        )

    cfg, weights = tiny
    made = run("darknet", str(weights), "--cfg", str(cfg), "--output-dir", str(tmp_path))
    assert made.returncode == 0, made.stderr
    for arguments, extra in (
        (("darknet", str(weights), "--cfg", str(cfg), "--target", "onnx"), "onnx"),
        (("darknet", str(weights), "--cfg", str(cfg), "--target", "coreml"), "coreml"),
        (("yolo", "yolov8n"), "yolo"),
        (("clip", "ViT-B/32"), "clip"),
        (("vit", "ViT-B/16"), "vit"),
    ):
        result = run(*arguments, "--output-dir", str(tmp_path))
        assert result.returncode == 1
        assert f"eyrie-convert[{extra}]" in result.stderr
        assert len([line for line in result.stderr.splitlines() if "error" in line]) == 1
        assert "Traceback" not in result.stderr
