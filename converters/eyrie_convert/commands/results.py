"""The table at the end of a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eyrie_convert import package

# Of quantise.accuracy_cost, what a person asks first.
COSTS = ("recall", "precision", "mean_iou", "top1_agreement", "mean_cosine")


@dataclass(frozen=True)
class Result:
    """One package that was to be made: where it is, or why it is not."""

    package: str
    precision: str
    directory: Path | None = None
    reason: str | None = None


def size_of(directory: Path) -> int:
    """Return the bytes of all files of a package."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def table(results: list[Result]) -> str:
    """Return a table: package, size, precision, greatest error against the original, passed or failed."""
    rows = [("package", "size", "precision", "max error", "result")]
    for each in results:
        if each.directory is None:
            rows.append((each.package, "-", each.precision, "-", f"failed: {each.reason}"))
            continue
        validation = package.read_json(each.directory / package.METADATA)["validation"]
        error = worst(validation)
        rows.append((str(each.directory), f"{size_of(each.directory) / 1e6:.1f} MB", each.precision, error, "passed"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]).rstrip()
        for row in rows
    )


def worst(validation: dict) -> str:
    """Return the errors of values in short: ``0.0021 px, 7.9e-06``; of an INT8 package, what it cost."""
    cost = validation.get("cost", {})
    shown = [f"{what.replace('_', ' ')} {cost[what]:.3f}" for what in COSTS if isinstance(cost.get(what), float)]
    for what, error in validation.get("errors", {}).items():
        if what.startswith("max") and what != "max_anchor_score":
            shown.append(f"{error:.2g} px" if what.endswith("_px") else f"{error:.2g}")
    return ", ".join(shown) or "-"
