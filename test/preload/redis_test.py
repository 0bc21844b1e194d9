"""redis-server with I/O threads under redis-benchmark, a snapshot by a child, and a restart.

Debian's server is linked to libjemalloc.so, whose malloc() has no prefix, so the preloaded one
takes precedence. The server still reports the allocator that it was built with. The proof is
jemalloc's own count of allocated bytes (mallctl, shown by INFO), which stays near zero while the
server uses many megabytes.
"""

import harness

VALUES = 40_000


def dataset():
    """Returns commands in the protocol's inline form."""
    for i in range(VALUES):
        yield f"SET string:{i} {'v' * (i % 200)}{i}"
        yield f"RPUSH list:{i % 50} {i * 7919}"
        yield f"HSET hash:{i % 500} field{i} {i * i}"
        yield f"ZADD sorted:{i % 20} {i * 31 % 9973} member{i}"
    for i in range(0, VALUES, 3):
        yield f"DEL string:{i}"


class Redis:
    def __init__(self, h, preload=True):
        self.h, self.port = h, harness.free_port()
        self.cli = harness.program("redis-cli")
        self.server = h.start(
            [
                harness.program("redis-server"),
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--io-threads",
                "2",
                "--io-threads-do-reads",
                "yes",
                "--enable-debug-command",
                "yes",
                "--dir",
                h.directory,
                "--lazyfree-lazy-user-del",
                "yes",
                "--activerehashing",
                "yes",
            ],
            preload=preload,
            log=f"redis{self.port}.log",
        )
        self.server.wait_for_port(self.port)
        harness.wait_until(
            lambda: "Ready to accept" in self.server.log(), 30, "redis-server's start"
        )

    def ask(self, *words, stdin=""):
        return self.h.run(
            [self.cli, "-p", str(self.port), *words], preload=False, stdin=stdin
        ).stdout.strip()

    def memory(self):
        lines = (line.partition(":") for line in self.ask("INFO", "memory").splitlines())
        return {name: value.strip() for name, _, value in lines}

    def stop(self):
        return self.server.stop()


def check_allocator(redis):
    memory = redis.memory()
    used, jemalloc = int(memory["used_memory"]), int(memory["allocator_allocated"])
    print(
        f"used_memory {used}, built with {memory['mem_allocator']}, allocator_allocated {jemalloc}"
    )
    harness.check(used > 10_000_000, f"only {used} bytes used")
    if memory["mem_allocator"].startswith("jemalloc"):
        harness.check(jemalloc < used // 10, f"jemalloc itself served {jemalloc} of {used} bytes")
    redis.h.check_served_live(redis.server.pid)


def benchmark(h, redis):
    bench = [
        harness.program("redis-benchmark"),
        "-p",
        str(redis.port),
        "--csv",
        "-c",
        "30",
        "-P",
        "8",
        "--threads",
        "2",
        "-r",
        "5000",
        "-d",
        "300",
        "-n",
        "10000",
        "-t",
        "set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset",
    ]
    result = h.run(bench, seconds=100)
    rates = [line for line in result.stdout.splitlines() if line and "rps" not in line]
    harness.check(len(rates) >= 10, f"redis-benchmark printed\n{result.stdout}\n{result.stderr}")
    harness.check("rror" not in result.stderr, result.stderr)
    h.check_served(result.stats, allocations=100)


def test(h):
    for name in ("redis-server", "redis-cli", "redis-benchmark"):
        harness.program(name)
    redis = Redis(h)
    loaded = redis.ask("--pipe", stdin="\r\n".join(dataset()) + "\r\n")
    harness.check("errors: 0" in loaded, loaded)
    check_allocator(redis)
    script = (
        "local t = {} for i = 1, 20000 do t[i] = tostring(i * 7) end return #table.concat(t, ',')"
    )
    length = len(",".join(str(i * 7) for i in range(1, 20001)))
    harness.check(redis.ask("EVAL", script, "0") == str(length), "another result of a Lua script")
    benchmark(h, redis)
    check_allocator(redis)
    redis.ask("MEMORY", "PURGE")
    digest = redis.ask("DEBUG", "DIGEST")
    harness.check(len(digest) == 40 and digest.strip("0"), f"digest {digest}")
    redis.ask("BGSAVE")
    harness.wait_until(
        lambda: "rdb_bgsave_in_progress:0" in redis.ask("INFO", "persistence"), 60, "the snapshot"
    )
    harness.check(
        "rdb_last_bgsave_status:ok" in redis.ask("INFO", "persistence"), "the snapshot failed"
    )
    h.check_served(redis.stop(), allocations=500_000)
    for preload in (True, False):
        redis = Redis(h, preload)
        harness.check(
            redis.ask("DEBUG", "DIGEST") == digest,
            f"other data after a restart, library: {preload}",
        )
        redis.stop()


harness.run_test(test)
