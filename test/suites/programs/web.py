"""nginx and apache under wrk and ab: plain and compressed files, a proxy, and reloads meanwhile."""

import hashlib
import os
import signal
import urllib.request

import harness
from compare import Check

CONNECTIONS, LOAD_S = 40, 3

NGINX = """
daemon off;
{user}
worker_processes 2;
pid {root}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    types {{ text/plain txt; }}
    access_log off;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    gzip on; gzip_types text/plain; gzip_min_length 100; gzip_proxied any;
    server {{
        listen 127.0.0.1:{port};
        root {root}/files;
        location /proxy/ {{ proxy_pass http://127.0.0.1:{port}/; proxy_buffers 16 8k; }}
    }}
}}
"""

APACHE = """
ServerRoot {root}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {root}/apache.pid
ErrorLog {root}/apache-errors.log
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule deflate_module {modules}/mod_deflate.so
LoadModule filter_module {modules}/mod_filter.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
TypesConfig /etc/mime.types
StartServers 4
ServerLimit 16
MinSpareThreads 100
MaxSpareThreads 200
ThreadsPerChild 25
MaxRequestWorkers 400
MaxConnectionsPerChild 2000
DocumentRoot {root}/files
AddOutputFilterByType DEFLATE text/plain
MaxKeepAliveRequests 0
ProxyPass /proxy/ http://127.0.0.1:{port}/ disablereuse=On
"""


def make_files(side):
    os.mkdir(side.path("files"))
    texts = {}
    for number in range(7):
        lines = (hashlib.sha256(f"{number}/{i}".encode()).hexdigest() for i in range(4**number))
        texts[f"file{number}.txt"] = "\n".join(lines)
        side.write(f"files/file{number}.txt", texts[f"file{number}.txt"])
    return texts


def check_files(port, texts):
    for name, text in texts.items():
        for prefix in ("", "proxy/"):
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/{prefix}{name}", timeout=20
            ) as answer:
                harness.check(answer.read() == text.encode(), f"{prefix}{name} has another content")


def wrk(side, port, path):
    command = [harness.program("wrk"), "-t2", f"-c{CONNECTIONS}", f"-d{LOAD_S}s"]
    command += ["-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{port}/{path}"]
    result = side.run(command)
    # Servers close connections after a number of requests and at a reload. wrk counts these as
    # socket errors.
    harness.check("Non-2xx" not in result.stdout, result.stdout)
    requests = int(result.stdout.partition(" requests in ")[0].split()[-1])
    harness.check(requests > 100, result.stdout)
    return requests


def ab(side, port, path, requests):
    command = [harness.program("ab"), "-q", "-l", "-n", str(requests), "-c", str(CONNECTIONS)]
    command += ["-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{port}/{path}"]
    result = side.run(command)
    complete = f"Complete requests:      {requests}" in result.stdout
    failed = "Failed requests:        0" not in result.stdout or "Non-2xx" in result.stdout
    harness.check(complete and not failed, result.stdout)


def load_and_reload(side, server, port, texts, reload_signal):
    check_files(port, texts)
    requests = wrk(side, port, "file2.txt")
    server.process.send_signal(reload_signal)
    requests += wrk(side, port, "file5.txt") + wrk(side, port, "proxy/file4.txt")
    ab(side, port, "file3.txt", 3000)
    check_files(port, texts)
    side.note = f"{requests + 3000} requests"


def nginx(side):
    program, port = harness.program("nginx"), harness.free_port()
    harness.program("wrk"), harness.program("ab")
    texts = make_files(side)
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = side.write(
        "nginx.conf", NGINX.format(root=side.directory, port=port, user=user)
    )
    server = side.start([program, "-p", side.directory, "-e", "stderr", "-c", configuration])
    server.wait_for_port(port)
    load_and_reload(side, server, port, texts, signal.SIGHUP)
    server.stop(stop_signal=signal.SIGQUIT)


def apache(side):
    program, port, modules = (
        harness.program("apache2"),
        harness.free_port(),
        "/usr/lib/apache2/modules",
    )
    harness.program("wrk"), harness.program("ab")
    texts = make_files(side)
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    text = APACHE.format(root=side.directory, port=port, modules=modules, user=user)
    configuration = side.write("apache.conf", text)
    server = side.start([program, "-f", configuration, "-DFOREGROUND"])
    server.wait_for_port(port)
    load_and_reload(side, server, port, texts, signal.SIGUSR1)
    server.stop(stop_signal=signal.SIGTERM)
    with open(side.path("apache-errors.log"), encoding="utf-8", errors="replace") as file:
        log = file.read()
    side.check_no_complaint(log)
    harness.check("exit signal" not in log, log[-3000:])


def checks():
    return [
        Check("nginx", "wrk, ab, gzip, proxy, reload under load", nginx, ["nginx", "wrk", "ab"]),
        Check("apache", "event MPM: wrk, ab, gzip, proxy, reload", apache, ["apache2"]),
    ]
