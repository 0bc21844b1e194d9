"""squid deletes chunks with a wrong size. It must still start, serve, and stop cleanly."""

import contextlib
import glob
import http.server
import os
import re
import socket
import threading

import harness

CONFIGURATION = """
http_port 127.0.0.1:{port}
pid_filename {root}/squid.pid
access_log none
cache_log {root}/cache.log
cache_store_log none
coredump_dir {root}
cache_mem 8 MB
shutdown_lifetime 1 seconds
visible_hostname localhost
pinger_enable off
netdb_filename none
max_filedescriptors 256
http_access allow localhost
"""

PAGES = {f"/page{n}": (f"page {n}: " + "x" * (n * n * 37 % 50000)).encode() for n in range(60)}
WRONG_SIZE = re.compile(r"^ft_malloc: operator delete(\[\])?\(\): wrong size .*\n", re.MULTILINE)


class Origin(http.server.BaseHTTPRequestHandler):
    """Runs the server behind the proxy."""

    def do_GET(self):
        body = PAGES[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def get(port, url):
    with contextlib.closing(
        socket.create_connection(("127.0.0.1", port), timeout=20)
    ) as connection:
        connection.sendall(f"GET {url} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    harness.check(b" 200 " in head.splitlines()[0], f"{url}: {head.decode(errors='replace')}")
    return body


class Squid(harness.Harness):
    """Accepts one report of a wrong size from each of the two processes.

    By default the library reports the first wrong size in a process, and continues.
    """

    def check_no_complaint(self, text):
        told = WRONG_SIZE.findall(text)
        harness.check(len(told) <= 2, f"told {len(told)} times, in two processes")
        super().check_no_complaint(WRONG_SIZE.sub("", text))


def remove_segments(name):
    """Removes what squid leaves in shared memory if it does not end in an orderly way."""
    for path in glob.glob(f"/dev/shm/{name}-*"):
        os.unlink(path)


def test(h):
    squid, port = harness.program("squid"), harness.free_port()
    h = Squid(h.library, h.directory)
    # If root starts squid, it continues as another user, who must be able to write its files.
    os.chmod(h.directory, 0o777)
    name = f"ft{os.getpid()}"
    configuration = h.write("squid.conf", CONFIGURATION.format(root=h.directory, port=port))
    h.run([squid, "-k", "parse", "-f", configuration])
    with contextlib.ExitStack() as stack, http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), Origin
    ) as origin:
        stack.callback(remove_segments, name)
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        # The names of segments of shared memory are visible on the whole machine.
        server = h.start([squid, "-N", "-n", name, "-f", configuration])
        server.wait_for_port(port)
        h.check_served_live(server.pid)
        for _ in range(3):
            for path, body in PAGES.items():
                url = f"http://127.0.0.1:{origin.server_address[1]}{path}"
                harness.check(get(port, url) == body, f"{path} has another content")
        stats = server.stop()
        origin.shutdown()
    h.check_served(stats, allocations=2000)


harness.run_test(test)
