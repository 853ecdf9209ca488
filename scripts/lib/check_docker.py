"""Checks that what docker/ names exists: files, packages, stages, options, services, variables.

There is no container engine where the tests run, so nothing else would notice a typo there before a user does.
``faults`` returns a line for each; the test in docker/tests expects none, and one for each kind of typo.
"""

from __future__ import annotations

import fnmatch
import functools
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dockerfile
import yaml
from dockerfile import Dockerfile, DockerfileError, Instruction, Stage

TIMES = {"interval", "timeout", "start-period"}
SERVICE_KEYS = {
    *("restart", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period", "logging", "image", "build"),
    *("deploy", "environment", "depends_on", "ports", "command", "healthcheck", "volumes"),
}
TOP_KEYS = {"name", "services"}
OPTION = re.compile(r"--[a-z][a-z-]+")


@functools.cache
def output(*command: str | Path, cwd: Path | None = None) -> str:
    """Return what a command prints, whatever its exit code; each is run once."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=cwd)
    return done.stdout + done.stderr


def options_of(*command: str | Path) -> set[str]:
    """Return the long options in a program's help."""
    return set(OPTION.findall(output(*command)))


def ignored(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore keeps a path from the builder: the last pattern that matches it or a parent decides."""
    out = False
    parents = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    for pattern in patterns:
        bare = pattern.removeprefix("!").removeprefix("**/")
        if any(fnmatch.fnmatch(one, bare) for one in parents):
            out = not pattern.startswith("!")
    return out


class Checker:
    """The files in question, and the programs they call."""

    def __init__(self, root: Path, eyrie: Path | None):
        """``eyrie`` is a built command; without one its options are not checked."""
        self.root = root
        self.eyrie = eyrie
        self.ignore = [
            line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
        ]
        self.file = Dockerfile({}, {})

    def faults(self) -> list[str]:
        """Return what is wrong, a line each."""
        try:
            self.file = dockerfile.read(self.root / "docker/Dockerfile")
            compose = yaml.safe_load((self.root / "docker/compose.yaml").read_text(encoding="utf-8"))
            found = [*self._bases()]
            for stage in self.file.stages.values():
                found += [f"Dockerfile:{line}: {fault}" for line, fault in self._stage(stage)]
            return found + [f"compose.yaml: {fault}" for fault in self._compose(compose)]
        except DockerfileError as error:
            return [f"Dockerfile: {error}"]
        except yaml.YAMLError as error:
            return [f"compose.yaml: {' '.join(str(error).split())}"]

    # ------------------------------------------------------------- Dockerfile

    def _bases(self) -> Iterator[str]:
        """Builder and runtime must be the same Debian: the program is linked with the libraries of one."""
        swift, debian = self.file.arguments["SWIFT_IMAGE"], self.file.arguments["DEBIAN_IMAGE"]
        if not re.fullmatch(r"swift:6\.\d+\.\d+-bookworm(@sha256:[0-9a-f]{64})?", swift):
            yield f"Dockerfile: {swift}: expected a release of Swift 6 on bookworm, by all of its version"
        if not re.fullmatch(r"debian:12\.\d+-slim(@sha256:[0-9a-f]{64})?", debian):
            yield f"Dockerfile: {debian}: expected a point release of Debian 12 (bookworm), slim"

    def _stage(self, stage: Stage) -> Iterator[tuple[int, str]]:
        checks: dict[str, Callable[[Stage, Instruction], Iterator[str]]] = {
            "COPY": self._copy,
            "RUN": self._run,
            "HEALTHCHECK": self._health_check,
            "ENTRYPOINT": self._exec_form,
            "CMD": self._exec_form,
            "STOPSIGNAL": self._stop_signal,
            "USER": self._user,
        }
        earlier = list(self.file.stages)[: list(self.file.stages).index(stage.name)]
        if stage.base not in earlier and stage.base not in self.file.arguments.values():
            yield stage.line, f"FROM {stage.base}: no stage before this, and no image of the ARGs"
        for instruction in stage.instructions:
            if (check := checks.get(instruction.name)) is not None:
                for fault in check(stage, instruction):
                    yield instruction.line, f"{instruction.name} {fault}"

    def _copy(self, stage: Stage, copy: Instruction) -> Iterator[str]:
        *sources, _ = copy.words
        if unknown := set(copy.flags) - {"from"}:
            yield f"--{unknown.pop()}: unknown"
        origin = copy.flags.get("from")
        if origin is not None and origin not in list(self.file.stages)[: list(self.file.stages).index(stage.name)]:
            yield f"--from={origin}: no stage before this"
            return
        for source in sources:
            if origin is None:
                if not (self.root / source).exists():
                    yield f"{source}: not in the repository"
                elif ignored(source, self.ignore):
                    yield f"{source}: .dockerignore keeps it from the builder"
            elif (reason := self._not_in_stage(origin, source)) is not None:
                yield f"{source}: {reason}"

    def _not_in_stage(self, stage: str, path: str) -> str | None:
        """Why a stage that is built elsewhere does not have a path, as far as that can be told."""
        manifest = (self.root / "Package.swift").read_text(encoding="utf-8")
        directory = self.file.last(stage, "WORKDIR")
        home = directory.text if directory else "/"
        if path.startswith(f"{home}/.build/release/"):
            product = path.rpartition("/")[2]
            return None if f'.executable(name: "{product}"' in manifest else "no product of Package.swift"
        if (match := re.match(rf"{home}/\.build/checkouts/([^/]+)/", path)) is not None:
            return (
                None if re.search(rf'url: "[^"]*/{re.escape(match[1])}"', manifest) else "no package of Package.swift"
            )
        if path.startswith(f"{home}/"):
            made = [word for run_ in self._commands(stage) for word in run_]
            inside = path.removeprefix(f"{home}/")
            return None if any(inside == word or inside.startswith(f"{word}/") for word in made) else "no RUN makes it"
        if (match := re.fullmatch(r"/opt/openvino-\*/(lib/.*|share/doc/openvino)", path)) is None:
            return "nothing that scripts/setup lays out"
        prefix = output("pkg-config", "--variable=prefix", "openvino").strip()
        if match[1].startswith("lib/") and prefix and not list(Path(prefix).glob(match[1])):
            return f"no such library in {prefix}"
        return None

    def _commands(self, stage: str) -> list[list[str]]:
        runs = [one for each in self.file.lineage(stage) for one in each.instructions if one.name == "RUN"]
        return [command for one in runs for command in one.commands()]

    def _run(self, _stage: Stage, instruction: Instruction) -> Iterator[str]:
        wanted = dockerfile.packages(instruction)
        if wanted and shutil.which("apt-cache") and (known := set(output("apt-cache", "pkgnames").split())):
            # pkgnames has names that others only mention, too; what can be installed has a record.
            for name in wanted:
                if name not in known or not output("apt-cache", "show", "--no-all-versions", name).startswith(
                    "Package:"
                ):
                    yield f"{name}: no package of this Debian"
        for command in instruction.commands():
            if command[0].startswith("scripts/") and not (self.root / command[0]).is_file():
                yield f"{command[0]}: not in the repository"
            elif command[:2] == ["swift", "build"] and shutil.which("swift"):
                known = options_of("swift", "build", "--help")
                yield from self._unknown(command, known)
                product = command[command.index("--product") + 1]
                if f'.executable(name: "{product}"' not in (self.root / "Package.swift").read_text(encoding="utf-8"):
                    yield f"--product {product}: no product of Package.swift"
            elif command[0] == "eyrie":
                yield from self._eyrie(command[1:])
            elif command[1:3] == ["-m", "eyrie_convert"]:
                text = output(sys.executable, *command[1:4], "--help", cwd=self.root / "converters")
                yield from self._unknown(command, set(OPTION.findall(text)))
                if command[4] not in re.findall(r"[\w-]+", text):
                    yield f"{command[4]}: nothing that eyrie_convert fetches"

    def _exec_form(self, stage: Stage, instruction: Instruction) -> Iterator[str]:
        if not instruction.is_exec_form:
            yield "the shell form does not pass signals on: use a JSON list"
            return
        words = instruction.words
        if instruction.name == "CMD":
            words = self.file.last(stage.name, "ENTRYPOINT").words + words
        yield from self._command(stage.name, words)

    def _command(self, stage: str, words: list[str]) -> Iterator[str]:
        """Check a command that runs in the image: its program, its options, the files it names."""
        copies = [one for each in self.file.lineage(stage) for one in each.instructions if one.name == "COPY"]
        places = {one.words[-1]: one for one in copies}
        for word in words:
            if word.startswith("/") and word not in places:
                yield f"{word}: no COPY puts it there"
        if words[0] not in places:
            return
        source = places[words[0]].words[0]
        if source.endswith("/eyrie"):
            yield from self._eyrie(words[1:])
        elif (program := self.root / source).is_file():
            if not program.stat().st_mode & 0o111:
                yield f"{source}: not executable"
            if program.suffix == ".py":
                yield from self._unknown(words, options_of(sys.executable, program, "--help"))
            else:
                for line in re.findall(r"\beyrie ((?:subscribe|run)\b[^)|;]*)", program.read_text(encoding="utf-8")):
                    yield from self._eyrie(shlex.split(line))

    def _health_check(self, stage: Stage, check: Instruction) -> Iterator[str]:
        for name, value in check.flags.items():
            if name in TIMES:
                if not re.fullmatch(r"[1-9]\d*s", value):
                    yield f"--{name}={value}: expected seconds, such as 10s"
            elif name != "retries" or not value.isdecimal():
                yield f"--{name}={value}: unknown"
        yield from self._exec_form(stage, check)

    def _stop_signal(self, _stage: Stage, instruction: Instruction) -> Iterator[str]:
        if instruction.text not in signal.Signals.__members__:
            yield f"{instruction.text}: no signal"

    def _user(self, stage: Stage, instruction: Instruction) -> Iterator[str]:
        made = " ".join(word for one in self._commands(stage.name) for word in one)
        for number in instruction.text.split(":"):
            if number == "0" or not re.search(rf"id {number}\b", made):
                yield f"{instruction.text}: no user and group that RUN adds"

    def _unknown(self, words: list[str], known: set[str]) -> Iterator[str]:
        for word in words:
            name = word.partition("=")[0]
            if name.startswith("--") and name not in known:
                yield f"{name}: no option of {words[0]}"

    def _eyrie(self, words: list[str]) -> Iterator[str]:
        if self.eyrie is None:
            return
        command = words[0] if words and not words[0].startswith("-") else None
        if command is not None and f"\n  {command} " not in output(self.eyrie, "--help"):
            yield f"{command}: no command of eyrie"
            return
        known = options_of(self.eyrie, *(["help", command] if command else ["--help"]))
        yield from self._unknown(["eyrie", *words], known)

    # ---------------------------------------------------------- compose.yaml

    def _compose(self, compose: dict) -> Iterator[str]:
        services = compose.get("services", {})
        for key in compose:
            if key not in TOP_KEYS and not key.startswith("x-"):
                yield f"{key}: unknown"
        for name, service in services.items():
            for fault in self._service(service, services):
                yield f"{name}: {fault}"

    def _service(self, service: dict, services: dict) -> Iterator[str]:
        for key in service.keys() - SERVICE_KEYS:
            yield f"{key}: unknown"
        build = service.get("build", {})
        context = (self.root / "docker" / build.get("context", "")).resolve()
        target = build.get("target")
        if context != self.root.resolve() or not (context / build.get("dockerfile", "")).is_file():
            yield f"build: no {build.get('dockerfile')} in {build.get('context')}"
        if target not in self.file.stages:
            yield f"build.target {target}: no stage of the Dockerfile"
            return
        yield from self._confinement(service)
        if "command" in service:
            entry = self.file.last(target, "ENTRYPOINT").words
            yield from self._command(target, entry + service["command"])
        for other, condition in service.get("depends_on", {}).items():
            if other not in services:
                yield f"depends_on {other}: no service"
            elif condition != {"condition": "service_healthy"} or services[other].get("healthcheck", {}).get("disable"):
                yield f"depends_on {other}: not on its health, or it has none"
        addresses = [*service.get("command", []), *service.get("environment", {}).values()]
        for host, port in re.findall(r"(?:rtsp|tcp)://([\w-]+):(\d+)", " ".join(addresses)):
            exposed = self.file.last(services[host]["build"]["target"], "EXPOSE") if host in services else None
            if exposed is None or exposed.text != port:
                yield f"{host}:{port}: no service that listens there"
        yield from self._pipeline(service, target)

    def _confinement(self, service: dict) -> Iterator[str]:
        wanted = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
        for key, value in wanted.items():
            if service.get(key) != value:
                yield f"{key}: expected {value}"
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        for key, form in {"cpus": r"\d+(\.\d+)?", "memory": r"\d+[KMG]", "pids": r"\d+"}.items():
            if not re.fullmatch(form, str(limits.get(key))):
                yield f"deploy.resources.limits.{key}: {limits.get(key)}"
        if service.get("restart") not in ("unless-stopped", "always", "on-failure"):
            yield f"restart: {service.get('restart')}"
        if not re.fullmatch(r"\d+s", str(service.get("stop_grace_period"))):
            yield f"stop_grace_period: {service.get('stop_grace_period')}"

    def _pipeline(self, service: dict, target: str) -> Iterator[str]:
        """Check the pipeline file that the service runs, with the variables that the service sets."""
        words = service.get("command") or self.file.last(target, "CMD").words
        copies = [one for each in self.file.lineage(target) for one in each.instructions if one.name == "COPY"]
        for copy in copies:
            source, destination = copy.words[0], copy.words[-1]
            if destination not in words or not source.endswith(".yaml") or self.eyrie is None:
                continue
            variables = {"PATH": "/usr/bin", **service.get("environment", {})}
            command = [self.eyrie, "validate", self.root / source]
            said = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
            if said.returncode != 0:
                yield f"{source}: {said.stdout.strip()}"
            text = (self.root / source).read_text(encoding="utf-8")
            for model in re.findall(r"model: \$\{\w+:-([^}]+)\}", text):
                if model not in {one.words[-1] for one in copies}:
                    yield f"{source}: {model}: no COPY puts it into the stage {target}"


def faults(root: Path, eyrie: Path | None) -> list[str]:
    """Return what is wrong with docker/ under a root, a line each."""
    return Checker(root, eyrie).faults()
