"""Core ML's own non-maximum suppression behind a detector, in one package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eyrie_convert.coreml.convert import describe
from eyrie_convert.coreml.tools import load_coremltools
from eyrie_convert.errors import ConversionError

if TYPE_CHECKING:
    from coremltools.models import MLModel

# What the detector in the pipeline answers, and what the pipeline answers.
RAW_OUTPUTS = ("raw_confidence", "raw_coordinates")
CONFIDENCE, COORDINATES = "confidence", "coordinates"
IOU_INPUT, CONFIDENCE_INPUT = "iouThreshold", "confidenceThreshold"


def add_nms(
    model: MLModel,
    labels: Sequence[str],
    iou: float = 0.45,
    confidence: float = 0.25,
    *,
    class_agnostic: bool = False,
    max_detections: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> MLModel:
    """Return a pipeline of a detector and a suppression model.

    ``model`` answers :data:`RAW_OUTPUTS`: confidences ``[N, C]`` and coordinates ``[N, 4]`` (centre x, centre y,
    width, height as fractions of the image), in float32: Core ML's suppression model takes no float16, so
    convert with ``float32_outputs``. The pipeline takes the image and, if wanted, ``iouThreshold`` and
    ``confidenceThreshold`` in place of the defaults given here, and answers ``confidence`` ``[n, C]`` and
    ``coordinates`` ``[n, 4]`` of the boxes that are left, the most confident first. These names, and the labels in
    the suppression model, make Vision answer ``VNRecognizedObjectObservation``.

    Raises ConversionError for thresholds outside of 0…1, or a detector of another kind.
    """
    ct = load_coremltools()
    for name, value in (("IoU", iou), ("confidence", confidence)):
        if not 0 <= value <= 1:
            raise ConversionError(f"Core ML: the {name} threshold is between 0 and 1, not {value}")
    if max_detections is not None and max_detections < 1:
        raise ConversionError(f"Core ML: the greatest number of detections is at least 1, not {max_detections}")
    detector = model.get_spec()
    classes = _check_detector(detector, labels)
    suppression = _suppression_model(detector, labels, iou, confidence, class_agnostic)
    for output, columns in zip(suppression.description.output, (classes, 4), strict=True):
        array = output.type.multiArrayType
        array.ClearField("shape")
        for least, most in ((0, max_detections or -1), (columns, columns)):
            array.shapeRange.sizeRanges.add(lowerBound=least, upperBound=most)

    pipeline = ct.proto.Model_pb2.Model(specificationVersion=detector.specificationVersion)
    pipeline.description.metadata.CopyFrom(detector.description.metadata)
    pipeline.description.input.add().CopyFrom(detector.description.input[0])
    for name, default in ((IOU_INPUT, iou), (CONFIDENCE_INPUT, confidence)):
        threshold = pipeline.description.input.add(name=name)
        threshold.type.doubleType.SetInParent()
        threshold.type.isOptional = True
        threshold.shortDescription = f"In place of the default, {default}"
    pipeline.description.output.extend(suppression.description.output)
    pipeline.pipeline.models.extend([detector, suppression])
    pipeline.pipeline.names.extend(["detector", "suppression"])
    result = ct.models.MLModel(
        pipeline, weights_dir=model.weights_dir, skip_model_load=True, compute_units=model.compute_unit
    )
    describe(result, metadata or {})
    return result


def _check_detector(detector: Any, labels: Sequence[str]) -> int:
    outputs = {output.name: output.type.multiArrayType for output in detector.description.output}
    if detector.WhichOneof("Type") != "mlProgram" or set(outputs) != set(RAW_OUTPUTS):
        raise ConversionError(
            f"Core ML: suppression needs an ML program that answers {' and '.join(RAW_OUTPUTS)}, "
            f"not {', '.join(outputs)}"
        )
    float32 = load_coremltools().proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32
    confidence, coordinates = (outputs[name] for name in RAW_OUTPUTS)
    if confidence.dataType != float32 or coordinates.dataType != float32:
        raise ConversionError(
            "Core ML: the suppression model takes float32, and targets from iOS 16 on answer float16: convert the "
            "detector with float32_outputs"
        )
    if len(confidence.shape) != 2 or list(coordinates.shape) != [confidence.shape[0], 4]:
        raise ConversionError(
            f"Core ML: suppression needs confidences [N, C] and coordinates [N, 4], not {list(confidence.shape)} and "
            f"{list(coordinates.shape)}"
        )
    if len(labels) != confidence.shape[1]:
        raise ConversionError(f"Core ML: {len(labels)} labels were given for {confidence.shape[1]} classes")
    return confidence.shape[1]


def _suppression_model(
    detector: Any, labels: Sequence[str], iou: float, confidence: float, class_agnostic: bool
) -> Any:
    model = load_coremltools().proto.Model_pb2.Model(specificationVersion=detector.specificationVersion)
    by_name = {output.name: output for output in detector.description.output}
    names = (CONFIDENCE, COORDINATES)
    about = (
        "Of each box left, the confidence of each class",
        "Of each box left, centre x, centre y, width, height (0…1)",
    )
    for raw, name, text in zip(RAW_OUTPUTS, names, about, strict=True):
        model.description.input.add().CopyFrom(by_name[raw])
        model.description.output.add().CopyFrom(by_name[raw])
        model.description.output[-1].name = name
        model.description.output[-1].shortDescription = text
    for name in (IOU_INPUT, CONFIDENCE_INPUT):
        threshold = model.description.input.add(name=name)
        threshold.type.doubleType.SetInParent()
        threshold.type.isOptional = True
    settings = model.nonMaximumSuppression
    settings.confidenceInputFeatureName, settings.coordinatesInputFeatureName = RAW_OUTPUTS
    settings.confidenceOutputFeatureName, settings.coordinatesOutputFeatureName = names
    settings.iouThresholdInputFeatureName = IOU_INPUT
    settings.confidenceThresholdInputFeatureName = CONFIDENCE_INPUT
    settings.iouThreshold, settings.confidenceThreshold = iou, confidence
    settings.pickTop.perClass = not class_agnostic
    settings.stringClassLabels.vector.extend(labels)
    return model
