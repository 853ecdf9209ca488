#!/usr/bin/python3
"""A camera for the compose file: serves a clip with H.264 over RTSP, again and again, as one endless live stream.

    camera.py CLIP [--port PORT] [--path PATH]    serve, until SIGTERM or SIGINT
    camera.py --check [--port PORT]               exit 0 if a server answers at the port, else 1

The system's Python runs it. Nobody needs a password: it shows a public clip.
"""

import argparse
import signal
import socket
import sys
from typing import NamedTuple

# Beyond this, a server that accepts and says nothing counts as dead.
CHECK_TIMEOUT_S = 3


class AccessUnit(NamedTuple):
    """One coded picture, with its times in nanoseconds."""

    data: bytes
    pts: int
    dts: int
    duration: int


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", help="an MP4 file with H.264")
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--path", default="/live")
    parser.add_argument("--check", action="store_true", help="ask a running server whether it answers")
    options = parser.parse_args()
    if (options.clip is None) != options.check:
        parser.error("name a clip to serve, or --check")
    return options


def check(port: int) -> int:
    """Ask the server of this machine for its methods, as any client does first."""
    try:
        with socket.create_connection(("127.0.0.1", port), CHECK_TIMEOUT_S) as connection:
            connection.sendall(f"OPTIONS rtsp://127.0.0.1:{port}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            answer = connection.recv(64)
    except OSError as error:
        print(f"camera: port {port}: {error}", file=sys.stderr)
        return 1
    if not answer.startswith(b"RTSP/1.0 200 "):
        print(f"camera: port {port}: answered {answer[:20]!r}", file=sys.stderr)
        return 1
    return 0


def serve(clip: str, port: int, path: str) -> int:
    """Serve until a signal."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstApp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstApp, GstRtspServer  # noqa: F401 (GstApp gives appsink and appsrc methods)

    Gst.init(None)

    def read_clip() -> tuple[Gst.Caps, list[AccessUnit]]:
        """Return the format, and the access units in coding order."""
        pipeline = Gst.parse_launch("filesrc name=file ! qtdemux ! video/x-h264 ! appsink name=units sync=false")
        pipeline.get_by_name("file").set_property("location", clip)
        pipeline.set_state(Gst.State.PLAYING)
        sink = pipeline.get_by_name("units")
        caps, units = None, []
        while (sample := sink.pull_sample()) is not None:
            caps, buffer = sample.get_caps(), sample.get_buffer()
            data = buffer.extract_dup(0, buffer.get_size())
            units.append(AccessUnit(data, buffer.pts, buffer.dts, buffer.duration))
        pipeline.set_state(Gst.State.NULL)
        return caps, units

    caps, units = read_clip()
    if not units:
        print(f"camera: {clip}: no H.264 in an MP4 file", file=sys.stderr)
        return 1

    duration = sum(unit.duration for unit in units)

    def configure(_factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia) -> None:
        """Feed a stream that begins, from the start of the clip."""
        position = 0

        def feed(source: Gst.Element, _wanted: int) -> None:
            nonlocal position
            rounds, index = divmod(position, len(units))
            position += 1
            unit = units[index]
            buffer = Gst.Buffer.new_wrapped(unit.data)
            buffer.pts = unit.pts + rounds * duration
            buffer.dts = unit.dts + rounds * duration
            buffer.duration = unit.duration
            source.push_buffer(buffer)

        source = media.get_element().get_by_name("units")
        source.set_property("caps", caps)
        source.connect("need-data", feed)

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch("( appsrc name=units format=time ! rtph264pay name=pay0 pt=96 config-interval=1 )")
    # Everyone sees the same, as of a camera.
    factory.set_shared(True)
    factory.connect("media-configure", configure)
    server = GstRtspServer.RTSPServer()
    server.set_address("0.0.0.0")
    server.set_service(str(port))
    server.get_mount_points().add_factory(path, factory)
    if server.attach(None) == 0:
        print(f"camera: cannot listen on port {port}", file=sys.stderr)
        return 1
    loop = GLib.MainLoop()
    for number in (signal.SIGINT, signal.SIGTERM):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    print(f"camera: rtsp://0.0.0.0:{port}{path} shows {clip}", flush=True)
    loop.run()
    return 0


if __name__ == "__main__":
    options = arguments()
    sys.exit(check(options.port) if options.check else serve(options.clip, options.port, options.path))
