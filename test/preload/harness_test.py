"""Checks the harness: it must notice programs that are not served, fail, or stay behind."""

import os
import signal
import subprocess
import sys
import time

import harness

HERE = os.path.dirname(os.path.abspath(__file__))


def must_fail(action, words):
    try:
        action()
    except harness.Failed as reason:
        harness.check(
            words in str(reason), f"expected a message with {words!r}, not {str(reason)!r}"
        )
    else:
        raise harness.Failed(f"not noticed: {words}")


def run_inner(h, body):
    """Runs a test in another process, so that the way in which it ends can be checked."""
    text = f"import sys\nsys.path.insert(0, {HERE!r})\nimport harness\n"
    text += f"def test(h):\n{body}\nharness.run_test(test, 20)\n"
    script = h.write("inner.py", text)
    return subprocess.run(
        [sys.executable, script, h.library], capture_output=True, text=True, timeout=60, check=False
    )


def test(h):
    shell, perl = harness.program("sh"), harness.program("perl")
    plain, served = h.run([perl, "-e", "1"], preload=False), h.run([perl, "-e", "1"])
    must_fail(lambda: h.check_served(plain.stats), "0 processes left a statistics line")
    must_fail(
        lambda: h.check_served(served.stats, allocations=10**9), "expected 1000000000 allocations"
    )
    must_fail(lambda: h.run([shell, "-c", "exit 3"]), "ended with status 3")
    must_fail(
        lambda: h.run([shell, "-c", "echo 'ft_malloc: free(): invalid pointer 0x5' >&2"]),
        "complained",
    )
    must_fail(lambda: h.run([shell, "-c", "sleep 20"], seconds=1), "still ran")
    must_fail(lambda: h.run_both([shell, "-c", "echo $LD_PRELOAD."]), "with the library")
    alone = h.start([perl, "-e", "my @kept = map { 'x' x $_ } 1 .. 2000; sleep 30"], preload=False)
    harness.wait_until(
        lambda: "[heap]" in harness.read_process_file(alone.pid, "maps"), 10, "a brk() heap"
    )
    must_fail(lambda: h.check_served_live(alone.pid), "the library is not mapped")
    alone.stop(expected=(-signal.SIGTERM,))

    skipped = run_inner(h, "    harness.program('no-such-program')")
    harness.check(
        skipped.returncode == harness.SKIPPED and "not installed" in skipped.stdout,
        "a skip is not seen",
    )
    body = "    h.run(['/bin/sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 &'], preload=False)\n"
    body += "    print('left', *harness.descendants(harness.os.getpid()))\n"
    body += "    raise harness.Failed('on purpose')"
    left = run_inner(h, body)
    harness.check(
        left.returncode == 1 and "on purpose" in left.stdout,
        f"a failure is not seen: {left.stdout}",
    )
    pids = left.stdout.partition("left")[2].splitlines()[0].split()
    harness.check(len(pids) == 1, f"the orphan was not found: {left.stdout}")
    time.sleep(0.1)
    harness.check(not os.path.exists(f"/proc/{pids[0]}"), "an orphan was left running")


harness.run_test(test)
