"""The machine that measurements are from."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def cores() -> int:
    """Return how many logical cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def load_average() -> float | None:
    """Return how many processes wanted a core during the last minute, where the system tells."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def describe(core: Any) -> dict[str, Any]:
    """Return what the metadata says of the machine; ``core`` is an ``openvino.Core``. Call it before measuring."""
    import openvino as ov

    name = str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip()
    return {
        "cpu": name or _model_name() or platform.processor() or platform.machine(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": load_average(),
        "openvino": ov.__version__.split("-")[0],
    }


def _model_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def has_bfloat16(core: Any) -> bool:
    """Tell whether the CPU computes in bfloat16, by OpenVINO's judgement."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
