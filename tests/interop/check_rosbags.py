#!/usr/bin/env python3
"""Reads our CDR with rosbags and holds our type hashes against its own.

    cargo run -p troika-msgs --example write_golden -- DIR
    PYTHON_WITH_ROSBAGS tests/interop/check_rosbags.py DIR

For every DIR/PACKAGE.NAME.cdr: rosbags, with the types of this clone's .msg files, decodes it, and every field equals the
value in DIR/PACKAGE.NAME.json; rosbags writes the value back to the same bytes. DIR/hashes.json holds the RIHS01 hash of
every type: equal to the one that rosbags makes. Exit 0 when all of it holds for every .msg file of the clone; 1 with what
does not.
"""

import json
import math
import pathlib
import sys

from rosbags.typesys import Stores, get_types_from_msg, get_typestore

MSGS = pathlib.Path(__file__).resolve().parents[2] / "msgs"


def typestore():
    """The types of this clone's .msg files and nothing else."""
    types = {}
    for file in sorted(MSGS.glob("ros/*/msg/*.msg")):
        types |= get_types_from_msg(file.read_text(), f"{file.parts[-3]}/msg/{file.stem}")
    for file in sorted(MSGS.glob("msg/*.msg")):
        types |= get_types_from_msg(file.read_text(), f"troika_msgs/msg/{file.stem}")
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store, sorted(types)


def plain(store, value):
    """A decoded value as JSON has it; a float that is not finite is null."""
    if hasattr(value, "__msgtype__"):
        names = [name for name, _ in store.get_msgdef(value.__msgtype__).fields]
        return {name: plain(store, getattr(value, name)) for name in names}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(store, one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def wrong(folder, store, name):
    """What does not hold for one type."""
    stem = folder / name.replace("/msg/", ".")
    cdr = pathlib.Path(f"{stem}.cdr").read_bytes()
    expected = json.loads(pathlib.Path(f"{stem}.json").read_text())
    try:
        made = store.deserialize_cdr(cdr, name)
    except Exception as error:  # whatever it raises, our bytes were not readable
        return [f"{name}: rosbags cannot read it: {error!r}"]
    found = []
    if plain(store, made) != expected:
        found.append(f"{name}: rosbags reads {plain(store, made)}, not {expected}")
    if bytes(store.serialize_cdr(made, name)) != cdr:
        found.append(f"{name}: rosbags writes other bytes")
    return found


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    store, names = typestore()
    hashes = json.loads((folder / "hashes.json").read_text())
    found = []
    if sorted(hashes) != names:
        found.append(f"types differ: {sorted(set(hashes) ^ set(names))}")
    for name in names:
        if hashes.get(name) != store.hash_rihs01(name):
            found.append(f"{name}: hash {hashes.get(name)}, rosbags has {store.hash_rihs01(name)}")
        found += wrong(folder, store, name)
    if found:
        sys.exit("\n".join(found))
    print(f"{len(names)} types: CDR read and written alike, hashes equal")


if __name__ == "__main__":
    main()
