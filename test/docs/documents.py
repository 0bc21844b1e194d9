"""What the documents for users say, in a form that tests can compare with the sources."""
import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEX = re.compile(r"0[xX][0-9a-fA-F]+")
# What the shell says when a signal ends a command; it depends on the shell, so nobody compares it.
SHELL = re.compile(r"^(bash|sh|/.*): .*(Aborted|line \d+).*$|^Aborted.*$")


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def source_options():
    """Returns {name: values} of the table that the library reads options by."""
    rows = re.findall(r'\{"(FT_MALLOC_\w+)", "([^"]+)", \w+\}', read("src/base/options.c"))
    return dict(rows)


def document_options(text):
    """Returns {name: values} of the table in docs/OPTIONS.md."""
    rows = re.findall(r"^\| `(FT_MALLOC_\w+)` \| ([^|]+) \|", text, re.M)
    return {name: values.replace("`", "").strip() for name, values in rows}


def plain_roff(line):
    """Returns a line of a manual page without its macro: .BR joins its arguments."""
    return "".join(shlex.split(line)[1:]) if line.startswith(".") else line


def manual_options(text):
    """Returns {name: values} of ft_malloc(7): each entry begins with a sentence "Values: ..."."""
    section = text.split(".SH ENVIRONMENT")[1].split("\n.SH ")[0]
    found = {}
    for entry in section.split("\n.TP\n")[1:]:
        head, *lines = entry.split("\n")
        first = " ".join(map(plain_roff, lines)).split(".")[0]
        found[plain_roff(head)] = first.removeprefix("Values: ")
    return found


def values_of(expected):
    """Returns values to try, of a phrase such as "abort or report", "a number from 1 to 9", or "a
    descriptor such as 9"."""
    numbers = re.fullmatch(r"a number from (\d+) to (\d+)", expected)
    examples = re.sub(r".* such as ", "", expected)
    return list(numbers.groups()) if numbers else re.split(r", | or ", examples)


def differences(wanted, found):
    """Yields what a document gets wrong, in both directions."""
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            yield f"{name}: the source has {wanted.get(name)!r}, not {found.get(name)!r}"


def blocks(text):
    """Yields (language, lines) of each fenced block."""
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        yield language, body.split("\n")[:-1]


def transcript(text):
    """Splits the blocks into files to write, {name: text}, and [(command, expected lines)]."""
    files, commands = {}, []
    for language, lines in blocks(text):
        title = re.fullmatch(r"// (\w+\.c)", lines[0]) if language == "c" else None
        if title:
            files[title[1]] = "\n".join(lines) + "\n"
        for line in lines if language == "console" else []:
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
    return files, commands


def same_line(wanted, found):
    """True if they differ in addresses only. A line that ends with " ..." stands for any longer."""
    wanted, found = HEX.sub("0x", wanted), HEX.sub("0x", found)
    if wanted.endswith(" ..."):
        return found.startswith(wanted.removesuffix("..."))
    return wanted == found


def zones_in_order(lines):
    """Returns the lines of a listing with the zones in alphabetical order: addresses are random."""
    groups = [[]]
    for line in lines:
        if re.match(r"(TINY|SMALL|LARGE|Total) : ", line):
            groups.append([])
        groups[-1].append(line)
    groups.sort(key=lambda group: "".join(group)[:5])
    return [line for group in groups for line in group]


def same_output(wanted, found):
    found = zones_in_order(line for line in found if not SHELL.match(line))
    wanted = zones_in_order(wanted)
    return len(wanted) == len(found) and all(map(same_line, wanted, found))


def ft_commands():
    """Returns the names that the script ft dispatches on."""
    cases = read("ft").split("\ncase ${1-help} in\n")[1]
    return set(re.findall(r"^([a-z]+)(?=\)| \|)", cases, re.M))


def unknown_commands(text, commands, presets):
    """Yields the subcommands of ./ft and the presets of CMake that a document names in vain."""
    for name in re.findall(r"\./ft ([a-z]+)", text):
        if name not in commands:
            yield f"./ft {name}"
    for name in re.findall(r"--preset ([a-z]+)", text):
        if name not in presets:
            yield f"--preset {name}"


def missing_paths(text, root=ROOT):
    """Yields the paths of the sources that stand in backquotes and do not exist."""
    for quoted in re.findall(r"`([^`\n]+)`", text):
        path = re.match(r"(?:src|include|test|bench|examples|tools|docs|cmake)/[\w/.-]*", quoted)
        if path and not list(root.glob(path[0].rstrip("/.") + "*")):
            yield path[0]
