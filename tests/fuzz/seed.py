#!/usr/bin/env python3
"""Starts the corpora: golden CDR of every type for decode_cdr, the clone's own .msg files for parse_msg."""

import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
MSGS = HERE.parent.parent / "msgs"


def main():
    decode, parse = HERE / "corpus/decode_cdr", HERE / "corpus/parse_msg"
    for folder in (decode, parse):
        folder.mkdir(parents=True, exist_ok=True)
    golden = json.loads((MSGS / "tests/golden/cdr.json").read_text())
    # The target's first byte picks the type by its place in the sorted list.
    ours = [one for one in golden if not one["type"].startswith("fixture_msgs/")]
    for place, one in enumerate(sorted(ours, key=lambda one: one["type"])):
        for form in ("little", "big"):
            name = one["type"].replace("/msg/", ".") + "." + form
            (decode / name).write_bytes(bytes([place]) + bytes.fromhex(one[form]))
    for file in MSGS.rglob("*.msg"):
        (parse / file.name).write_bytes(file.read_bytes())


if __name__ == "__main__":
    main()
