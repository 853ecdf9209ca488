"""Replays docker/compose.yaml without a container engine: see scripts/replay-docker, which calls it as root.

usage: replay_docker.py ROOT WORK ELSEWHERE [SERVICE …]

The images are built by chroot_image.py. Each service then runs as its image and compose.yaml say: command,
environment, user, read-only root, no capabilities, no new privileges, process 1 of a PID namespace of its own. All
share one network namespace, in which nobody else listens. Services that are named run as programs of this machine
instead: their images are not built.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import chroot_image
import dockerfile
import yaml
from chroot_image import Builder, ReplayError, run

NEW_MOUNTS, NEW_NETWORK = 0x00020000, 0x40000000
UNIT = {"B": 1, "K": 2**10, "M": 2**20, "G": 2**30}
COMPILERS = ("as", "cc", "clang", "g++", "gcc", "ld", "make", "swift", "swiftc", "pkg-config")


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"[{time.monotonic() - START:3.0f} s] {text}", flush=True)


def unshare(what: int) -> None:
    """Leave a namespace for a new one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(what) != 0:
        raise ReplayError(f"unshare: {os.strerror(ctypes.get_errno())}")


def raise_loopback() -> None:
    """Bring the loopback interface of a new network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up = struct.pack("16sh14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(control, 0x8914, up)


def seconds(text: str) -> float:
    """Read a duration such as 10s."""
    return float(text.removesuffix("s"))


def wait_for(condition, limit: float, what: str):
    """Return what the condition gives, once that is true."""
    end = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > end:
            raise ReplayError(f"{what}: not within {limit:.0f} s")
        time.sleep(0.1)
    return found


class Container:
    """One service of the compose file."""

    def __init__(self, name: str, service: dict, builder: Builder, work: Path, hosts: str):
        """Mount its file system."""
        self.name = name
        self.service = service
        self.target = service["build"]["target"]
        file = builder.file
        self.root = self._mount(builder, work / "run" / name, hosts)
        self.variables = builder.environment(self.target)
        for key, value in service.get("environment", {}).items():
            self.variables[key] = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        entry, command = file.last(self.target, "ENTRYPOINT").words, file.last(self.target, "CMD").words
        self.command = entry + service.get("command", command)
        self.user, self.group = file.last(self.target, "USER").text.split(":")
        directory = file.last(self.target, "WORKDIR")
        self.directory = directory.text if directory else "/"
        self.stop_signal = signal.Signals[file.last(self.target, "STOPSIGNAL").text]
        health = file.last(self.target, "HEALTHCHECK")
        self.health = health.words
        self.health_timeout = seconds(health.flags["timeout"])
        self.log = work / f"{name}.log"
        self.process: subprocess.Popen | None = None

    def _mount(self, builder: Builder, root: Path, hosts: str) -> Path:
        chroot_image.view(builder.build(self.target), root, hosts)
        return root

    def _as_user(self, command: list[str]) -> list[str]:
        limits = ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        user = ["setpriv", f"--reuid={self.user}", f"--regid={self.group}", *limits]
        return ["env", f"--chdir={self.directory}", *user, "--", *command]

    def start(self, variables: dict[str, str] | None = None) -> None:
        """Run the entry point as process 1."""
        spaces = ["unshare", "--pid", "--ipc", "--uts", "--fork", f"--mount-proc={self.root}/proc"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*spaces, "chroot", self.root, *self._as_user(self.command)],
                env=self.variables if variables is None else variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def execute(self, command: list[str], timeout: float) -> tuple[int | None, str]:
        """Run a command in the container, as an engine does; the exit code is None if it took too long."""
        enter = ["chroot", self.root]
        if self.process is not None:
            enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--ipc", "--uts", "--root"]
        try:
            done = subprocess.run(
                [*enter, *self._as_user(command)],
                env=self.variables,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, "took too long"
        return done.returncode, done.stdout + done.stderr

    def is_healthy(self) -> bool:
        """Run the health check of the image once."""
        return self.execute(self.health, self.health_timeout)[0] == 0

    @property
    def pid(self) -> int:
        """The process that is 1 in the container, as it is numbered outside."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def first() -> str:
            if self.process.poll() is not None:
                raise ReplayError(f"{self.name} ended with exit code {self.process.returncode}\n{self.tail()}")
            return children.read_text()

        return int(wait_for(first, 5, f"{self.name} starts").split()[0])

    def status(self) -> dict[str, str]:
        """Return what the kernel knows of process 1."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}

    def stop(self) -> tuple[int, float]:
        """Send the stop signal; returns the exit code and the seconds that it took."""
        begin = time.monotonic()
        os.kill(self.pid, self.stop_signal)
        try:
            code = self.process.wait(seconds(self.service["stop_grace_period"]))
        except subprocess.TimeoutExpired:
            raise ReplayError(f"{self.name} goes on after {self.stop_signal.name}\n{self.tail()}") from None
        self.process = None
        return code, time.monotonic() - begin

    def kill(self) -> None:
        """End it at once, and with process 1 all of its namespace."""
        if self.process is not None:
            if self.process.poll() is None:
                os.kill(self.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def tail(self) -> str:
        """Return the end of what it printed."""
        return "\n".join(self.log.read_text().splitlines()[-10:])

    def lines(self, pattern: str) -> int:
        """Count the lines it printed that hold a pattern."""
        return len(re.findall(pattern, self.log.read_text()))


class PlainProgram(Container):
    """A service whose files are those of this machine."""

    def _mount(self, builder: Builder, root: Path, hosts: str) -> Path:
        self.files = {}
        for instruction in builder.file.stages[self.target].instructions:
            if instruction.name == "COPY":
                source, destination = instruction.words
                (self.files[destination],) = builder.source(instruction.flags.get("from"), source)
        return Path("/")

    def _as_user(self, command: list[str]) -> list[str]:
        return [str(self.files.get(word, word)) for word in command]


def expect(condition: bool, what: str) -> None:
    """Go on only if something holds."""
    if not condition:
        raise ReplayError(what)


def check_confinement(container: Container) -> None:
    """Look at what the service may do, from outside and from inside."""
    status = container.status()
    expect(status["Uid"].split() == [container.user] * 4, f"{container.name}: user {status['Uid']}")
    expect(container.user != "0" and container.group != "0", f"{container.name}: runs as root")
    expect(status["NoNewPrivs"] == "1", f"{container.name}: new privileges are allowed")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect(int(status[kind], 16) == 0, f"{container.name}: {kind} is {status[kind]}")
    for place in ("/", "/etc", "/usr/local/bin", container.directory):
        code, _ = container.execute(["touch", f"{place}/written"], 5)
        expect(code not in (0, None), f"{container.name}: {place} can be written")
    code, output = container.execute(["touch", "/tmp/written"], 5)
    expect(code == 0, f"{container.name}: /tmp cannot be written: {output}")


def check_limits(container: Container) -> str:
    """Compare what the service takes with what compose.yaml allows it."""
    limits = container.service["deploy"]["resources"]["limits"]
    allowed = float(limits["memory"][:-1]) * UNIT[limits["memory"][-1]] / 2**20
    status = container.status()
    memory, threads = int(status["VmHWM"].split()[0]) / 1024, int(status["Threads"])
    expect(memory < allowed, f"{container.name}: {memory:.0f} MiB at its peak, and {allowed:.0f} are allowed")
    expect(threads < limits["pids"], f"{container.name}: {threads} threads, and {limits['pids']} are allowed")
    return f"{container.name} {memory:.0f} of {allowed:.0f} MiB, {threads} of {limits['pids']} threads"


def check_contents(container: Container) -> None:
    """Look for what has no place in an image that only runs."""
    root = container.root
    places = [root / place.lstrip("/") for place in container.variables["PATH"].split(":")]
    compilers = [name for name in COMPILERS if any((place / name).exists() for place in places)]
    expect(not compilers, f"{container.name}: the image has {', '.join(compilers)}")
    left = [
        str(path.relative_to(root))
        for place in ("var/lib/apt/lists", "var/cache/apt", "var/log", "root", "tmp")
        for path in (root / place).rglob("*")
        if path.is_file() and path.stat().st_size > 2**16
    ]
    expect(not left, f"{container.name}: the image keeps {', '.join(left)}")


def replay(camera: Container, eyrie: Container, subscriber: Container) -> None:
    """Go through the life of the three services."""
    code, output = eyrie.execute(eyrie.health, eyrie.health_timeout)
    expect(code == 1, f"health check with nothing running: {code} {output}")
    variables = {key: value for key, value in eyrie.variables.items() if key != "CAMERA_URL"}
    eyrie.start(variables)
    code = eyrie.process.wait(20)
    eyrie.process = None
    expect(code == 2 and "CAMERA_URL" in eyrie.tail(), f"without CAMERA_URL: {code}\n{eyrie.tail()}")

    camera.start()
    wait_for(camera.is_healthy, 20, "the camera is healthy")
    say("camera: healthy")
    eyrie.start()
    wait_for(eyrie.is_healthy, 60, "Eyrie is healthy")
    say("eyrie: healthy")
    subscriber.start()
    seen = wait_for(lambda: subscriber.lines(r"frame \d+ .*(car|person)"), 30, "detections reach the subscriber")
    say(f"subscriber: {seen} frames with people or cars")
    for container in (camera, eyrie, subscriber):
        if not isinstance(container, PlainProgram):
            check_confinement(container)
    say("user, capabilities, privileges and read-only roots are as compose.yaml has them")
    check_contents(eyrie)

    os.kill(eyrie.pid, signal.SIGSTOP)
    expect(not eyrie.is_healthy(), "the health check passes while Eyrie hangs")
    os.kill(eyrie.pid, signal.SIGCONT)
    wait_for(eyrie.is_healthy, 20, "Eyrie is healthy again")
    say("health check: fails while Eyrie hangs, and passes when it goes on")

    camera.kill()
    wait_for(lambda: subscriber.lines("stream reconnecting"), 30, "the subscriber hears that the camera is away")
    expect(eyrie.is_healthy(), f"Eyrie is not healthy without its camera\n{eyrie.tail()}")
    camera.start()
    wait_for(lambda: subscriber.lines("the source is back"), 30, "the camera is back")
    say("camera killed and started again: Eyrie stays healthy and reconnects")

    say("; ".join(check_limits(container) for container in (camera, eyrie, subscriber)))
    for container in (eyrie, subscriber, camera):
        code, took = container.stop()
        expect(code == 0, f"{container.name}: exit code {code} after the stop signal\n{container.tail()}")
        say(f"{container.name}: stopped by {container.stop_signal.name} in {took:.1f} s, exit code {code}")
    expect(subscriber.lines("stream ended") > 0, "the subscriber was not told of the end")


def main(root: Path, work: Path, elsewhere: Path, plain: list[str]) -> int:
    """Build the images and run the services."""
    file = dockerfile.read(root / "docker/Dockerfile")
    services = yaml.safe_load((root / "docker/compose.yaml").read_text(encoding="utf-8"))["services"]
    home = file.last("build", "WORKDIR").text
    builder = Builder(file, root, work, elsewhere, home)
    containers: list[Container] = []
    try:
        # Every mount goes with this process, whatever becomes of it.
        unshare(NEW_MOUNTS)
        run(["mount", "--make-rprivate", "/"])
        say("debootstrap")
        builder.base = work / "debian"
        chroot_image.debootstrap(builder.base, "bookworm")
        for name, service in services.items():
            if name not in plain:
                target = service["build"]["target"]
                say(f"docker/Dockerfile, target {target}")
                builder.build(target)
        say(", ".join(f"{name} {builder.size_mb(name):.0f} MB" for name in builder.layers) + " on Debian")
        unshare(NEW_NETWORK)
        raise_loopback()
        hosts = "".join(f"127.0.0.1 {name}\n" for name in ("localhost", *services))
        (work / "run").mkdir(exist_ok=True)
        for name, service in services.items():
            (work / f"{name}.log").unlink(missing_ok=True)
            kind = PlainProgram if name in plain else Container
            containers.append(kind(name, service, builder, work, hosts))
        replay(*containers)
    except (ReplayError, dockerfile.DockerfileError) as error:
        print(f"replay-docker: error: {error}", file=sys.stderr)
        return 1
    finally:
        for container in containers:
            container.kill()
    say("replayed")
    return 0


if __name__ == "__main__":
    START = time.monotonic()
    sys.exit(main(*map(Path, sys.argv[1:4]), sys.argv[4:]))
