"""The Python parts of scripts/: what the demo reports, and what is taken from OpenVINO's wheel."""

import importlib.util
import json
import zipfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts" / "lib"

RUN = {
    "frames": {"decoded": 250, "inferred": 248, "published": 248, "dropped": {"resize": {"late": 2}}},
    "detections": 345,
    "detections_by_label": {"person": 116, "car": 142, "bus": 25},
    "fps": {"mean": 62.31, "p05": 58.1, "source": 25.0},
    "latency_ms": {"p50": 20.1, "p95": 25.0, "p99": 31.2, "max": 40.0},
    "events": {"published": 252, "by_type": {"detections": 248, "stream": 4}},
}
RECEIVED = {"received": 252, "by_type": {"stream": 4, "detections": 248}, "lost": 0, "gaps": 0}


def load(name):
    specification = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def summaries(tmp_path):
    """Return a function that reports on a run and a subscription, changed as asked."""

    def report(run=(), received=()):
        paths = tmp_path / "run.json", tmp_path / "received.json"
        for path, content in zip(paths, (RUN | dict(run), RECEIVED | dict(received)), strict=True):
            path.write_text(json.dumps(content))
        return load("demo_summary").main(str(paths[0]), str(paths[1]), "tiny", "demo/annotated.jpg")

    return report


def test_the_demo_s_table(summaries, capsys):
    assert summaries() == 0
    assert capsys.readouterr() == (
        """
  model       tiny
  frames      250 decoded, 248 inferred, 2 dropped
  detections  345: car 142, person 116, bus 25
  FPS         62.3 sustained, p05 58.1; the video plays at 25
  latency     p50 20.1 ms, p99 31.2 ms
  events      252 published, 252 received (detections 248, stream 4)
  picture     demo/annotated.jpg
""",
        "",
    )


@pytest.mark.parametrize(
    ("run", "received", "complaint"),
    [
        ({}, {"received": 251}, "252 events were published and 251 received"),
        ({}, {"lost": 3, "gaps": 1}, "1 gaps and counts 3 lost"),
        ({"frames": RUN["frames"] | {"dropped": {}}}, {}, "248 were inferred and 0 dropped"),
        ({"detections": 0, "detections_by_label": {}}, {}, "nothing was detected"),
    ],
)
def test_the_demo_fails_if_something_does_not_add_up(summaries, capsys, run, received, complaint):
    assert summaries(run, received) == 1
    assert complaint in capsys.readouterr().err


def test_the_runtime_is_laid_out_from_the_wheel(tmp_path):
    wheel, tree = tmp_path / "openvino.whl", tmp_path / "tree"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (
            "openvino/include/openvino/c/openvino.h",
            "openvino/include/openvino/c/gpu/gpu_plugin_properties.h",
            "openvino/include/openvino/core/model.hpp",
            "openvino/libs/libopenvino.so.2641",
            "openvino/libs/libopenvino_c.so.2641",
            "openvino/libs/libopenvino_intel_cpu_plugin.so",
            "openvino/libs/libopenvino_intel_gpu_plugin.so",
            "openvino/libs/libopenvino_tensorflow_lite_frontend.so.2641",
            "openvino/libs/libtbb.so.12",
            "openvino/libs/../../../evil.so",
            "openvino/__init__.py",
            "openvino-1.dist-info/licenses/licensing/notices.txt",
        ):
            archive.writestr(name, name)
    load("unpack_openvino").main(str(wheel), tree, "/opt/somewhere", "1.2.3")
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}
    assert found == {
        "MANIFEST",
        "include/openvino/c/gpu/gpu_plugin_properties.h",
        "include/openvino/c/openvino.h",
        "lib/libopenvino.so",
        "lib/libopenvino.so.2641",
        "lib/libopenvino_c.so",
        "lib/libopenvino_c.so.2641",
        "lib/libopenvino_intel_cpu_plugin.so",
        "lib/libtbb.so.12",
        "lib/pkgconfig/openvino.pc",
        "share/doc/openvino/notices.txt",
    }
    assert (tree / "lib/libopenvino_c.so").readlink() == Path("libopenvino_c.so.2641")
    config = (tree / "lib/pkgconfig/openvino.pc").read_text()
    assert "prefix=/opt/somewhere\n" in config
    assert "Version: 1.2.3\n" in config
    sizes = dict(line.split() for line in (tree / "MANIFEST").read_text().splitlines())
    assert set(sizes) == found - {"MANIFEST"}
    assert sizes["lib/libtbb.so.12"] == str(len("openvino/libs/libtbb.so.12"))
