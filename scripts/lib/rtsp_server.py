#!/usr/bin/python3
"""An RTSP server for the tests: GStreamer's, serving one H.264 clip at /live in real time.

It listens on 127.0.0.1, prints "port N" when it does, and ends when its standard input ends: so it does not
outlive the test that started it. The system's Python runs it, which has the packages that set-up installs.
"""

import argparse
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 (the versions come first)

ROLE = "viewer"
TRANSPORTS = {
    "tcp": GstRtsp.RTSPLowerTrans.TCP,
    "udp": GstRtsp.RTSPLowerTrans.UDP,
    "both": GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP,
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", help="an MP4 file with H.264")
    parser.add_argument("--port", default="0", help="0 for a free one")
    parser.add_argument("--transport", choices=TRANSPORTS, default="both", help="what clients may ask for")
    parser.add_argument("--loss", type=float, default=0, help="the share of packets that never arrive, 0 to 1")
    parser.add_argument("--auth", choices=["none", "basic", "digest"], default="none")
    parser.add_argument("--user", default="user")
    parser.add_argument("--password", default="")
    parser.add_argument("--certificate", help="a PEM file with certificate and key: serves rtsps")
    return parser.parse_args()


def access(options: argparse.Namespace) -> GstRtspServer.RTSPAuth:
    """Make the object that lets in the one user there is, or with a certificate anyone."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    auth = GstRtspServer.RTSPAuth()
    if options.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
    if options.auth == "none":
        auth.set_default_token(token)
    elif options.auth == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(options.user, options.password, token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), token)
    return auth


def media(options: argparse.Namespace) -> GstRtspServer.RTSPMediaFactory:
    """Make the stream; every client gets its own, from the start of the clip."""
    payload = "rtph264pay pt=96 config-interval=1"
    stream = (
        f"{payload} ! identity drop-probability={options.loss} name=pay0" if options.loss else f"{payload} name=pay0"
    )
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f'( filesrc location="{options.clip}" ! qtdemux ! queue ! h264parse ! {stream} )')
    factory.set_protocols(TRANSPORTS[options.transport])
    if options.auth != "none" or options.certificate:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role(ROLE, "media.factory.access", True)
        permissions.add_permission_for_role(ROLE, "media.factory.construct", True)
        factory.set_permissions(permissions)
    return factory


def main() -> int:
    """Serve until standard input ends."""
    options = arguments()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    if options.auth != "none" or options.certificate:
        server.set_auth(access(options))
    server.get_mount_points().add_factory("/live", media(options))
    if server.attach(None) == 0:
        print(f"rtsp_server: cannot listen on 127.0.0.1:{options.port}", file=sys.stderr)
        return 1
    loop = GLib.MainLoop()

    def end_with_input() -> None:
        sys.stdin.buffer.read()
        GLib.idle_add(loop.quit)

    threading.Thread(target=end_with_input, daemon=True).start()
    print(f"port {server.get_bound_port()}", flush=True)
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
