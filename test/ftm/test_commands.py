"""What all commands have in common: help, the manual page, completion, and the errors of output."""
import os
import pathlib
import re
import subprocess
import unittest

FTM = os.environ["FT_FTM"]
ROOT = pathlib.Path(__file__).parents[2]


def ftm(*arguments, **options):
    return subprocess.run([FTM, *arguments], capture_output=True, text=True, check=False, **options)


def commands():
    """The names that `ftm help` lists."""
    return re.findall(r"^  ([a-z]+)  ", ftm("help").stdout, re.M)


def complete(*words):
    """What bash would offer for the last of the words."""
    script = """source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ftm
                printf '%s\\n' "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "-c", script, ROOT / "tools/ftm/ftm.bash", FTM, *words],
                          capture_output=True, text=True, check=True)
    return done.stdout.split()


class Commands(unittest.TestCase):
    def test_each_command_has_help(self):
        self.assertGreaterEqual(len(commands()), 8)
        for command in commands():
            shown = ftm(command, "--help")
            self.assertEqual((shown.returncode, shown.stderr), (0, ""), command)
            self.assertTrue(shown.stdout.startswith(f"usage: ftm {command}"), command)
            self.assertIn("Exit status:", shown.stdout, command)
            self.assertEqual(ftm("help", command).stdout, shown.stdout)

    def test_the_manual_page_has_each_command(self):
        page = (ROOT / "docs/man/ftm.1").read_text(encoding="utf-8")
        for command in commands():
            self.assertRegex(page, rf"(?m)^\.SS ftm {command}\b", command)

    def test_unknown_options_point_to_the_help(self):
        for command in commands():
            done = ftm(command, "--nonsense")
            self.assertEqual((done.returncode, done.stdout), (2, ""), command)
            self.assertIn(f"ftm {command} --help", done.stderr, command)

    def test_completion(self):
        self.assertEqual(complete("wh"), ["who"])
        self.assertEqual(set(commands()) | {"help"}, set(complete("")))
        self.assertIn("--sort", complete("list", "--s"))
        self.assertNotIn("--sort", complete("who", "--"))

    def test_a_full_device_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([FTM, "ps"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"cannot write to standard output", done.stderr)


if __name__ == "__main__":
    unittest.main()
