"""rosbags as a judge of our codec. It reads our .msg files itself; the standard types are its own."""

from pathlib import Path

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from judge import float_of, judge, tell_float

MSGS = Path(__file__).resolve().parents[3] / "msgs" / "msg"

# The member that a message without fields has on the wire.
NO_FIELDS = "structure_needs_at_least_one_member"
# Signed in rosbags.
BYTES = ("octet", "byte")

store = get_typestore(Stores.ROS2_JAZZY)
ours = {}
for file in sorted(MSGS.glob("*.msg")):
    ours.update(get_types_from_msg(file.read_text(), f"troika_msgs/msg/{file.stem}"))
store.register(ours)


def build(name, told):
    _, fields = store.fielddefs[name]
    return store.types[name](**{field: 0 if field == NO_FIELDS else value(node, told[field]) for field, node in fields})


def value(node, told):
    kind, detail = node
    if kind == Nodetype.NAME:
        return build(detail, told)
    if kind == Nodetype.BASE:
        if detail[0] in BYTES:
            return told - 256 if told > 127 else told
        return float_of(detail[0], told) if detail[0].startswith("float") else told
    inner, _ = detail
    items = [value(inner, item) for item in told]
    if inner[0] == Nodetype.BASE and inner[1][0] != "string":
        return np.array(items, dtype={"octet": "int8", "byte": "int8", "char": "uint8"}.get(inner[1][0], inner[1][0]))
    return items


def tell(name, message):
    _, fields = store.fielddefs[name]
    return {field: tell_value(node, getattr(message, field)) for field, node in fields if field != NO_FIELDS}


def tell_value(node, value):
    kind, detail = node
    if kind == Nodetype.NAME:
        return tell(detail, value)
    if kind == Nodetype.BASE:
        if detail[0] in BYTES:
            return value % 256
        return tell_float(detail[0], value) if detail[0].startswith("float") else value
    inner, _ = detail
    items = value.tolist() if isinstance(value, np.ndarray) else value
    return [tell_value(inner, item) for item in items]


judge(
    hash_of=store.hash_rihs01,
    write=lambda name, told: store.serialize_cdr(build(name, told), name),
    read=lambda name, cdr: tell(name, store.deserialize_cdr(cdr, name)),
)
