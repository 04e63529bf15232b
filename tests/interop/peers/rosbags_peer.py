"""rosbags as a judge of our CDR: fills every type with values, writes them as CDR, and reads what we make of them."""

from pathlib import Path

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from lines import commands, say
from values import build, plain

MSGS = Path(__file__).resolve().parents[3] / "msgs" / "msg"

# Standard types are rosbags' own; only troika_msgs is read from our files.
store = get_typestore(Stores.ROS2_JAZZY)
ours = {}
for file in sorted(MSGS.glob("*.msg")):
    ours.update(get_types_from_msg(file.read_text(), f"troika_msgs/msg/{file.stem}"))
store.register(ours)



class Filler:
    """Values that differ from field to field: limits, signs, text beyond ASCII, empty and full arrays."""

    def __init__(self, round):
        self.round = round
        self.count = round * 17

    def base(self, kind, bound):
        self.count += 1
        if kind == "bool":
            return self.count % 2 == 0
        if kind.startswith("float"):
            return (self.count - 40) * 0.375
        if kind == "string":
            text = "" if self.round == 0 else f"wört {self.count} \u2713"
            return text[:bound] if bound else text
        if kind in ("byte", "char", "octet"):
            # Signed or not is told differently by different tools: what both can hold.
            return self.count % 128
        info = np.iinfo(np.dtype(kind))
        return [info.min, info.max, self.count % info.max][self.count % 3]

    def value(self, node):
        kind, detail = node
        if kind == Nodetype.BASE:
            return self.base(*detail)
        if kind == Nodetype.NAME:
            return self.message(detail)
        inner, size = detail
        if kind == Nodetype.SEQUENCE:
            # An unbounded sequence has bound 0 here.
            wanted = [0, 1, 5][self.round % 3]
            size = min(wanted, size) if size else wanted
        return [self.value(inner) for _ in range(size)]

    def message(self, name):
        return {field: self.value(node) for field, node in store.fielddefs[name][1]}


originals = {}
say(event="ready")
for order in commands():
    name, round = order["type"], order["round"]
    if order["do"] == "sample":
        original = build(store, name, Filler(round).message(name))
        originals[name, round] = original
        cdr = bytes(store.serialize_cdr(original, name))
        say(event="sample", cdr=cdr.hex(), hash=store.hash_rihs01(name))
    elif order["do"] == "judge":
        read = store.deserialize_cdr(bytes.fromhex(order["cdr"]), name)
        say(event="judged", read=plain(read), original=plain(originals[name, round]))
