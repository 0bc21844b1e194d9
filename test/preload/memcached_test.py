"""memcached with four worker threads. Clients verify every value, and some items are evicted."""

import hashlib
import random
import socket
import threading

import harness

CLIENTS = 6
ROUNDS = 400
BATCH = 20


def value_of(key, version):
    seed = hashlib.sha256(f"{key}/{version}".encode()).digest()
    return seed * (1 + int.from_bytes(seed[:2], "big") % 400)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.stream = self.socket.makefile("rwb")

    def close(self):
        self.stream.close()
        self.socket.close()

    def store(self, items):
        for key, value in items:
            self.stream.write(b"set %s 0 0 %d\r\n%s\r\n" % (key.encode(), len(value), value))
        self.stream.flush()
        return all(self.stream.readline() == b"STORED\r\n" for _ in items)

    def fetch(self, keys):
        self.stream.write(b"get " + " ".join(keys).encode() + b"\r\n")
        self.stream.flush()
        found = {}
        while (line := self.stream.readline()) != b"END\r\n":
            _, key, _, length = line.split()
            found[key.decode()] = self.stream.read(int(length))
            self.stream.read(2)
        return found

    def stats(self):
        self.stream.write(b"stats\r\n")
        self.stream.flush()
        figures = {}
        while (line := self.stream.readline()) != b"END\r\n":
            _, name, value = line.decode().split(maxsplit=2)
            figures[name] = value.strip()
        return figures


def drive(port, number, problems):
    """Reads back keys of this client only.

    The answer is the latest version, or nothing if the item was evicted.
    """
    try:
        chooser, versions, hits = random.Random(number), {}, 0
        client = Client(port)
        for round_number in range(ROUNDS):
            keys = [f"client{number}-key{chooser.randrange(3000)}" for _ in range(BATCH)]
            versions.update(dict.fromkeys(keys, round_number))
            if not client.store([(key, value_of(key, round_number)) for key in keys]):
                problems.append(f"client {number}: not stored")
            asked = chooser.sample(sorted(versions), min(len(versions), 2 * BATCH))
            found = client.fetch(asked)
            hits += len(found)
            problems += [
                f"wrong value of {key}"
                for key in found
                if found[key] != value_of(key, versions[key])
            ]
            if round_number % 50 == 49:
                client.close()
                client = Client(port)
        client.close()
        if hits < ROUNDS * BATCH // 4:
            problems.append(f"client {number}: only {hits} hits")
    except (OSError, ValueError) as error:
        problems.append(f"client {number}: {error!r}")


def test(h):
    port = harness.free_port()
    options = f"-u root -l 127.0.0.1 -p {port} -U 0 -t 4 -m 64 -c 200 -o hashpower=16"
    server = h.start([harness.program("memcached"), *options.split()])
    server.wait_for_port(port)
    problems = []
    threads = [
        threading.Thread(target=drive, args=(port, number, problems)) for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    harness.check(not problems, f"{len(problems)} problems, such as {problems[:3]}")
    client = Client(port)
    figures = client.stats()
    client.close()
    print(
        {name: figures[name] for name in ("cmd_set", "get_hits", "evictions", "threads", "bytes")}
    )
    harness.check(int(figures["cmd_set"]) == CLIENTS * ROUNDS * BATCH, f"{figures['cmd_set']} sets")
    h.check_served_live(server.pid)
    busiest = h.check_served(server.stop(), allocations=200)
    harness.check(
        busiest["bytes"] > int(figures["bytes"]), "the items are not in the library's memory"
    )


harness.run_test(test)
