"""Stock ROS 2: an rclpy node on Fast DDS beside our nodes that are on the same ROS 2. Talks, listens, serves, asks, looks at the graph,
uses parameters, sends and counts bursts."""

import array
import importlib
import sys
import threading

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import DurabilityPolicy, QoSProfile

from lines import commands, say

# Arrays of more elements than this are told by length and sum (the tests have the same figure).
LONG = 4096
LASTING = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def kind_of(name):
    package, folder, short = name.split("/")
    return getattr(importlib.import_module(f"{package}.{folder}"), short)


def fill(message, told):
    for name, value in told.items():
        field = getattr(message, name)
        if isinstance(value, dict):
            fill(field, value)
        else:
            setattr(message, name, value)
    return message


def plain(value):
    if hasattr(value, "get_fields_and_field_types"):
        return {name: plain(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, bytes):
        return value[0]
    if isinstance(value, (np.ndarray, array.array)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        if len(value) > LONG:
            return {"length": len(value), "sum": sum(value)}
        return [plain(item) for item in value]
    return value


class Peer:
    def __init__(self, name):
        self.node = rclpy.create_node(name)
        self.clients = {}
        self.talking = {}

    def talk(self, order):
        message = fill(kind_of(order["type"])(), order["data"])
        publisher = self.node.create_publisher(type(message), order["topic"], 10)

        def tick():
            # What is sent before the listener is matched is nobody's.
            if publisher.get_subscription_count() > 0:
                publisher.publish(message)

        self.talking[order["topic"]] = (publisher, self.node.create_timer(0.05, tick))
        say(event="talking", topic=order["topic"])

    def hush(self, order):
        publisher, timer = self.talking.pop(order["topic"])
        self.node.destroy_timer(timer)
        self.node.destroy_publisher(publisher)

    def listen(self, order):
        topic = order["topic"]

        def heard(message):
            ends = [
                {"node": f"{end.node_namespace.rstrip('/')}/{end.node_name}", "type": end.topic_type, "hash": str(end.topic_type_hash)}
                for end in self.node.get_publishers_info_by_topic(topic)
            ]
            say(event="got", topic=topic, data=plain(message), publishers=ends)

        self.node.create_subscription(kind_of(order["type"]), topic, heard, LASTING if order.get("lasting") else 10)
        say(event="listening", topic=topic)

    def say(self, order):
        """What late joiners are to get."""
        kind, topic = kind_of(order["type"]), order["topic"]
        publisher = self.node.create_publisher(kind, topic, LASTING)
        self.talking[topic] = (publisher, None)
        for told in order["values"]:
            publisher.publish(fill(kind(), told))
        say(event="said", topic=topic)

    def greet(self, order):
        """Says the same again and again, until the first burst."""
        kind, topic = kind_of(order["type"]), order["topic"]
        publisher = self.node.create_publisher(kind, topic, order["depth"])
        timer = self.node.create_timer(0.05, lambda: publisher.publish(kind(data=order["data"])))
        self.talking[topic] = (publisher, timer)

    def burst(self, order):
        """Numbers as fast as they go; both ends have room for them."""
        publisher, timer = self.talking[order["topic"]]
        timer.cancel()
        for number in range(order["from"], order["to"]):
            publisher.publish(publisher.msg_type(data=str(number)))

    def count(self, order):
        """Tells when so many more numbers came, and whether each was the next; and of what is none, that it came."""
        topic, every = order["topic"], order["every"]
        seen = {"got": 0, "ordered": True}

        def heard(message):
            if not message.data.isdecimal():
                say(event="heard", topic=topic)
                return
            seen["ordered"] &= int(message.data) == seen["got"]
            seen["got"] += 1
            if seen["got"] % every == 0:
                say(event="counted", topic=topic, **seen)

        self.node.create_subscription(kind_of(order["type"]), topic, heard, every)
        say(event="counting", topic=topic)

    def serve(self, order):
        def answer(request, response):
            response.success = request.data
            response.message = "on" if request.data else "off"
            return response

        self.node.create_service(kind_of(order["type"]), order["topic"], answer)
        say(event="serving", topic=order["topic"])

    def ask(self, order):
        kind, service = kind_of(order["type"]), order["topic"]
        client = self.clients.setdefault(service, self.node.create_client(kind, service))
        if not client.wait_for_service(timeout_sec=60.0):
            say(event="answered", topic=service, data=None)
            return
        future = client.call_async(fill(kind.Request(), order["data"]))
        future.add_done_callback(lambda done: say(event="answered", topic=service, data=plain(done.result())))

    def parameters(self, order):
        """What rclpy's own client of another node's parameter services gets."""
        client = AsyncParameterClient(self.node, order["topic"])
        if not client.wait_for_services(timeout_sec=60.0):
            say(event="parameters", topic=order["topic"], data=None)
            return
        names, wanted = order["names"], [Parameter(name, value=value) for name, value in order["set"].items()]
        told = {}

        def step(what, future, then):
            def done(future):
                told[what] = plain(future.result())
                then()

            future.add_done_callback(done)

        step(
            "list",
            client.list_parameters(),
            lambda: step(
                "get",
                client.get_parameters(names),
                lambda: step(
                    "describe",
                    client.describe_parameters(names),
                    lambda: step(
                        "set",
                        client.set_parameters(wanted),
                        lambda: say(event="parameters", topic=order["topic"], data=told),
                    ),
                ),
            ),
        )

    def look(self, order):
        nodes = [f"{namespace.rstrip('/')}/{name}" for name, namespace in self.node.get_node_names_and_namespaces()]
        services = {name: kinds for name, kinds in self.node.get_service_names_and_types()}
        say(event="graph", topic=order["topic"], nodes=nodes, services=services)


def main():
    rclpy.init()
    peer = Peer(sys.argv[1])

    def read():
        for order in commands():
            getattr(peer, order["do"])(order)
        rclpy.try_shutdown()

    threading.Thread(target=read, daemon=True).start()
    say(event="ready")
    try:
        rclpy.spin(peer.node)
    except ExternalShutdownException:
        pass


main()
