"""Serves the page of site/ to the browser tests, and waits for what its script reports.

It also reads screenshots (PNG), to check that the page's colours were really painted.
"""

import contextlib
import functools
import http.server
import os
import struct
import threading
import urllib.parse
import zlib

import harness

SITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
COUNT = 20000
BACKGROUND = (0x20, 0x40, 0x60)
CORNER = (0xFF, 0x80, 0x00)


def checksum(seed):
    numbers = []
    for _ in range(COUNT):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        numbers.append(seed)
    total = 0
    for character in ",".join(map(str, sorted(numbers))):
        total = (total * 31 + ord(character)) & 0xFFFFFFFF
    return total


def expected_report():
    return f"{checksum(1)} {checksum(2)} 3200 4 true"


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/hold":
            super().do_GET()
            return
        with contextlib.suppress(harness.Failed):
            harness.wait_until(lambda: self.server.reports, 40, "the page's report")
        self.answer_empty()

    def do_POST(self):
        self.server.reports.append(urllib.parse.unquote_plus(self.path.partition("?")[2]))
        self.answer_empty()

    def answer_empty(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args):
        pass


@contextlib.contextmanager
def served_page():
    """Yields the page's address, and the list in which its reports arrive."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=SITE)
    )
    server.daemon_threads, server.reports = True, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html", server.reports
    finally:
        server.shutdown()
        server.server_close()


def check_report(reports):
    harness.check(reports, "the page's script reported nothing")
    harness.check(
        reports[0] == expected_report(),
        f"the page reported {reports[0]!r}, expected {expected_report()!r}",
    )


def unfilter(kind, line, above, step):
    for i, byte in enumerate(line):
        left, up, corner = (
            (line[i - step] if i >= step else 0),
            above[i],
            (above[i - step] if i >= step else 0),
        )
        if kind == 1:
            byte += left
        elif kind == 2:
            byte += up
        elif kind == 3:
            byte += (left + up) // 2
        elif kind == 4:
            byte += min(
                (abs(up - corner), 0, left),
                (abs(left - corner), 1, up),
                (abs(left + up - 2 * corner), 2, corner),
            )[2]
        line[i] = byte & 0xFF


def png_pixels(path):
    """Returns width, height, bytes of a pixel, and rows of an 8-bit RGB or RGBA image."""
    with open(path, "rb") as file:
        data = file.read()
    harness.check(data[:8] == b"\x89PNG\r\n\x1a\n", f"{path} is no PNG file")
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8 : at + 18])
        elif kind == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    harness.check(
        depth == 8 and colour in (2, 6),
        f"unexpected kind of PNG: depth {depth}, colour type {colour}",
    )
    step = 3 if colour == 2 else 4
    raw, rows, above = zlib.decompress(packed), [], bytes(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        row = bytearray(raw[start + 1 : start + 1 + width * step])
        unfilter(raw[start], row, above, step)
        rows.append(row)
        above = row
    return width, height, rows, step


def check_screenshot(path):
    harness.check(os.path.exists(path), "no screenshot was written")
    width, height, rows, step = png_pixels(path)
    harness.check(width >= 400 and height >= 300, f"the screenshot has {width} x {height} pixels")
    corner = tuple(rows[height - 10][(width - 10) * step :][:3])
    harness.check(corner == CORNER, f"the corner of the screenshot has the colour {corner}")
    painted = {tuple(row[x : x + 3]) for row in rows[::7] for x in range(0, width * step, step * 5)}
    harness.check(
        BACKGROUND in painted and len(painted) > 20, f"the screenshot shows {len(painted)} colours"
    )
