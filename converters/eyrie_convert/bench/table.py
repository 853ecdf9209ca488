"""Measurements as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyrie_convert.bench.measure import Result

ORDER = ("f32", "bf16", "int8", "coreml")


def table(results: Sequence[Result]) -> str:
    """Return a line for each model and format, its arithmetics side by side, then targets, peaks and the machine."""
    if not results:
        return "nothing was measured"
    measured = [each for each in results if each.benchmark]
    columns = [name for name in ORDER if any(name in _runs(each) for each in measured)]
    groups: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for result in measured:
        size = f"{result.benchmark['width_pixels']}x{result.benchmark['height_pixels']}"
        # Float packages that differ in what they store are models of their own.
        stored = f" {result.precision}" if result.precision in ("float16", "mixed") else ""
        cells = groups.setdefault((_plain(result.name) + stored, result.format, size), {})
        for name, run in _runs(result).items():
            # The same twice: a line of its own for the second.
            if name in cells:
                cells = groups.setdefault((str(result.path), result.format, size), {})
            cells[name] = run
    rows = [["model", "format", "size", *(f"{name}: FPS, ms (floor)" for name in columns)]]
    rows += [[*key, *(_cell(cells.get(name)) for name in columns)] for key, cells in groups.items()]
    lines = _aligned(rows) if groups else []
    lines += _targets(measured)
    lines += [f"{each.path}: skipped: {each.skipped}" for each in results if each.skipped]
    if measured:
        peaks = {name: run["peak_gop_per_s"] for each in measured for name, run in _runs(each).items()}
        known = ", ".join(f"{name} {peaks[name]:.0f}" for name in columns if peaks.get(name))
        machine, first = measured[0].benchmark["host"], measured[0].benchmark
        lines.append(
            f"{machine['cpu']}, {machine['cores']} cores, OpenVINO {machine['openvino']}; medians of {first['rounds']} "
            f"rounds; FPS with requests in parallel, ms for one picture alone"
        )
        if machine["load_average"] is not None and machine["load_average"] > machine["cores"] / 2:
            lines.append(
                f"the machine was busy when this began (load {machine['load_average']:.1f}): left alone it is faster"
            )
        if known:
            lines.append(
                f"floor: the model's multiply-adds at the measured peak of this machine ({known} x 10^9 operations a "
                "second) and nothing else"
            )
    return "\n".join(lines)


def _plain(name: str) -> str:
    return name.removesuffix("-int8").removesuffix("_int8")


def _runs(result: Result) -> dict[str, dict[str, Any]]:
    return {run["arithmetic"]: run for run in (result.benchmark or {"runs": []})["runs"]}


def _cell(run: dict[str, Any] | None) -> str:
    if run is None:
        return "-"
    floor = "" if run["floor_ms"] is None else f" ({run['floor_ms']:.1f})"
    return f"{run['throughput_fps']:.1f}, {run['latency_ms']:.1f}{floor}"


def _targets(results: Sequence[Result]) -> list[str]:
    lines = []
    for result in results:
        target = result.benchmark["target"] if result.benchmark else None
        if target is None:
            continue
        if target["measure"] == "throughput_fps":
            wanted, figure = f"{target['at_least']:g} FPS or more", "{:.1f} FPS"
        else:
            wanted, figure = f"under {target['below']:g} ms", "{:.1f} ms"
        verdicts = [
            f"{name} {'met' if target['met'][name] else 'NOT met'} ({figure.format(run[target['measure']])})"
            for name, run in _runs(result).items()
        ]
        lines.append(f"{result.name} {result.format}: target {wanted}: {', '.join(verdicts)}")
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
