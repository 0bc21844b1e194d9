"""Works with threads, big dicts, text, JSON, big integers and processes; prints only checksums."""

import hashlib
import json
import multiprocessing
import queue
import re
import threading
from decimal import Decimal, getcontext
from fractions import Fraction

THREADS = 4
KEYS = 30000


def fill(seed, out):
    table = {}
    for i in range(KEYS):
        key = f"key-{seed}-{i * 7919 % KEYS}"
        table[key] = [i, str(i) * (i % 11), {"n": i, "square": i * i}]
    for i in range(0, KEYS, 3):
        del table[f"key-{seed}-{i}"]
    out.put((seed, table))


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def dicts_in_threads():
    out = queue.Queue()
    threads = [threading.Thread(target=fill, args=(seed, out)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    tables = dict(out.get() for _ in threads)
    for thread in threads:
        thread.join()
    for seed in sorted(tables):
        print("dict", seed, len(tables[seed]), digest(tables[seed]))
    return tables


def short_threads():
    results = [0] * 200

    def work(index):
        parts = [bytes([index % 256]) * n for n in range(1, 400)]
        results[index] = sum(map(len, parts)) + len(b"".join(parts))

    for start in range(0, len(results), 8):
        threads = [threading.Thread(target=work, args=(i,)) for i in range(start, start + 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print("short threads", sum(results))


def in_child(seed):
    return seed, digest([str(Fraction(seed + 1, k)) for k in range(1, 5000)])


def numbers_and_text():
    getcontext().prec = 400
    print("decimal", str(Decimal(2).sqrt())[-20:])
    print("integer", hashlib.sha256(str(3**8000).encode()).hexdigest()[:16])
    text = " ".join(f"word{i % 977}" for i in range(100000))
    print("words", len(set(re.findall(r"\w+", text))), len(re.sub(r"\d+", "#", text)))


def main():
    tables = dicts_in_threads()
    short_threads()
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print("pool", pool.map(in_child, range(6)))
    numbers_and_text()
    grown = bytearray()
    for i in range(3000):
        grown.extend(bytes(i))
    print("grown", len(grown), sum(map(len, tables.values())))


main()
