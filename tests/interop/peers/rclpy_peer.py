"""Stock ROS 2: rclpy with the classes that colcon made from our package. A judge of our codec by its own typesupport; and, given `live`,
a node on Fast DDS."""

import array
import importlib
import json
import sys
import threading
from pathlib import Path

import numpy as np
from ament_index_python.packages import get_package_share_directory
from rclpy.serialization import deserialize_message, serialize_message
from rosidl_parser.definition import AbstractNestedType, BasicType, NamespacedType

from judge import float_of, judge, tell_float
from lines import commands, say

FLOATS = {"float": "float32", "double": "float64"}


def kind_of(name):
    """The class of a type."""
    package, folder, short = name.split("/")
    return getattr(importlib.import_module(f"{package}.{folder}"), short)


def hash_of(name):
    """The hash that ROS 2's own generator put beside the type."""
    package, folder, short = name.split("/")
    file = Path(get_package_share_directory(package)) / folder / f"{short}.json"
    (found,) = [one["hash_string"] for one in json.loads(file.read_text())["type_hashes"] if one["type_name"] == name]
    return found


def fields(kind):
    return zip(kind.get_fields_and_field_types(), kind.SLOT_TYPES)


def build(kind, told):
    return kind(**{name: value(slot, told[name]) for name, slot in fields(kind)})


def value(slot, told):
    if isinstance(slot, AbstractNestedType):
        # Of bytes too: each is bytes of one.
        return [value(slot.value_type, item) for item in told]
    if isinstance(slot, NamespacedType):
        return build(kind_of("/".join(slot.namespaced_name())), told)
    if is_byte(slot):
        return bytes([told])
    return float_of(FLOATS[slot.typename], told) if is_float(slot) else told


def tell(message):
    return {name: tell_value(slot, getattr(message, name)) for name, slot in fields(type(message))}


def tell_value(slot, value):
    if isinstance(slot, AbstractNestedType):
        items = value.tolist() if isinstance(value, (np.ndarray, array.array)) else value
        return [tell_value(slot.value_type, item) for item in items]
    if isinstance(slot, NamespacedType):
        return tell(value)
    if is_byte(slot):
        return value[0] if isinstance(value, bytes) else value
    return tell_float(FLOATS[slot.typename], value) if is_float(slot) else value


def is_float(slot):
    return isinstance(slot, BasicType) and slot.typename in FLOATS


def is_byte(slot):
    return isinstance(slot, BasicType) and slot.typename == "octet"


def live():
    """A node of its own process: talks, listens, looks at the graph, asks."""
    import rclpy
    from rclpy.executors import ExternalShutdownException
    from rclpy.qos import DurabilityPolicy, QoSProfile

    rclpy.init()
    node = rclpy.create_node(f"rclpy_peer_{sys.argv[2]}")
    publishers, timers, clients = {}, [], {}
    lasting = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)

    def talk(topic, kind, told):
        publishers[topic] = node.create_publisher(kind, topic, 10)
        message = build(kind, told)

        def tick():
            # What is sent before the listener is matched is nobody's.
            if publishers[topic].get_subscription_count() > 0:
                publishers[topic].publish(message)

        timers.append(node.create_timer(0.05, tick))
        say(event="talking", topic=topic)

    def say_once(topic, kind, values):
        """What late joiners are to get."""
        publishers[topic] = node.create_publisher(kind, topic, lasting)
        for told in values:
            publishers[topic].publish(build(kind, told))
        say(event="said", topic=topic)

    def ask(service, kind, told):
        client = clients.setdefault(service, node.create_client(kind, service))
        if not client.wait_for_service(timeout_sec=60.0):
            say(event="answered", topic=service, value=None)
            return
        future = client.call_async(build(kind.Request, told))
        future.add_done_callback(lambda done: say(event="answered", topic=service, value=tell(done.result())))

    def look(topic):
        """The nodes, and the ends of a topic, as any ROS 2 tool sees them."""
        ends = lambda found, publishes: [
            {"node": f"{end.node_namespace.rstrip('/')}/{end.node_name}", "type": end.topic_type, "hash": str(end.topic_type_hash), "publishes": publishes}
            for end in found
        ]
        say(
            event="graph",
            topic=topic,
            nodes=[f"{namespace.rstrip('/')}/{name}" for name, namespace in node.get_node_names_and_namespaces()],
            ends=ends(node.get_publishers_info_by_topic(topic), True) + ends(node.get_subscriptions_info_by_topic(topic), False),
            services=[[name, kinds] for name, kinds in node.get_service_names_and_types()],
        )

    def listen(topic, kind, qos):
        def heard(message):
            ends = [
                {"node": end.node_name, "type": end.topic_type, "hash": str(end.topic_type_hash)}
                for end in node.get_publishers_info_by_topic(topic)
            ]
            say(event="got", topic=topic, value=tell(message), publishers=ends)

        node.create_subscription(kind, topic, heard, qos)
        say(event="listening", topic=topic)

    def read():
        for order in commands():
            if order["do"] == "look":
                look(order["topic"])
                continue
            kind = kind_of(order["type"])
            if order["do"] == "talk":
                talk(order["topic"], kind, order["value"])
            elif order["do"] == "say":
                say_once(order["topic"], kind, order["values"])
            elif order["do"] == "ask":
                ask(order["topic"], kind, order["value"])
            elif order["do"] == "listen":
                listen(order["topic"], kind, lasting if order.get("lasting") else 10)
        rclpy.try_shutdown()

    threading.Thread(target=read, daemon=True).start()
    say(event="ready")
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        pass


if sys.argv[1:2] == ["live"]:
    live()
else:
    judge(
        hash_of=hash_of,
        write=lambda name, told: serialize_message(build(kind_of(name), told)),
        read=lambda name, cdr: tell(deserialize_message(cdr, kind_of(name))),
    )
