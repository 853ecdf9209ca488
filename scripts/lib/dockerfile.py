"""Reads a Dockerfile: the stages and instructions of docker/Dockerfile, for its test and for its replay.

It knows what is used there, and refuses the rest (heredocs, SHELL, ADD, ONBUILD) instead of misreading it.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = {
    *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("LABEL", "RUN", "STOPSIGNAL", "USER", "WORKDIR"),
}
VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


class DockerfileError(Exception):
    """What cannot be read, with its line."""


@dataclass(frozen=True)
class Instruction:
    """One instruction, with continued lines joined."""

    line: int
    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form (a JSON list), or those that a shell would see."""
        if self.text.startswith("["):
            try:
                return json.loads(self.text)
            except json.JSONDecodeError as error:
                raise DockerfileError(f"line {self.line}: {self.name}: not a JSON list: {error}") from None
        return shlex.split(self.text)

    @property
    def is_exec_form(self) -> bool:
        """Whether no shell runs the command."""
        return self.text.startswith("[")

    def commands(self) -> list[list[str]]:
        """Split what a shell would run at && and ;."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars="&;|")
        lexer.whitespace_split = True
        commands: list[list[str]] = [[]]
        for word in lexer:
            if word in ("&&", ";"):
                commands.append([])
            else:
                commands[-1].append(word)
        return commands


@dataclass
class Stage:
    """What is between one FROM and the next."""

    name: str
    base: str
    line: int
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> Instruction | None:
        """Return the last instruction of that name, which is the one that holds."""
        found = [instruction for instruction in self.instructions if instruction.name == name]
        return found[-1] if found else None


@dataclass
class Dockerfile:
    """All stages, in order."""

    arguments: dict[str, str]
    stages: dict[str, Stage]

    def lineage(self, name: str) -> list[Stage]:
        """Return the stages that a stage is made of, the first first."""
        stages = []
        while name in self.stages:
            stages.insert(0, self.stages[name])
            name = self.stages[name].base
        return stages

    def last(self, stage: str, name: str) -> Instruction | None:
        """Return the instruction of that name that holds in a stage, its own or inherited."""
        for one in reversed(self.lineage(stage)):
            if (found := one.last(name)) is not None:
                return found
        return None


def _instructions(text: str) -> list[Instruction]:
    found: list[Instruction] = []
    parts: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not parts and not line.strip()):
            continue
        if not parts:
            start = number
        parts.append(line.rstrip().removesuffix("\\").strip())
        if not line.rstrip().endswith("\\"):
            found.append(_instruction(start, " ".join(part for part in parts if part)))
            parts = []
    if parts:
        raise DockerfileError(f"line {start}: ends with a backslash")
    return found


def _instruction(line: int, text: str) -> Instruction:
    name, _, rest = text.partition(" ")
    if name not in KNOWN:
        raise DockerfileError(f"line {line}: '{name}' is no instruction that is known here")
    if "<<" in rest:
        raise DockerfileError(f"line {line}: heredocs are not known here")
    flags = {}
    while (match := re.match(r"--([a-z-]+)=(\S+)\s+", rest)) is not None:
        flags[match[1]] = match[2]
        rest = rest[match.end() :]
    if name == "HEALTHCHECK":
        if not rest.startswith("CMD "):
            raise DockerfileError(f"line {line}: HEALTHCHECK without CMD")
        rest = rest.removeprefix("CMD ")
    return Instruction(line, name, flags, rest.strip())


def expand(text: str, variables: dict[str, str], line: int) -> str:
    """Put in variables, all of which must be known."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in variables:
            raise DockerfileError(f"line {line}: ${name} is not set")
        return variables[name]

    return VARIABLE.sub(value, text)


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile."""
    file = Dockerfile({}, {})
    stage: Stage | None = None
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            words = expand(instruction.text, file.arguments, instruction.line).split()
            if len(words) != 3 or words[1] != "AS":
                raise DockerfileError(f"line {instruction.line}: expected FROM IMAGE AS NAME")
            if words[2] in file.stages:
                raise DockerfileError(f"line {instruction.line}: there are two stages '{words[2]}'")
            stage = Stage(words[2], words[0], instruction.line)
            file.stages[stage.name] = stage
        elif stage is not None:
            stage.instructions.append(instruction)
        elif instruction.name == "ARG":
            name, _, value = instruction.text.partition("=")
            file.arguments[name] = value
        else:
            raise DockerfileError(f"line {instruction.line}: {instruction.name} before the first FROM")
    return file


def read(path: Path) -> Dockerfile:
    """Read a Dockerfile from disk."""
    return parse(path.read_text(encoding="utf-8"))


def packages(instruction: Instruction) -> list[str]:
    """Return what a RUN installs with apt-get."""
    found = []
    for command in instruction.commands():
        if command[:2] == ["apt-get", "install"]:
            found += [word for word in command[2:] if not word.startswith("-")]
    return found


if __name__ == "__main__":
    # dockerfile.py FILE STAGE: what the last RUN of a stage would run, for scripts/replay-docker.
    last = read(Path(sys.argv[1])).stages[sys.argv[2]].last("RUN")
    print(last.text if last else "true")
