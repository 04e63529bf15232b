"""Frames on standard input, held against the package autosar-e2e; what was found, as JSON, at the end.

A frame: profile (1 byte), whether it is right (1), offset (2), data id (4), length (4), then its bytes; integers are little-endian."""

import json
import struct
import sys

import e2e

PROFILES = {
    4: (e2e.p04.e2e_p04_protect, e2e.p04.e2e_p04_check, slice(2, 4), slice(8, 12)),
    5: (e2e.p05.e2e_p05_protect, e2e.p05.e2e_p05_check, slice(2, 3), slice(0, 2)),
    6: (e2e.p06.e2e_p06_protect, e2e.p06.e2e_p06_check, slice(4, 5), slice(0, 2)),
    7: (e2e.p07.e2e_p07_protect, e2e.p07.e2e_p07_check, slice(12, 16), slice(0, 8)),
}
HEAD = struct.Struct("<BBHII")


def main():
    data = sys.stdin.buffer.read()
    at, frames, wrong = 0, {profile: [0, 0] for profile in PROFILES}, []
    while at < len(data):
        profile, right, offset, data_id, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        frame = data[at : at + length]
        at += length
        protect, check, _, checksum = PROFILES[profile]
        frames[profile][0 if right else 1] += 1
        if check(frame, data_id, offset=offset) != bool(right):
            wrong.append(f"profile {profile}: {frame.hex()} is {'right' if right else 'wrong'} here and not there")
        if right:
            # The same bytes without the checksum: it writes the header anew, with the counter that stands there.
            again = bytearray(frame)
            begin, end = offset + checksum.start, offset + checksum.stop
            again[begin:end] = bytes(end - begin)
            protect(again, data_id, offset=offset, increment_counter=False)
            if again != frame:
                wrong.append(f"profile {profile}: {frame.hex()} here, {again.hex()} there")
    print(json.dumps({"frames": frames, "differ": len(wrong), "first": wrong[:3]}))


main()
