"""redis under all tests of its own benchmark; memcached under tests of its client library."""

import functools

import harness
from compare import Check

REDIS_TESTS = 20  # the lines that redis-benchmark prints without -t


def start_redis(side):
    port = harness.free_port()
    command = [
        harness.program("redis-server"),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
    ]
    command += ["--io-threads", "2", "--io-threads-do-reads", "yes", "--dir", side.directory]
    server = side.start(command, log="redis.log")
    server.wait_for_port(port)
    harness.wait_until(lambda: "Ready to accept" in server.log(), 30, "redis-server's start")
    return server, port


def redis(requests, options, side):
    program, cli = harness.program("redis-benchmark"), harness.program("redis-cli")
    server, port = start_redis(side)
    command = [
        program,
        "-p",
        str(port),
        "--csv",
        "-n",
        str(requests),
        "-c",
        "50",
        "-r",
        "10000",
        "-d",
        "200",
    ]
    result = side.run([*command, *options], seconds=240)
    lines = [
        line for line in result.stdout.splitlines() if line.startswith('"') and '"rps"' not in line
    ]
    harness.check(
        len(lines) >= REDIS_TESTS - 1, f"only {len(lines)} tests:\n{result.stdout}{result.stderr}"
    )
    harness.check("rror" not in result.stderr, result.stderr)
    stats = side.run([cli, "-p", str(port), "INFO", "errorstats"], preload=False).stdout
    harness.check("errorstat_" not in stats, f"the server counted errors: {stats}")
    server.stop()
    side.note = f"{len(lines)} tests"


def start_memcached(side):
    port = harness.free_port()
    command = [
        harness.program("memcached"),
        "-l",
        "127.0.0.1",
        "-p",
        str(port),
        "-U",
        "0",
        "-t",
        "4",
    ]
    server = side.start([*command, "-u", "root", "-m", "64"], log="memcached.log")
    server.wait_for_port(port)
    return server, port


def memcached_protocol(side):
    program = harness.program("memccapable")
    server, port = start_memcached(side)
    # The client library may know more of the protocol than the server does, so some tests fail. The
    # two sides must agree on them.
    result = side.run([program, "-h", "127.0.0.1", "-p", str(port)], expected=range(256))
    passed = [line for line in result.stdout.splitlines() if line.endswith("[pass]")]
    harness.check(passed, f"no test passed:\n{result.stdout}\n{result.stderr}")
    server.stop()
    side.note = f"{len(passed)} tests"
    return result.stdout.splitlines()


def memcached_load(side):
    program = harness.program("memcaslap")
    server, port = start_memcached(side)
    command = [
        program,
        "-s",
        f"127.0.0.1:{port}",
        "-T",
        "2",
        "-c",
        "16",
        "-x",
        "60000",
        "-v",
        "0.5",
        "-B",
    ]
    result = side.run(command, seconds=100)
    harness.check("cmd_get: " in result.stdout, f"no figures:\n{result.stdout}\n{result.stderr}")
    misses = [line for line in result.stdout.splitlines() if line.startswith("verify_failed:")]
    harness.check(not misses or misses[0].split()[1] == "0", f"wrong values:\n{result.stdout}")
    server.stop()


def checks():
    redis_served, memcached_served = ["redis-server", "redis-benchmark"], ["memcached"]
    return [
        Check(
            "redis",
            "redis-benchmark, all tests",
            functools.partial(redis, 4000, []),
            redis_served,
            300,
        ),
        Check(
            "redis",
            "redis-benchmark -P 16 --threads 2",
            functools.partial(redis, 20000, ["-P", "16", "--threads", "2"]),
            redis_served,
            300,
        ),
        Check("memcached", "memccapable (protocol tests)", memcached_protocol, memcached_served),
        Check("memcached", "memcaslap -c 16, values verified", memcached_load, memcached_served),
    ]
