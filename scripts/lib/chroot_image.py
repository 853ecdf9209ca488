"""Makes what an image of docker/Dockerfile holds, without a container engine: a debootstrap and overlays.

The instructions of a stage are carried out in order. What it copies from a stage that was built elsewhere (a Swift
image, which is not here) comes from this machine: see ``Builder.source``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from dockerfile import Dockerfile, DockerfileError, Instruction, Stage

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# As Debian's slim images are made: no documentation but the licences.
SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
"""
DEVICES = ("full", "null", "random", "urandom", "zero")


class ReplayError(Exception):
    """Why the replay cannot go on, or what it found wrong."""


def run(command: list[str | Path], **options) -> subprocess.CompletedProcess:
    """Run a command that must succeed; its output is shown only if it does not."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-15:])
        raise ReplayError(f"{' '.join(map(str, command[:4]))} …: exit code {done.returncode}\n{end}")
    return done


def mount(kind: str, target: Path, options: str = "") -> None:
    """Mount a file system on a directory that is made if need be."""
    target.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", kind, *(["-o", options] if options else []), kind, target])


def debootstrap(directory: Path, suite: str) -> None:
    """Lay the smallest Debian out, with the mirror and the settings that this machine's apt has."""
    if (directory / "etc/apt/apt.conf.d/90replay").is_file():
        return
    shutil.rmtree(directory, ignore_errors=True)
    uris = run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"]).stdout
    mirrors = [line.split()[0] for line in uris.splitlines() if line.endswith(f" {suite}")]
    mirror = mirrors[0] if mirrors else "http://deb.debian.org/debian"
    partial = directory.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    run(["debootstrap", "--variant=minbase", suite, partial, mirror])
    shutil.rmtree(partial / "var/cache/apt/archives", ignore_errors=True)
    (partial / "etc/apt/sources.list").unlink(missing_ok=True)
    for place in ("sources.list", "sources.list.d"):
        source = Path("/etc/apt") / place
        if source.is_dir():
            shutil.copytree(source, partial / "etc/apt" / place, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copy(source, partial / "etc/apt" / place)
    (partial / "etc/dpkg/dpkg.cfg.d/slim").write_text(SLIM)
    # No service starts while packages are installed.
    policy = partial / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    # How this machine reaches its mirror, proxies among it.
    (partial / "etc/apt/apt.conf.d/90replay").write_text(run(["apt-config", "dump", "Acquire"]).stdout)
    partial.rename(directory)


class Builder:
    """Carries out the stages that are made from Debian."""

    def __init__(self, file: Dockerfile, context: Path, work: Path, elsewhere: Path, home: str):
        """Prepare to build.

        ``context`` is the root of the repository; ``work`` keeps the layers; ``elsewhere`` holds what stages of
        other images have outside of ``home``, their working directory, which is the repository itself here.
        """
        self.file = file
        self.context = context
        self.work = work
        self.elsewhere = elsewhere
        self.home = home
        self.base: Path | None = None
        self.layers: dict[str, Path] = {}

    def build(self, name: str) -> list[Path]:
        """Build a stage if it is not built yet; returns its layers, the topmost first."""
        stage = self.file.stages[name]
        if stage.base in self.file.stages:
            below = self.build(stage.base)
        else:
            if self.base is None:
                raise DockerfileError(f"line {stage.line}: {name} is no Debian")
            below = [self.base]
        if name in self.layers:
            return [self.layers[name], *below]
        if not stage.instructions:
            return below
        upper, merged = self.work / f"{name}.layer", self.work / f"{name}.build"
        for path in (upper, self.work / f"{name}.scratch"):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        lower = ":".join(map(str, below))
        mount("overlay", merged, f"lowerdir={lower},upperdir={upper},workdir={self.work / f'{name}.scratch'}")
        try:
            self._carry_out(stage, merged)
        finally:
            run(["umount", "--recursive", merged])
        self.layers[name] = upper
        return [upper, *below]

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables that the image sets."""
        variables = {"PATH": DEFAULT_PATH}
        for stage in self.file.lineage(name):
            for instruction in stage.instructions:
                if instruction.name == "ENV":
                    variables |= dict(word.split("=", 1) for word in instruction.words)
        return variables

    def _carry_out(self, stage: Stage, root: Path) -> None:
        resolver = root / "etc/resolv.conf"
        before = resolver.read_bytes() if resolver.is_file() else None
        shutil.copy("/etc/resolv.conf", resolver)
        mount("proc", root / "proc")
        for instruction in stage.instructions:
            if instruction.name == "RUN":
                command = ["chroot", root, "/bin/sh", "-c", instruction.text]
                run(command, env={"PATH": DEFAULT_PATH, "DEBIAN_FRONTEND": "noninteractive"})
            elif instruction.name == "COPY":
                self._copy(instruction, root)
            elif instruction.name == "WORKDIR":
                (root / instruction.text.lstrip("/")).mkdir(parents=True, exist_ok=True)
        resolver.unlink()
        if before is not None:
            resolver.write_bytes(before)

    def source(self, stage: str | None, path: str) -> list[Path]:
        """Return the files here that stand for those that a COPY names."""
        if stage is None:
            pattern, root = path, self.context
        elif path.startswith(self.home + "/"):
            pattern, root = path.removeprefix(self.home + "/"), self.context
        else:
            pattern, root = path.lstrip("/"), self.elsewhere
        return sorted(root.glob(pattern))

    def _copy(self, instruction: Instruction, root: Path) -> None:
        *sources, destination = instruction.words
        target = root / destination.lstrip("/")
        for name in sources:
            found = self.source(instruction.flags.get("from"), name)
            if not found:
                raise ReplayError(f"line {instruction.line}: COPY {name}: nothing here stands for it")
            for path in found:
                if path.is_dir():
                    shutil.copytree(path, target, dirs_exist_ok=True)
                    continue
                into = target / path.name if destination.endswith("/") else target
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, into)
        run(["chown", "-R", "0:0", target])

    def size_mb(self, name: str) -> float:
        """Return what the layers of a stage add to Debian, in megabytes of 10⁶ bytes."""
        layers = [self.layers[stage.name] for stage in self.file.lineage(name) if stage.name in self.layers]
        output = run(["du", "-s", "--block-size=1", "--total", *layers]).stdout
        return int(output.splitlines()[-1].split()[0]) / 1e6


def view(layers: list[Path], root: Path, hosts: str) -> None:
    """Mount an image as compose.yaml has it: read-only but for /tmp, with the fewest devices."""
    root.mkdir(parents=True, exist_ok=True)
    # A layer for the mount points and for the names of the other containers, as an engine adds one.
    extra = root.with_suffix(".mounts")
    for name in ("dev", "proc", "sys", "tmp", "etc"):
        (extra / name).mkdir(parents=True, exist_ok=True)
    (extra / "etc/hosts").write_text(hosts)
    run(["mount", "-t", "overlay", "-o", f"ro,lowerdir={':'.join(map(str, [extra, *layers]))}", "overlay", root])
    mount("tmpfs", root / "tmp", "size=16m,mode=1777,noexec,nosuid,nodev")
    mount("proc", root / "proc")
    mount("sysfs", root / "sys", "ro,nosuid,nodev,noexec")
    mount("tmpfs", root / "dev", "size=64k,mode=755,nosuid,noexec")
    for name in DEVICES:
        (root / "dev" / name).touch()
        run(["mount", "--bind", Path("/dev") / name, root / "dev" / name])
    os.symlink("/proc/self/fd", root / "dev/fd")
