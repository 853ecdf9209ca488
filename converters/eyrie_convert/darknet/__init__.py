"""Darknet models (``.cfg`` and ``.weights``) as OpenVINO models that answer like YOLOv8."""
