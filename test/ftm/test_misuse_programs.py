"""Small programs that misuse memory: each must be stopped, reported, or made harmless."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

PROGRAM = os.environ["FT_MISUSE_PROGRAM"]
PRELOAD = os.environ["FT_DEBUG_LIBRARY"] + " " + os.environ["FT_LIBRARY"]
ENDS = {"reported": -signal.SIGABRT, "stopped": -signal.SIGSEGV, "harmless": 0, "unseen": 1}


def programs():
    listed = subprocess.run([PROGRAM], capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in listed.splitlines()]


def run(name, **modes):
    environment = {**os.environ, "LD_PRELOAD": PRELOAD, "FT_MALLOC_HARDEN": "1", **modes}
    return subprocess.run([PROGRAM, name], env=environment, capture_output=True, check=False,
                          timeout=60)


def noticed(outcome, done):
    """Whether the mistake was stopped, reported, or made harmless."""
    return outcome != "unseen" and done.returncode == ENDS[outcome]


class MisusePrograms(unittest.TestCase):
    def check(self, name, outcome, text, done):
        message = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, ENDS[outcome], f"{name}: {message}")
        if text:
            self.assertRegex(message, "ft_malloc: .*" + text, name)
        else:
            self.assertNotIn("ft_malloc: ", message, name)

    def test_each_ends_as_it_says(self):
        for _, name, outcome, text in programs():
            with self.subTest(name):
                # Places and canaries are random: a byte that is written may be the canary's, and
                # what is beside a chunk decides who notices first. Both are rare.
                for _ in range(3):
                    done = run(name)
                    if done.returncode == ENDS[outcome] and (
                            not text or re.search("ft_malloc: .*" + text, done.stderr.decode())):
                        break
                self.check(name, outcome, text, done)

    def test_what_is_fine_is_fine_in_every_mode(self):
        for modes in ({"FT_MALLOC_HARDEN": "0"}, {"FT_MALLOC_GUARD": "2"},
                      {"FT_MALLOC_HISTORY": "100", "FT_MALLOC_FILL": "AA,55"}):
            for kind, name, outcome, text in programs():
                if kind == "fine":
                    with self.subTest(name, modes=modes):
                        self.check(name, outcome, text, run(name, **modes))

    def check_stopped_by_guard(self, name, rounds):
        for _ in range(rounds):
            done = run(name, FT_MALLOC_GUARD="1")
            if done.returncode == -signal.SIGSEGV:
                break
        self.assertEqual(done.returncode, -signal.SIGSEGV, name)
        self.assertIn(b"ft_malloc: SIGSEGV: ", done.stderr, name)

    def test_guards_stop_what_hardening_does_not_see(self):
        self.check_stopped_by_guard("write_after_free_small_far", 1)
        # One chunk of eight lies at the beginning of its slot, where this one reads on unseen.
        self.check_stopped_by_guard("unterminated_is_printed", 12)

    def test_what_is_sent_may_not_go_on_into_a_freed_chunk(self):
        name = "writev_reads_freed_neighbour"
        self.check(name, "reported", "writev", run(name, FT_MALLOC_HARDEN="0"))

    def test_reports_of_checked_functions_have_a_stack(self):
        done = run("memcpy_1_beyond")
        line = re.compile(rf"^    #0 0x[0-9a-f]+ .*{pathlib.Path(PROGRAM).name}", re.MULTILINE)
        self.assertRegex(done.stderr.decode(), line)

    def test_most_are_noticed(self):
        results = [noticed(outcome, run(name)) for kind, name, outcome, _ in programs()
                   if kind != "fine"]
        print(f"{sum(results)} of {len(results)} are noticed", file=sys.stderr)
        self.assertGreaterEqual(len(results), 60)
        self.assertGreaterEqual(sum(results), len(results) * 105 // 116)


if __name__ == "__main__":
    unittest.main()
