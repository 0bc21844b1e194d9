"""The sections of a snapshot, for tests that look into files or damage them."""
import collections
import struct

# src/debug/snapshot.h
HEADER_SIZE, HEADER_LAYOUT = 16, 32
END, MEMORY, ZEROS, VOID, MAPS, COMMAND, TABLE = 1, 2, 3, 4, 5, 9, 10

# `place` is where in the file the payload begins.
Section = collections.namedtuple("Section", "kind address length place payload")


def sections(contents):
    """Yields each section, the END included."""
    at, = struct.unpack_from("<I", contents, HEADER_SIZE)
    kind = None
    while kind != END:
        kind, _, address, length = struct.unpack_from("<IIQQ", contents, at)
        at += 24
        stored = 0 if kind in (ZEROS, VOID) else length
        yield Section(kind, address, length, at, contents[at:at + stored])
        at += (stored + 7) // 8 * 8
    assert at == len(contents), "something is behind the END"
