"""How fast packages run on this machine, beside the floor that its arithmetic sets."""

from eyrie_convert.bench.measure import Result, benchmark, benchmark_packages
from eyrie_convert.bench.operations import count_operations
from eyrie_convert.bench.peak import PeakMeter
from eyrie_convert.bench.table import table
from eyrie_convert.bench.vit_sizes import VIT_SIZES, measure_vit_sizes, vit_table

__all__ = [
    "VIT_SIZES",
    "PeakMeter",
    "Result",
    "benchmark",
    "benchmark_packages",
    "count_operations",
    "measure_vit_sizes",
    "table",
    "vit_table",
]
