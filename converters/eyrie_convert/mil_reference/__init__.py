"""Runs a Core ML package on any machine: a reference interpreter for what is in the very file that ships.

Core ML itself runs on Apple's systems only. This module reads an ``.mlpackage`` back and executes the ML program in
it operation by operation over PyTorch, so that a conversion can be checked against the original where it was
made. It proves the program, its weights and its description; it does not prove Apple's runtime, which is free to
compute in another order and, on the Neural Engine, with other roundings.
"""

from eyrie_convert.mil_reference.reference import MILReference

__all__ = ["MILReference"]
