"""What docker/ names exists, and a typo of any kind would be found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts/lib"))

import check_docker  # noqa: E402 (it lies beside the scripts)


@pytest.fixture(scope="module")
def eyrie():
    """Return the newest command that was built, or skip."""
    places = [".build/release", ".build/debug", ".build-release-tests/release"]
    built = [ROOT / place / "eyrie" for place in places if (ROOT / place / "eyrie").is_file()]
    if named := os.environ.get("EYRIE_BINARY"):
        built = [Path(named)]
    if not built:
        pytest.skip("needs the built command: make build")
    return max(built, key=lambda path: path.stat().st_mtime)


def test_everything_that_is_named_exists(eyrie):
    assert check_docker.faults(ROOT, eyrie) == []


TYPOS = [
    ("Dockerfile", "FROM tools AS build", "FROM tolls AS build", "FROM tolls"),
    ("Dockerfile", "SWIFT_IMAGE=swift:6.3.1-bookworm", "SWIFT_IMAGE=swift:6.3.1-noble", "swift:6.3.1-noble"),
    ("Dockerfile", "ARG DEBIAN_IMAGE=debian:12.15-slim", "ARG DEBIAN_IMAGE=debian:latest", "debian:latest"),
    ("Dockerfile", "${DEBIAN_IMAGE} AS camera", "${DEBAIN_IMAGE} AS camera", "$DEBAIN_IMAGE is not set"),
    ("Dockerfile", "COPY Sources Sources", "COPY Source Sources", "Source: not in the repository"),
    ("Dockerfile", "COPY LICENSE ", "COPY README.md ", "README.md: .dockerignore keeps it"),
    ("Dockerfile", "--from=assets /src/.cache/media", "--from=asset /src/.cache/media", "--from=asset"),
    ("Dockerfile", "media/bikes.mp4 /", "medai/bikes.mp4 /", ".cache/medai/bikes.mp4: no RUN makes it"),
    ("Dockerfile", "release/eyrie /", "release/eyre /", "release/eyre: no product"),
    ("Dockerfile", "checkouts/Yams/", "checkouts/Yam/", "checkouts/Yam/LICENSE: no package"),
    ("Dockerfile", "libopenvino_ir_frontend", "libopenvino_ri_frontend", "libopenvino_ri_frontend.so.*: no such"),
    ("Dockerfile", "libavformat59", "libavformat95", "libavformat95: no package of this Debian"),
    ("Dockerfile", "python3-gi ", "python3-gu ", "python3-gu: no package of this Debian"),
    ("Dockerfile", "RUN scripts/setup", "RUN scripts/set-up", "scripts/set-up: not in the repository"),
    ("Dockerfile", "--static-swift-stdlib", "--static-swift-stdlibs", "--static-swift-stdlibs: no option of swift"),
    ("Dockerfile", "--product eyrie", "--product eyre", "--product eyre: no product"),
    ("Dockerfile", "fetch bikes", "fetch bike", "bike: nothing that eyrie_convert fetches"),
    ("Dockerfile", "eyrie --version", "eyrie --versoin", "--versoin: no option of eyrie"),
    ("Dockerfile", '"--check"]', '"--chekc"]', "--chekc: no option of /usr/local/bin/camera.py"),
    ("Dockerfile", '["/media/bikes.mp4"]', '["/media/bike.mp4"]', "/media/bike.mp4: no COPY puts it there"),
    ("Dockerfile", '["run", "/etc/eyrie/', '["runn", "/etc/eyrie/', "runn: no command of eyrie"),
    ("Dockerfile", '"run", "/etc/eyrie/', '"run", "/etc/eyre/', "/etc/eyre/pipeline.yaml: no COPY"),
    ("Dockerfile", "USER 10001:10001", "USER 10003:10001", "USER 10003:10001"),
    ("Dockerfile", "STOPSIGNAL SIGTERM", "STOPSIGNAL SIGTREM", "SIGTREM: no signal"),
    ("Dockerfile", "--interval=10s", "--intervall=10s", "--intervall=10s: unknown"),
    ("Dockerfile", 'ENTRYPOINT ["/usr/local/bin/eyrie"]', "ENTRYPOINT eyrie", "the shell form"),
    ("Dockerfile", "WORKDIR /var", "WROKDIR /var", "'WROKDIR' is no instruction"),
    ("Dockerfile", "COPY --from=assets /src/.cache/models/yolov3-tiny /models", "#", "no COPY puts it into the stage"),
    ("healthcheck", "--timeout 4", "--timeuot 4", "--timeuot: no option of eyrie"),
    ("pipeline.yaml", "transport:", "transprt:", "did you mean 'transport'"),
    ("pipeline.yaml", "CAMERA_URL", "CAMERA_ULR", "CAMERA_ULR is not set"),
    (
        "compose.yaml",
        "dockerfile: docker/Dockerfile, target: demo",
        "dockerfile: Dockerfile, target: demo",
        "build: no",
    ),
    ("compose.yaml", "target: demo", "target: dmeo", "dmeo: no stage"),
    ("compose.yaml", "read_only: true", "readonly: true", "readonly: unknown"),
    ("compose.yaml", "cap_drop: [ALL]", "cap_drop: [NET_RAW]", "cap_drop: expected"),
    ("compose.yaml", "memory: 1G", "memory: 1GG", "limits.memory: 1GG"),
    ("compose.yaml", "tcp://eyrie:5555", "tcp://eyre:5555", "eyre:5555: no service"),
    ("compose.yaml", "camera:8554/live", "camera:554/live", "camera:554: no service"),
    ("compose.yaml", "      eyrie: {condition", "      eyre: {condition", "depends_on eyre: no service"),
    ("compose.yaml", "service_healthy", "service_helthy", "not on its health"),
    ("compose.yaml", "--topic, detections", "--topik, detections", "--topik: no option of eyrie"),
    ("compose.yaml", "services:", "services: {", "compose.yaml: while parsing"),
]


@pytest.mark.parametrize(("name", "right", "wrong", "fault"), TYPOS, ids=[typo[2][:40] for typo in TYPOS])
def test_a_typo_is_found(tmp_path, eyrie, name, right, wrong, fault):
    if "of this Debian" in fault and not shutil.which("apt-cache"):
        pytest.skip("needs Debian's package lists")
    for entry in ROOT.iterdir():
        if entry.name not in (".dockerignore", "docker"):
            (tmp_path / entry.name).symlink_to(entry)
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    shutil.copytree(ROOT / "docker", tmp_path / "docker", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "docker" / name
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong, 1))
    found = check_docker.faults(tmp_path, eyrie)
    assert [one for one in found if fault in one], found


@pytest.mark.parametrize(
    ("statistics", "code"),
    [
        ('{"state":"connected","fps":24.9,"queues":{"detect":{"depth":1,"capacity":3}}}', 0),
        ('{"state":"connected","fps":0,"queues":{"detect":{"depth":0,"capacity":3}}}', 0),
        ('{"state":"connected","fps":0,"queues":{"detect":{"depth":2,"capacity":3}}}', 1),
        ('{"state":"reconnecting","fps":0,"queues":{"detect":{"depth":1,"capacity":3}}}', 0),
        (None, 1),
    ],
)
def test_the_health_check_fails_without_heartbeat_or_results(tmp_path, statistics, code):
    command = tmp_path / "eyrie"
    command.write_text(f"#!/bin/sh\necho '{statistics}'\n" if statistics else "#!/bin/sh\nexit 1\n")
    command.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([ROOT / "docker/healthcheck"], env={"PATH": path}, capture_output=True, check=False)
    assert done.returncode == code
