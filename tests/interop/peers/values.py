"""Messages to and from plain JSON values."""

import dataclasses
import math

import numpy as np

# Arrays of more elements than this are told by length and sum.
LONG = 4096


def plain(value):
    """What JSON can say of a value; NaN and infinities are null, as in our own JSON."""
    if isinstance(value, np.ndarray):
        if value.size > LONG:
            return {"length": int(value.size), "sum": int(value.sum(dtype=np.int64))}
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "__struct_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value):
        # rosbags keeps a message's constants as fields with a default; the others have none.
        names = [field.name for field in dataclasses.fields(value) if field.default is dataclasses.MISSING]
        return {name: plain(getattr(value, name)) for name in names}
    return value


def build(store, name, data):
    """A rosbags message from plain values."""
    from rosbags.interfaces import Nodetype

    def value(node, item):
        kind, detail = node
        if kind == Nodetype.BASE:
            return item
        if kind == Nodetype.NAME:
            return build(store, detail, item)
        inner = detail[0]
        if inner[0] == Nodetype.BASE and inner[1][0] != "string":
            return np.array(item, dtype=np.dtype(inner[1][0]))
        return [value(inner, each) for each in item]

    _, fields = store.fielddefs[name]
    return store.types[name](**{field: value(node, data[field]) for field, node in fields})
