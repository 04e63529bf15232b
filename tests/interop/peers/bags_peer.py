"""rosbags and mcap-ros2-support as readers of our recordings and as writers of theirs. Each reads the types from the file alone."""

import sys
from pathlib import Path

import numpy as np
from mcap_ros2.reader import read_ros2_messages
from mcap_ros2.writer import Writer as Ros2Writer
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from lines import commands, say

SIGNALS = "troika_msgs/msg/VehicleSignals"


def plain(value):
    """A message as what JSON has."""
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, (np.ndarray, list, tuple, bytes)):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    fields = getattr(value, "__slots__", None) or vars(value).keys()
    return {field: plain(getattr(value, field)) for field in fields if not field.startswith("_")}


def read_with_rosbags(file):
    with AnyReader([Path(file)], default_typestore=get_typestore(Stores.EMPTY)) as reader:
        for connection, time, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            qos = connection.ext.offered_qos_profiles
            yield connection.topic, connection.msgtype, time, plain(message), qos[0].reliability.name if qos else None


def read_with_mcap(file):
    for one in read_ros2_messages(file):
        yield one.channel.topic, one.schema.name, one.log_time_ns, plain(one.ros_msg), one.channel.metadata["offered_qos_profiles"]


def signals_store():
    store = get_typestore(Stores.ROS2_JAZZY)
    text = (Path(__file__).resolve().parents[3] / "msgs/msg/VehicleSignals.msg").read_text()
    store.register(get_types_from_msg(text, SIGNALS))
    return store


def write_with_rosbags(path, speeds):
    store = signals_store()
    header = store.types["std_msgs/msg/Header"]
    stamp = store.types["builtin_interfaces/msg/Time"]
    with Writer(Path(path), version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/vehicle/signals", SIGNALS, typestore=store)
        for at, speed in enumerate(speeds):
            values = {field: defaulted(store, node) for field, node in store.fielddefs[SIGNALS][1]}
            values |= {"header": header(stamp=stamp(sec=at, nanosec=0), frame_id=""), "speed_kmh": speed}
            message = store.types[SIGNALS](**values)
            writer.write(connection, 1_000_000_000 + at * 10_000_000, store.serialize_cdr(message, SIGNALS))


def defaulted(store, node):
    kind, detail = node
    if kind.name == "NAME":
        _, fields = store.fielddefs[detail]
        return store.types[detail](**{field: defaulted(store, inner) for field, inner in fields})
    if kind.name == "BASE":
        return {"string": "", "bool": False}.get(detail[0], 0)
    return np.array([], dtype=np.uint8)


def write_with_mcap(path, definition, speeds):
    with open(path, "wb") as file:
        writer = Ros2Writer(file)
        schema = writer.register_msgdef(SIGNALS, definition)
        for at, speed in enumerate(speeds):
            writer.write_message("/vehicle/signals", schema, {"speed_kmh": speed}, 1_000_000_000 + at * 10_000_000)
        writer.finish()


READERS = {"rosbags": read_with_rosbags, "mcap-ros2-support": read_with_mcap}

say(event="ready")
for command in commands():
    try:
        if command["do"] == "read":
            for topic, kind, time, value, qos in READERS[command["with"]](command["file"]):
                say(event="message", topic=topic, type=kind, time=time, value=value, qos=str(qos))
            say(event="read")
        elif command["with"] == "rosbags":
            write_with_rosbags(command["file"], command["speeds"])
            say(event="wrote")
        else:
            write_with_mcap(command["file"], command["definition"], command["speeds"])
            say(event="wrote")
    except Exception as error:  # told, and not only on standard error
        say(event="failed", why=f"{type(error).__name__}: {error}")
        sys.exit(1)
