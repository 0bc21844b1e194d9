"""nginx with two workers under wrk: files, gzip, a listing, a proxy to itself, and a reload."""

import gzip
import hashlib
import http.client
import os
import signal

import harness

CONFIGURATION = """
daemon off;
{user}
worker_processes 2;
pid {root}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    types {{ text/html html; text/plain txt; }}
    access_log off;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    gzip_types text/plain; gzip_min_length 100; gzip_proxied any;
    server {{
        listen 127.0.0.1:{port};
        root {root}/files;
        location / {{ autoindex on; }}
        location /zip/ {{ alias {root}/files/; gzip on; }}
        location /proxy/ {{ proxy_pass http://127.0.0.1:{port}/; proxy_buffers 16 8k; }}
    }}
}}
"""


def text_file(number):
    return "".join(
        hashlib.sha256(f"{number}/{i}".encode()).hexdigest() + "\n" for i in range(4**number)
    )


def get(port, path, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers or {})
    response = connection.getresponse()
    body = response.read()
    harness.check(response.status == 200, f"{path}: status {response.status}")
    connection.close()
    return gzip.decompress(body) if response.headers.get("Content-Encoding") == "gzip" else body


def check_files(port, files):
    for name, text in files.items():
        for prefix in ("/", "/zip/", "/proxy/", "/proxy/zip/"):
            body = get(port, prefix + name, {"Accept-Encoding": "gzip"})
            harness.check(body == text.encode(), f"{prefix}{name} has another content")
    harness.check(
        get(port, "/").count(b"<a href=") == len(files) + 1, "the directory listing is not complete"
    )


def load(h, wrk, port, path):
    result = h.run(
        [
            wrk,
            "-t2",
            "-c30",
            "-d2s",
            "-H",
            "Accept-Encoding: gzip",
            f"http://127.0.0.1:{port}{path}",
        ]
    )
    harness.check(
        "Non-2xx" not in result.stdout and "Socket errors" not in result.stdout, result.stdout
    )
    requests = int(result.stdout.partition(" requests in ")[0].split()[-1])
    harness.check(requests > 100, f"only {requests} requests:\n{result.stdout}")
    print(f"{path}: {requests} requests")
    h.check_served(result.stats, allocations=20)


def workers(master):
    """Returns the two running workers, once the workers from before a reload are gone."""

    def running():
        titles = {
            pid: harness.read_process_file(pid, "cmdline") for pid in harness.descendants(master)
        }
        found = [pid for pid, title in titles.items() if "worker process" in title]
        return (
            found
            if len(found) == 2 and not any("shutting down" in titles[pid] for pid in found)
            else None
        )

    return harness.wait_until(running, 20, "two workers")


def test(h):
    nginx, wrk, port = harness.program("nginx"), harness.program("wrk"), harness.free_port()
    files = {f"file{n}.txt": text_file(n) for n in range(7)}
    os.mkdir(h.path("files"))
    for name, text in files.items():
        h.write(f"files/{name}", text)
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = h.write(
        "nginx.conf", CONFIGURATION.format(root=h.directory, port=port, user=user)
    )
    server = h.start([nginx, "-p", h.directory, "-e", "stderr", "-c", configuration])
    server.wait_for_port(port)
    check_files(port, files)
    first = workers(server.pid)
    for pid in [server.pid, *first]:
        h.check_served_live(pid)
    load(h, wrk, port, "/file2.txt")
    load(h, wrk, port, "/zip/file4.txt")
    server.process.send_signal(signal.SIGHUP)
    harness.wait_until(
        lambda: not set(first) & set(harness.descendants(server.pid)), 30, "the first workers' end"
    )
    workers(server.pid)
    load(h, wrk, port, "/proxy/zip/file3.txt")
    check_files(port, files)
    stats = server.stop(stop_signal=signal.SIGQUIT)
    # These are the master, the first two workers, and the two that replaced them.
    h.check_served(stats, processes=5, allocations=2000)


harness.run_test(test)
