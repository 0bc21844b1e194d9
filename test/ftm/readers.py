"""Strict readers of the formats that ftm exports: pprof through protoc, folded stacks, DHAT.

Each checks what the tools that open such files check, and returns what the file says.
"""
import gzip
import json
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
DHAT_VIEWER = ("/usr/libexec/valgrind/dh_view.js", "/usr/lib/valgrind/dh_view.js",
               "/usr/lib/x86_64-linux-gnu/valgrind/dh_view.js")
SAMPLE_TYPES = [("alloc_objects", "count"), ("alloc_space", "bytes"),
                ("inuse_objects", "count"), ("inuse_space", "bytes")]


def have_protoc():
    return shutil.which("protoc") is not None


class Bad(Exception):
    """The file is not what its readers want."""


def need(condition, message):
    if not condition:
        raise Bad(message)


def parse_text_format(text):
    """Returns protoc's text as nested dictionaries of lists."""
    root = {}
    stack = [root]
    for line in text.splitlines():
        line = line.strip()
        if line.endswith("{"):
            inner = {}
            stack[-1].setdefault(line[:-1].strip(), []).append(inner)
            stack.append(inner)
        elif line == "}":
            stack.pop()
        elif line:
            key, _, value = line.partition(": ")
            if value.startswith('"'):
                value = unescape(value[1:-1])
            elif value in ("true", "false"):
                value = value == "true"
            else:
                value = int(value)
            need(not key.isdigit(), f"a field {key} that the format does not have")
            stack[-1].setdefault(key, []).append(value)
    return root


def unescape(text):
    """Undoes the octal escapes of protoc's strings."""
    escapes = {"n": b"\n", "t": b"\t", "r": b"\r", '"': b'"', "'": b"'", "\\": b"\\"}
    out = bytearray()
    for match in re.finditer(r"\\([0-7]{3}|.)|([^\\]+)", text):
        escape, plain = match.groups()
        if plain is not None:
            out += plain.encode()
        elif len(escape) == 3:
            out.append(int(escape, 8))
        else:
            out += escapes[escape]
    return out.decode("utf-8")


def decode_pprof(data):
    """Returns the message as protoc decodes it, and a function that resolves strings."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    done = subprocess.run(["protoc", f"--proto_path={HERE}", "--decode=ftm_test.Profile",
                           "profile.proto"], input=data, capture_output=True, check=False)
    need(done.returncode == 0 and not done.stderr, f"protoc: {done.stderr.decode()}")
    profile = parse_text_format(done.stdout.decode())
    strings = profile["string_table"]
    need(strings[0] == "", "the first string is not empty")
    need(len(set(strings)) == len(strings), "a string is there twice")
    return profile, lambda message, key: strings[message.get(key, [0])[0]]


def by_id(profile, key):
    items = {item["id"][0]: item for item in profile.get(key, [])}
    need(0 not in items, f"a {key} with the id 0")
    need(len(items) == len(profile.get(key, [])), f"an id of a {key} is there twice")
    return items


def read_places(profile, string):
    """Returns {id: place} of all locations."""
    functions, mappings = by_id(profile, "function"), by_id(profile, "mapping")
    places = {}
    for mapping in mappings.values():
        need(mapping["memory_start"] < mapping["memory_limit"], "a mapping without a range")
    for number, location in by_id(profile, "location").items():
        mapping = location.get("mapping_id", [0])[0]
        need(mapping == 0 or mapping in mappings, "a location in no mapping")
        lines = []
        for line in location.get("line", []):
            function = functions[line["function_id"][0]]
            lines.append((string(function, "name"), string(function, "filename"),
                          line.get("line", [0])[0]))
        places[number] = {"address": location.get("address", [0])[0], "lines": lines,
                          "mapping": string(mappings[mapping], "filename") if mapping else None}
    return places


def read_pprof(data):
    """Decodes a profile, checks it as pprof does, and returns what it says.

    Each sample is a dictionary: stack (innermost first, places with functions, files and lines),
    values, labels.
    """
    profile, string = decode_pprof(data)
    places = read_places(profile, string)
    types = [(string(t, "type"), string(t, "unit")) for t in profile["sample_type"]]
    samples = []
    for sample in profile.get("sample", []):
        need(len(sample["value"]) == len(types), "a sample with other values than types")
        need(min(sample["value"]) >= 0, "a negative value")
        labels = {string(label, "key"): string(label, "str") or label["num"][0]
                  for label in sample.get("label", [])}
        samples.append({"stack": [places[i] for i in sample["location_id"]],
                        "values": sample["value"], "labels": labels})
    return {"types": types, "samples": samples, "period": profile["period"][0],
            "default": string(profile, "default_sample_type"),
            "strings": profile["string_table"],
            "mappings": [{"path": string(m, "filename"), "build_id": string(m, "build_id"),
                          "symbols": "has_functions" in m} for m in profile.get("mapping", [])]}


def read_folded(data):
    """Reads folded stacks as strictly as the strictest of their readers; returns {stack: number}.

    flamegraph.pl splits at the last white space, and takes two numbers for a difference; speedscope
    drops lines that do not end in a whole number; perfetto wants one above 0 and has comments.
    """
    stacks = {}
    text = data.decode("utf-8")
    need(text == "" or text.endswith("\n"), "the last line has no end")
    for line in text.split("\n")[:-1]:
        match = re.fullmatch(r"(.*) (\d+)", line)
        need(match, f"no number at the end: {line!r}")
        need(not re.search(r"[\x00-\x1f\x7f]", line), f"control character: {line!r}")
        stack, number = match.group(1), int(match.group(2))
        need(not re.search(r"\s\d+(\.\d*)?$", stack), f"would be two numbers: {line!r}")
        need(not stack.startswith("#"), f"would be a comment: {line!r}")
        need(number > 0, f"nothing: {line!r}")
        need(all(stack.split(";")), f"an empty name: {line!r}")
        need(stack not in stacks, f"twice: {line!r}")
        stacks[stack] = number
    return stacks


def read_dhat(data):
    """Checks what dh_view.js checks, and by itself if it can; returns the object."""
    text = data.decode("utf-8")
    dhat = json.loads(text)
    for key in ("dhatFileVersion", "mode", "verb", "bklt", "bkacc", "tu", "Mtu", "cmd", "pid",
                "te", "pps", "ftbl", "tg", "tuth"):
        need(key in dhat, f"missing a field: {key}")
    need(dhat["dhatFileVersion"] == 2 and dhat["bklt"] is True, "not version 2")
    need(dhat["ftbl"][0] == "[root]", "the first frame is not the root")
    seen = set()
    for pp in dhat["pps"]:
        for key in ("tb", "tbk", "tl", "mb", "mbk", "gb", "gbk", "eb", "ebk"):
            need(isinstance(pp[key], int) and pp[key] >= 0, f"bad {key}: {pp}")
        need(pp["mb"] >= pp["gb"] and pp["mb"] >= pp["eb"], f"the most is not the most: {pp}")
        stack = tuple(pp["fs"])
        need(stack and stack not in seen, f"repeated location: {pp}")
        need(all(0 < i < len(dhat["ftbl"]) for i in stack), f"a frame that is not there: {pp}")
        seen.add(stack)
    for frame in dhat["ftbl"][1:]:
        need(re.match(r"0x[0-9A-F]+: .", frame), f"a frame of another form: {frame!r}")
    return dhat


def dhat_viewer():
    """The path of valgrind's viewer, or None if it or node is missing."""
    found = [path for path in DHAT_VIEWER if pathlib.Path(path).exists()]
    return found[0] if found and shutil.which("node") else None


def view_dhat(data, folder):
    """Loads the file with valgrind's own viewer, and returns the totals that it computes."""
    path = pathlib.Path(folder) / "dhat.json"
    path.write_bytes(data)
    done = subprocess.run(["node", HERE / "load_dhat.js", dhat_viewer(), path],
                          capture_output=True, text=True, check=False)
    need(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)
