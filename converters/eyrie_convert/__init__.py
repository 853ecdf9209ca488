"""Converts models into Eyrie model packages: a directory with the model and its metadata."""

import sys

__version__ = "0.2.0"

# OpenVINO and NNCF report their use to their makers if this is installed, which NNCF asks for. Nothing is reported
# from here: whoever imports it is told that it is not there, and goes on without.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
