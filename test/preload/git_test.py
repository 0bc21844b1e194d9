"""git imports, rebases, packs with threads, checks, clones and reads a generated repository."""

import json

import harness

COMMITS = 250
FILES = 60
IDENTITY = "A U Thor <author@example.com>"


CONFIGURATION = """
[init]
    defaultBranch = main
[user]
    name = A U Thor
    email = author@example.com
[pack]
    threads = 4
[index]
    threads = 4
[gc]
    autoDetach = false
"""


def import_stream():
    """Returns a deterministic history for git fast-import.

    Every commit rewrites three files, and one in ten is merged.
    """
    lines = []
    for number in range(1, COMMITS + 1):
        when = f"{1_600_000_000 + number * 60} +0000"
        message = f"commit {number}\n"
        lines.append(f"commit refs/heads/main\nmark :{number}\n")
        lines.append(f"author {IDENTITY} {when}\ncommitter {IDENTITY} {when}\n")
        lines.append(f"data {len(message)}\n{message}")
        if number > 20 and number % 10 == 0:
            lines.append(f"from :{number - 1}\nmerge :{number - 13}\n")
        for step in range(3):
            name = (number * 7 + step * 13) % FILES
            text = "".join(
                f"line {i} of file {name}: {i * (number if i % 17 == step else 1)}\n"
                for i in range(400)
            )
            lines.append(
                f"M 100644 inline directory{name % 7}/file{name}.txt\ndata {len(text)}\n{text}"
            )
    return "".join(lines) + "done\n"


def read_history(h, git, repository, preload):
    """Returns everything that a reader of the repository sees, as one text."""
    commands = (
        ["log", "--graph", "--stat", "-n", "120"],
        ["log", "-p", "--find-renames", "-n", "60"],
        ["blame", "directory0/file7.txt"],
        ["-c", "grep.threads=4", "grep", "-n", "-c", "4.*7"],
        ["ls-tree", "-r", "HEAD"],
    )
    results = [
        h.run([git, "--no-pager", *command], preload=preload, cwd=repository)
        for command in commands
    ]
    return "".join(result.stdout for result in results), [
        line for result in results for line in result.stats
    ]


def traced_processes(path):
    """Returns the trace ids and command names of all git processes from git's own trace."""
    with open(path, encoding="utf-8") as trace:
        events = [json.loads(line) for line in trace]
    return {event["sid"] for event in events}, {
        event["name"] for event in events if event["event"] == "cmd_name"
    }


EXPECTED = set("fast-import gc repack pack-objects fsck index-pack upload-pack rebase".split())


def test(h):
    git = harness.program("git")
    h.write(".gitconfig", CONFIGURATION)
    h.environment.update(
        GIT_CONFIG_NOSYSTEM="1",
        GIT_TRACE2_EVENT=h.path("trace"),
        GIT_COMMITTER_DATE="1700000000 +0000",
        GIT_AUTHOR_DATE="1700000000 +0000",
    )
    repository, clone = h.path("repository"), h.path("clone")
    stats = h.run([git, "init", repository]).stats
    stats += h.run(
        [git, "fast-import", "--quiet", "--done"], stdin=import_stream(), cwd=repository
    ).stats
    stats += h.run([git, "checkout", "-q", "-b", "topic", "main~5"], cwd=repository).stats
    for number in range(3):
        h.write("repository/topic.txt", "".join(f"{i * number}\n" for i in range(3000)))
        stats += h.run([git, "add", "."], cwd=repository).stats
        stats += h.run([git, "commit", "-q", "-m", f"topic {number}"], cwd=repository).stats
    stats += h.run([git, "rebase", "-q", "main"], cwd=repository).stats
    stats += h.run([git, "gc", "-q", "--aggressive", "--prune=now"], cwd=repository).stats
    stats += h.run([git, "fsck", "--full", "--strict"], cwd=repository).stats
    stats += h.run([git, "clone", "--no-local", "--bare", repository, clone]).stats
    stats += h.run([git, "fsck", "--full"], cwd=clone).stats

    # From here on git also runs without the library, and its trace would count those runs.
    served, more = read_history(h, git, repository, preload=True)
    del h.environment["GIT_TRACE2_EVENT"]
    count = h.run([git, "rev-list", "--count", "HEAD"], preload=False, cwd=repository).stdout
    harness.check(int(count) == COMMITS + 3, f"{count} commits")
    plain, _ = read_history(h, git, repository, preload=False)
    harness.check(len(plain) > 100_000, f"the history is too small: {len(plain)} characters")
    harness.check(served == plain, "git reads another history with the library than without")
    h.run([git, "fsck", "--full"], preload=False, cwd=repository)

    processes, names = traced_processes(h.path("trace"))
    harness.check(EXPECTED <= names, f"git did not run {EXPECTED - names}")
    h.check_served(stats + more, processes=len(processes), allocations=50_000)


harness.run_test(test)
