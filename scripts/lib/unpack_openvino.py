"""Lays the OpenVINO C runtime out from its wheel.

usage: unpack_openvino.py WHEEL STAGING PREFIX VERSION

Writes to STAGING the tree that will be renamed to PREFIX: include/openvino/c, lib with the unversioned
links that the linker wants, lib/pkgconfig/openvino.pc, the licences, and MANIFEST ("path size", by which
a damaged tree is found later). Left out, 65 of 157 MB: the GPU and NPU plugins (whoever wants those
devices installs Intel's own packages, which pkg-config finds) and the front ends of other formats than
OpenVINO's and ONNX.
"""

import re
import shutil
import sys
import zipfile
from pathlib import Path

LEFT_OUT = re.compile(
    r"intel_gpu|intel_npu|(gguf|jax|paddle|pytorch|tensorflow|tensorflow_lite)_frontend|tbbmalloc_proxy"
)
PKG_CONFIG = """\
prefix={prefix}
libdir=${{prefix}}/lib
includedir=${{prefix}}/include

Name: openvino
Description: OpenVINO runtime (C API)
Version: {version}
Cflags: -I${{includedir}}
Libs: -L${{libdir}} -lopenvino_c -lopenvino
"""


def destination(member: str) -> Path | None:
    """Where a member of the wheel belongs under the prefix, or None if it is not needed."""
    parts = Path(member).parts
    if ".." in parts or member.endswith("/"):
        return None
    if parts[:3] == ("openvino", "include", "openvino") and parts[3:4] == ("c",):
        return Path("include", *parts[2:])
    if parts[:2] == ("openvino", "libs") and ".so" in parts[-1] and not LEFT_OUT.search(parts[-1]):
        return Path("lib", parts[-1])
    if parts[0].endswith(".dist-info") and parts[1:2] == ("licenses",):
        return Path("share/doc/openvino", parts[-1])
    return None


def main(wheel: str, staging: Path, prefix: str, version: str) -> None:
    """Write the tree."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            target = destination(member)
            if target is None:
                continue
            path = staging / target
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, path.open("wb") as out:
                shutil.copyfileobj(source, out)
    libraries = staging / "lib"
    for name in ("libopenvino", "libopenvino_c"):
        (versioned,) = libraries.glob(f"{name}.so.*")
        (libraries / f"{name}.so").symlink_to(versioned.name)
    (libraries / "pkgconfig").mkdir()
    (libraries / "pkgconfig" / "openvino.pc").write_text(PKG_CONFIG.format(prefix=prefix, version=version))
    files = sorted(path for path in staging.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(staging)} {path.stat().st_size}\n" for path in files]
    (staging / "MANIFEST").write_text("".join(lines))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])
