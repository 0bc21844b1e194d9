"""Command-line programs: git's checks of a repository, openssl, compressors, sort, perl, tar."""

import functools
import hashlib

import harness
from compare import Check

COMMITS, FILES = 300, 50
WHO = "A U Thor <author@example.com>"
GIT = [
    "-c",
    "pack.threads=4",
    "-c",
    "index.threads=4",
    "-c",
    "grep.threads=4",
    "-c",
    "gc.autoDetach=false",
]


def history():
    """Returns a deterministic history for git fast-import. Each commit rewrites two files."""
    lines = []
    for number in range(COMMITS):
        message = f"commit {number}\n"
        lines.append(
            f"commit refs/heads/main\ncommitter {WHO} {1_600_000_000 + number * 60} +0000\n"
        )
        lines.append(f"data {len(message)}\n{message}")
        for step in range(2):
            name = (number * 7 + step * 13) % FILES
            numbers = (i * (number if i % 17 == step else 1) for i in range(300))
            text = "".join(f"line of {name}: {value}\n" for value in numbers)
            lines.append(f"M 100644 inline folder{name % 7}/file{name}\ndata {len(text)}\n{text}")
    return "".join(lines) + "done\n"


def git(side):
    program, repository = harness.program("git"), side.path("repository")
    side.run([program, "init", "-q", "-b", "main", repository])

    def ask(*arguments, stdin=""):
        return side.run(
            [program, *GIT, "--no-pager", *arguments], cwd=repository, stdin=stdin
        ).stdout

    ask("fast-import", "--done", "--quiet", stdin=history())
    ask("reset", "-q", "--hard")
    ask("repack", "-q", "-a", "-d", "-f", "--window=50")
    ask("gc", "-q", "--aggressive")
    harness.check(ask("fsck", "--full", "--strict") == "", "git fsck found something")
    side.run([program, "clone", "-q", "--no-local", repository, side.path("clone")])
    answer = ask("log", "--stat", "-p", "-n", "80") + ask("grep", "-c", "4.*7")
    answer += ask("blame", "folder0/file7")
    return hashlib.sha256(answer.encode()).hexdigest()


def openssl_speed(side):
    program = harness.program("openssl")
    command = [program, "speed", "-seconds", "1", "-multi", "4"]
    for names in (["aes-256-gcm"], ["sha256"], ["rsa2048"], ["ecdhp256"], ["ed25519"]):
        evp = ["-evp"] if names == ["aes-256-gcm"] else []
        result = side.run([*command, *evp, *names])
        harness.check("rror" not in result.stdout, result.stdout + result.stderr)


def openssl_keys(side):
    """Makes keys and a certificate, verifies it, and encrypts and decrypts a file."""
    program = harness.program("openssl")
    key, certificate = side.path("key.pem"), side.path("certificate.pem")
    for algorithm in (["RSA"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["ED25519"]):
        side.run([program, "genpkey", "-out", key, "-algorithm", *algorithm])
        side.run(
            [program, "req", "-x509", "-key", key, "-out", certificate, "-subj", "/CN=localhost"]
        )
        side.run([program, "verify", "-CAfile", certificate, certificate])
    plain = side.write("plain.txt", "some text\n" * 100_000)
    for direction, source, target in (("-e", plain, "secret"), ("-d", side.path("secret"), "back")):
        command = [
            program,
            "enc",
            direction,
            "-aes-256-cbc",
            "-pbkdf2",
            "-pass",
            "pass:word",
            "-in",
            source,
        ]
        side.run([*command, "-out", side.path(target)])
    with open(side.path("back"), encoding="utf-8") as file:
        harness.check(file.read() == "some text\n" * 100_000, "deciphered to something else")


def shell_pipeline(script, side):
    side.write(
        "words.txt",
        "".join(f"{n * 7919 % 100003} {n * 31 % 977} word{n}\n" for n in range(150_000)),
    )
    return side.run([harness.program("bash"), "-euo", "pipefail", "-c", script]).stdout


PIPELINES = {
    "sort --parallel=4": (
        "sort --parallel=4 -S 2M words.txt | sha256sum; sort -k2n -k1n words.txt | sha256sum"
    ),
    "xz -T4, zstd -T4, gzip, bzip2": (
        "for tool in 'xz -2 -T4' 'gzip -9' bzip2; do "
        "$tool <words.txt | ${tool%% *} -dc | sha256sum; done; "
        "! command -v zstd >/dev/null || zstd -q -T4 -9 <words.txt | zstd -dc | sha256sum"
    ),
    "awk, perl, sed, tar, diff, find": (
        "awk '{ s[$2] += $1; n[$3] = $1 } END { for (k in s) print k, s[k] }' words.txt | "
        "sort | sha256sum; "
        "perl -ne '@w = split; push @{$h{$w[1]}}, $w[2]; "
        "END { print $#{$h{$_}}, qq(\\n) for sort keys %h }'"
        " words.txt | sha256sum; "
        "sed -E 's/([0-9]+) ([0-9]+)/\\2 \\1/' words.txt | sha256sum; "
        "tar --sort=name --mtime=@0 -cz words.txt | tar -tvz | wc -l; "
        "sort words.txt | { diff - words.txt || true; } | wc -l; "
        "find /usr/share/doc | wc -l >/dev/null"
    ),
}


def checks():
    checked = [
        Check("git", "import, repack, gc, fsck, clone, log, grep", git, ["git"]),
        Check("openssl", "speed -multi 4", openssl_speed, ["openssl"]),
        Check("openssl", "keys, certificates, enc", openssl_keys, ["openssl"]),
    ]
    for what, script in PIPELINES.items():
        checked.append(Check("shell", what, functools.partial(shell_pipeline, script), ["bash"]))
    return checked
