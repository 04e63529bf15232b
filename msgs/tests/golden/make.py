#!/usr/bin/env python3
"""Writes cdr.json: one value of every message type and its CDR in both endiannesses, as rosbags (an independent
implementation, https://pypi.org/project/rosbags) writes it. Run it when a .msg file changes on purpose:

    python3 -m venv V && V/bin/pip install rosbags==0.11.9 && V/bin/python msgs/tests/golden/make.py
"""

import json
import math
import pathlib

import numpy
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

HERE = pathlib.Path(__file__).resolve().parent
MSGS = HERE.parent.parent

# The member that a message without fields has on the wire.
NO_FIELDS = "structure_needs_at_least_one_member"


def typestore():
    """A store that holds the types of the .msg files of this clone and nothing else."""
    types = {}
    for file in sorted(MSGS.glob("ros/*/msg/*.msg")):
        types |= get_types_from_msg(file.read_text(), f"{file.parts[-3]}/msg/{file.stem}")
    for package, folder in (("troika_msgs", "msg"), ("fixture_msgs", "tests/fixtures/msg")):
        for file in sorted((MSGS / folder).glob("*.msg")):
            types |= get_types_from_msg(file.read_text(), f"{package}/msg/{file.stem}")
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store, sorted(types)


class Maker:
    """Makes values that differ from field to field: a count runs through them."""

    def __init__(self, store):
        self.store, self.count = store, 0

    def message(self, name):
        """The value as rosbags has it, and as JSON."""
        fields = self.store.get_msgdef(name).fields
        both = {field: self.field(desc, field) for field, desc in fields}
        made = self.store.types[name](**{field: value for field, (value, _) in both.items()})
        return made, {field: plain for field, (_, plain) in both.items() if field != NO_FIELDS}

    def field(self, desc, field):
        kind, detail = desc
        if kind == Nodetype.BASE:
            return self.base(detail, field)
        if kind == Nodetype.NAME:
            return self.message(detail)
        element, bound = detail
        count = bound if kind == Nodetype.ARRAY else min(bound or 3, 3)
        both = [self.field(element, field) for _ in range(count)]
        values, plain = [value for value, _ in both], [plain for _, plain in both]
        if element[0] == Nodetype.BASE and element[1][0] != "string":
            dtype = {"bool": "bool", "octet": "uint8", "byte": "uint8", "char": "uint8"}.get(element[1][0], element[1][0])
            values = numpy.array(values, dtype=dtype)
        return values, plain

    def base(self, detail, field):
        name, bound = detail
        if field == NO_FIELDS:
            return 0, 0
        self.count += 1
        if name == "string":
            text = (f"{field} \u00e9{self.count}")[: bound or None]
            while bound and len(text.encode()) > bound:
                text = text[:-1]
            return text, text
        if name == "bool":
            value = self.count % 2 == 1
            return value, value
        if name in ("float32", "float64"):
            # Quarters are exact in both widths. The mouth is not seen.
            value = math.nan if field == "mouth_opening" else -self.count - 0.25
            return value, None if math.isnan(value) else value
        if name.startswith("int"):
            value = -self.count if name == "int8" else -(self.count << (int(name[3:]) - 12))
            return value, value
        bits = {"octet": 8, "byte": 8, "char": 8}.get(name) or int(name[4:])
        value = self.count % 256 if bits == 8 else self.count << (bits - 12)
        return value, value


def main():
    store, names = typestore()
    golden = []
    for name in names:
        made, plain = Maker(store).message(name)
        little = bytes(store.serialize_cdr(made, name, little_endian=True))
        big = bytes(store.serialize_cdr(made, name, little_endian=False))
        golden.append({"type": name, "value": plain, "little": little.hex(), "big": big.hex()})
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in golden)
    (HERE / "cdr.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
