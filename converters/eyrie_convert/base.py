"""How every conversion runs: load, export, compare with the original, write the metadata, and only then appear."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from eyrie_convert import golden, package, pictures, quantised, zero_shot
from eyrie_convert.download import say
from eyrie_convert.errors import ConversionError, unforeseen
from eyrie_convert.network import Answers, Architecture, Network, Picture, Runner
from eyrie_convert.options import DEFAULT_PRECISION, ConversionOptions, Target
from eyrie_convert.quantised import Quantised
from eyrie_convert.validation import ValidationReport, compare, relative_rms

# So many different pictures are run at once to prove an open batch.
BATCH = 3


@dataclass
class Export:
    """What a target wrote into the package: its files, and what of the network's metadata it changed."""

    files: list[str]
    input_name: str
    fields: dict[str, Any] = field(default_factory=dict)
    tools: tuple[str, ...] = ()


class ModelConverter(ABC):
    """Writes one network as one kind of package. Not to be used from two threads at once."""

    target: Target
    keeps_size_open = False
    """Whether packages of this target run at other sizes than their input's."""
    keeps_batch_open = False
    """Whether packages of this target take any number of pictures at once, where the network does."""

    def __init__(self, architecture: Architecture, options: ConversionOptions | None = None):
        self.architecture = architecture
        self.options = options or ConversionOptions()
        self.precision = self.options.precision_for(self.target)
        self.network: Network | None = None
        self.quantised: Quantised | None = None

    def convert(self, model_name_or_path: str | Path, output_dir: str | Path) -> Path:
        """Convert into ``output_dir``/``<name>-<target>`` and return that directory.

        What cannot be converted, or differs from the original by more than its precision explains, raises
        ConversionError, and nothing is written.
        """
        return self.convert_network(self.architecture.load(str(model_name_or_path), self.options), Path(output_dir))

    def convert_network(self, network: Network, output_dir: Path, directory: Path | None = None) -> Path:
        """Convert a network that is loaded already; into ``directory`` itself, if one is given."""
        self.network = network
        directory = directory or output_dir / self.package_name(network)
        with package.new_package(directory) as work:
            say(f"writing {directory.name} ({self.precision.value})")
            with unforeseen(f"writing {directory.name}"):
                export = self._export(network, work)
                if network.zero_shot is not None:
                    export.files.append(network.zero_shot.write(work))
            say(f"comparing {directory.name} with the original")
            with unforeseen(f"comparing {directory.name}"):
                report = self._validate_model(work)
            if not report.passed:
                reasons = "; ".join(report.failures)
                raise ConversionError(
                    f"{directory.name} differs from the original ({network.reference_name}): {reasons}. "
                    "Nothing was written"
                )
            self._write_golden(network, work)
            self._save_metadata(work, self._metadata(network, export, report))
        return directory

    def package_name(self, network: Network) -> str:
        """Return the name of the package's directory; a precision that is not the usual one is part of it."""
        usual = DEFAULT_PRECISION[self.target] is self.precision
        return f"{network.package_name}-{self.target.value}" + ("" if usual else f"-{self.precision.value}")

    @abstractmethod
    def _export(self, network: Network, directory: Path) -> Export:
        """Write the model file."""

    @abstractmethod
    def _runner(
        self, directory: Path, network: Network, size: tuple[int, int] | None = None, *, batch: bool = False
    ) -> Runner:
        """Return what runs the package, read back from its files; at another ``size`` than the input's, if given.

        With ``batch`` it also takes stacks of pictures, if the package can.
        """

    def _validate_model(self, path: Path) -> ValidationReport:
        """Run the package at ``path`` and compare it with the original, on pictures.

        The converter must have loaded the network before (``convert`` has).
        """
        network = self._loaded()
        if self.quantised is not None:
            report = quantised.validate(network, self.quantised, self._runner(path, network))
            if self._takes_batches(network):
                self._validate_quantised_batch(report, path, network, self.quantised)
            self._validate_zero_shot(report, path, network, self.quantised.calibration.held_out)
            return report
        chosen = [*pictures.bundled(), *((each.name, pictures.read(each)) for each in self.options.pictures)]
        report = ValidationReport(
            reference=network.reference_name,
            inputs=f"{', '.join(name for name, _ in chosen)} at {network.input.width}x{network.input.height}",
        )
        prepared = [pictures.prepare(picture, network.input) for _, picture in chosen]
        expected = [network.reference(picture) for picture in prepared]
        runner = self._runner(path, network)
        for picture, answers in zip(prepared, expected, strict=True):
            self._compare(report, network, runner(picture), answers)
        if self._takes_batches(network):
            # One at a time as well: an open batch may have been fixed inside at any number.
            runner = self._runner(path, network, batch=True)
            for stack in (prepared[:1], prepared[:BATCH]):
                self._compare_stack(report, network, runner(np.stack(stack)), expected[: len(stack)])
            report.inputs += f"; one by one, and {BATCH} at once"
        self._validate_zero_shot(report, path, network, prepared)
        if report.passed and self.keeps_size_open and network.input.dynamic:
            self._validate_other_size(report, path, network)
        return report

    def _validate_other_size(self, report: ValidationReport, path: Path, network: Network) -> None:
        """Run the package once at a size that is not its usual one: what is traced wrongly is fixed at that one."""
        spec = network.input
        name, picture = pictures.bundled()[1]
        if spec.embedded:
            size = (picture.shape[1], picture.shape[0])
            stack = [picture, picture[:, ::-1]] if self._takes_batches(network) else [picture]
            got = self._runner(path, network, size, batch=len(stack) > 1)(np.stack(stack))
            what = network.output_names[0]
            for each, row in zip(stack, rows(got, len(stack)), strict=True):
                expected = network.reference(pictures.prepare(each, spec))
                # The host's resizing rounds to bytes, the package's does not.
                report.worse("error", "resized_rms_ratio", relative_rms(row[what], expected[what]), 0.03)
        else:
            other = replace(spec, height=max(spec.stride, spec.height * 3 // 5 // spec.stride * spec.stride))
            size, picture = (other.width, other.height), pictures.prepare(picture, other)
            got = self._runner(path, network, size)(picture)
            self._compare(report, network, got, network.reference(picture))
        report.inputs += f"; {name} at {size[0]}x{size[1]}"

    def _validate_zero_shot(
        self, report: ValidationReport, path: Path, network: Network, prepared: list[Picture]
    ) -> None:
        if network.zero_shot is None:
            return
        runner = self._runner(path, network)
        embeddings = [runner(picture)["embedding"] for picture in prepared]
        zero_shot.validate(report, path, network.zero_shot, embeddings, prepared, self.precision)

    def _validate_quantised_batch(
        self, report: ValidationReport, path: Path, network: Network, model: Quantised
    ) -> None:
        held_out = model.calibration.held_out
        # Far apart: neighbouring frames look alike.
        chosen = held_out[:: max(len(held_out) // BATCH, 1)][:BATCH]
        alone, together = self._runner(path, network), self._runner(path, network, batch=True)
        got = rows(together(np.stack(chosen)), len(chosen))
        for picture, row in zip(chosen, got, strict=True):
            # OpenVINO rounds to eight bits in other places where a size is open: ViT-B/16 moved by 0.03. The number of
            # pictures changed nothing at all. Indices of the best classes may change places.
            for limit, what, wanted in ((0.02, "batch_rms_ratio", together), (0.15, "open_batch_rms_ratio", alone)):
                for name, array in wanted(picture).items():
                    if array.dtype.kind == "f":
                        report.worse("error", what, relative_rms(row[name], array), limit)

    def _takes_batches(self, network: Network) -> bool:
        return self.keeps_batch_open and network.input.dynamic_batch

    def _compare_stack(self, report: ValidationReport, network: Network, got: Answers, expected: list[Answers]) -> None:
        try:
            answers = rows(got, len(expected))
        except ConversionError as error:
            report.problems.append(str(error))
            return
        for row, wanted in zip(answers, expected, strict=True):
            self._compare(report, network, row, wanted)

    def _compare(self, report: ValidationReport, network: Network, got: Answers, expected: Answers) -> None:
        compare(report, network.task, got, expected, self.precision)

    def _write_golden(self, network: Network, directory: Path) -> None:
        _, picture = pictures.bundled()[0]
        spec = network.input
        part, whole = golden.picture_for(pictures.prepare(picture, spec), spec.width, spec.height, spec.pad_value)
        answers, tolerance = self._golden_answers(network, directory, whole)
        golden.write(directory / golden.NAME, part, spec.width, spec.height, network.task, answers, tolerance)

    def _golden_answers(self, network: Network, directory: Path, whole: Picture) -> tuple[Answers, dict[str, Any]]:
        """Return what the golden file holds: the original's answers, unless a target changes them on purpose."""
        if self.quantised is not None:
            # Rounding to eight bits is no mistake of the machine that replays it.
            answers = same_type(self._runner(directory, network)(whole))
            return answers, golden.tolerances(network.task, self.precision)
        return network.reference(whole), golden.tolerances(network.task, self.precision)

    def _metadata(self, network: Network, export: Export, report: ValidationReport) -> dict[str, Any]:
        fields = {
            "name": network.name,
            "task": network.task,
            "format": self.target.value,
            "precision": self.precision.value,
            "source": {**network.source, "random_weights": network.random_weights},
            "input": network.input.metadata(export.input_name),
            "output": network.output,
            "nms": network.nms,
            "coreml": None,
            "validation": report.metadata(golden.NAME),
            "benchmark": None,
            "tools": package.tools("numpy", *export.tools),
        }
        for key, value in export.fields.items():
            fields[key] = {**fields[key], **value} if isinstance(fields[key], dict) else value
        return {"files": [*export.files, golden.NAME], **fields}

    def _save_metadata(self, output_dir: Path, metadata: dict[str, Any]) -> None:
        """Write ``conversion_metadata.json``; ``metadata["files"]`` are hashed."""
        files = metadata["files"]
        package.write_metadata(output_dir, files, {key: each for key, each in metadata.items() if key != "files"})

    def _loaded(self) -> Network:
        if self.network is None:
            raise ConversionError("nothing was loaded yet: convert a model first")
        return self.network


def rows(answers: Answers, count: int) -> list[Answers]:
    """Return what was answered to each of ``count`` pictures that were run at once.

    Raises ConversionError if an output has not as many rows.
    """
    for name, array in answers.items():
        if not array.ndim or array.shape[0] != count:
            raise ConversionError(f"the output {name} is of shape {list(array.shape)} for {count} pictures at once")
    return [{name: array[index : index + 1] for name, array in answers.items()} for index in range(count)]


def same_type(arrays: Answers) -> Answers:
    """Return floating-point arrays as float32, and integers as int64."""
    return {
        name: array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32)
        for name, array in arrays.items()
    }
