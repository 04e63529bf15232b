"""ros2-pyterfaces as a judge of our codec. Its types of ours are made from our .msg files (read by rosbags' parser); the standard
types are its own."""

import dataclasses
import importlib
from pathlib import Path
from types import new_class

from ros2_pyterfaces.core import Array, BoundedString, Sequence
from ros2_pyterfaces.cyclone.idl import IdlStruct, types
from rosbags.interfaces import Nodetype
from rosbags.typesys import get_types_from_msg

from judge import float_of, judge, tell_float

MSGS = Path(__file__).resolve().parents[3] / "msgs" / "msg"

definitions = {}
for file in sorted(MSGS.glob("*.msg")):
    definitions.update(get_types_from_msg(file.read_text(), f"troika_msgs/msg/{file.stem}"))
made = {}


def kind_of(name):
    """The class of a type."""
    package, _, short = name.split("/")
    if name not in definitions:
        return getattr(importlib.import_module(f"ros2_pyterfaces.cyclone.{package}.msg"), short)
    if name not in made:
        _, fields = definitions[name]
        annotations = {field: annotation(node) for field, node in fields}
        body = lambda namespace: namespace["__annotations__"].update(annotations)
        made[name] = dataclasses.dataclass(new_class(short, (IdlStruct,), {"typename": name}, body))
    return made[name]


def annotation(node):
    kind, detail = node
    if kind == Nodetype.NAME:
        return kind_of(detail)
    if kind == Nodetype.BASE:
        name, bound = detail
        if name == "string":
            return types.bounded_str[bound] if bound else str
        return bool if name == "bool" else getattr(types, {"octet": "byte"}.get(name, name))
    inner, size = detail
    if kind == Nodetype.ARRAY:
        return types.array[annotation(inner), size]
    return types.sequence[annotation(inner), size] if size else types.sequence[annotation(inner)]


def walk(entry, value, of_float, of_byte):
    """A value, with every float and byte put through a function; by pyterfaces' own description of the type."""
    if isinstance(entry, dict):
        return {name: walk(entry[name], value[name], of_float, of_byte) for name in entry if name != "__typename"}
    if isinstance(entry, (Array, Sequence)):
        return [walk(entry.subtype, item, of_float, of_byte) for item in value]
    if isinstance(entry, BoundedString):
        return value
    if entry.startswith("float"):
        return of_float(entry, value)
    return of_byte(value) if entry == "byte" else value


def write(name, told):
    kind = kind_of(name)
    return kind.from_core_message(walk(kind.to_core_schema(), told, float_of, int)).serialize()


def byte_of(told):
    """A byte is bytes of one; an item of an array of them is a number, which may be signed."""
    return told[0] if isinstance(told, bytes) else told % 256


def read(name, cdr):
    kind = kind_of(name)
    return walk(kind.to_core_schema(), kind.deserialize(cdr).to_core_message(), tell_float, byte_of)


judge(hash_of=lambda name: kind_of(name).hash_rihs01(), write=write, read=read)
