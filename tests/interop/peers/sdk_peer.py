"""zenoh-ros2-sdk as a peer: listens, talks, serves, asks and lists. It computes type hashes itself from the .msg files."""

import os
import sys
import threading
from pathlib import Path

from lines import commands, say
from values import build, plain

# It would fetch standard interfaces by git; ours are in the repository.
MSGS = Path(__file__).resolve().parents[3] / "msgs"
DOMAIN = int(os.environ["ROS_DOMAIN_ID"])


def definition(name):
    package, kind, message = name.split("/")
    folder = MSGS if package == "troika_msgs" else MSGS / "ros" / package
    return (folder / kind / f"{message}.{kind}").read_text()


NEEDS = {
    "std_msgs/msg/String": [],
    "sensor_msgs/msg/Image": ["std_msgs/msg/Header", "builtin_interfaces/msg/Time"],
    "troika_msgs/msg/DriverState": ["std_msgs/msg/Header", "builtin_interfaces/msg/Time"],
}


def described(name):
    """The definition with all that it needs, as bags hold it; and the SDK's own hash of it."""
    from zenoh_ros2_sdk.utils import get_type_hash

    needs = {need: definition(need) for need in NEEDS[name]}
    text = definition(name)
    for need, inner in needs.items():
        text += f"\n{'=' * 80}\nMSG: {need}\n{inner}"
    return text, get_type_hash(name, msg_definition=definition(name), dependencies=needs)


def halves(name):
    """A service's definition as the SDK takes it, and the SDK's own hash of it."""
    from zenoh_ros2_sdk.utils import compute_service_type_hash

    lines = [line.split("#")[0].rstrip() for line in definition(name).splitlines()]
    request, response = "\n".join(lines).split("---")
    both = {"request_definition": request.strip(), "response_definition": response.strip()}
    # What every service's event holds.
    needs = {need: definition(need) for need in ("service_msgs/msg/ServiceEventInfo", "builtin_interfaces/msg/Time")}
    return both, compute_service_type_hash(name, **both, dependencies=needs)


def main(port):
    from zenoh_ros2_sdk import ROS2Publisher, ROS2ServiceClient, ROS2ServiceServer, ROS2Subscriber
    from zenoh_ros2_sdk.discovery import get_topic_info, get_topic_names_and_types
    from zenoh_ros2_sdk.session import ZenohSession

    ends, stops = [], {}
    say(event="ready")
    for order in commands():
        topic, name = order.get("topic"), order.get("type")
        if order["do"] == "listen":
            text, digest = described(name)
            ends.append(
                ROS2Subscriber(
                    topic,
                    name,
                    lambda got, topic=topic: say(event="got", topic=topic, data=plain(got)),
                    msg_definition=text,
                    node_name="sdk_listener",
                    namespace="/peer",
                    domain_id=DOMAIN,
                    router_port=port,
                    type_hash=digest,
                )
            )
            say(event="listening", topic=topic, hash=digest)
        elif order["do"] == "talk":
            text, digest = described(name)
            publisher = ROS2Publisher(
                topic,
                name,
                msg_definition=text,
                node_name="sdk_talker",
                namespace="/peer",
                domain_id=DOMAIN,
                router_port=port,
                type_hash=digest,
            )
            ends.append(publisher)
            made = build(publisher.session_mgr.store, name, order["data"])
            fields = {field: getattr(made, field) for field in order["data"]}
            stop = stops[topic] = threading.Event()

            def run(publisher=publisher, fields=fields, stop=stop):
                while not stop.wait(0.05):
                    publisher.publish(**fields)

            threading.Thread(target=run, daemon=True).start()
            say(event="talking", topic=topic, hash=digest, gid=publisher.publisher_gid.hex())
        elif order["do"] in ("serve", "ask"):
            both, digest = halves(name)
            ways = {"domain_id": DOMAIN, "router_port": port, "type_hash": digest, "namespace": "/peer"} | both
            if order["do"] == "serve":

                def answer(request):
                    return server.response_msg_class(success=request.data, message="on" if request.data else "off")

                server = ROS2ServiceServer(topic, name, answer, node_name="sdk_server", **ways)
                ends.append(server)
                say(event="serving", topic=topic, hash=digest)
            else:
                client = ROS2ServiceClient(topic, name, node_name="sdk_client", **ways)
                ends.append(client)
                got = client.call(data=order["data"])
                say(event="answered", topic=topic, hash=digest, data=None if got is None else plain(got))
        elif order["do"] == "hush":
            stops.pop(topic).set()
        elif order["do"] == "list":
            topics = get_topic_names_and_types(DOMAIN, router_port=port, timeout=5.0)
            told = []
            for found, kinds in topics:
                info = get_topic_info(found, DOMAIN, router_port=port, timeout=5.0, verbose=True)
                if info is None:
                    # Gone between the two questions: the test asks again.
                    continue
                for publishes, side in ((True, info.publishers), (False, info.subscribers)):
                    told += [
                        {
                            "topic": found,
                            "types": kinds,
                            "publishes": publishes,
                            "namespace": end.node_namespace,
                            "node": end.node_name,
                            "hash": end.type_hash,
                            "qos": end.qos,
                        }
                        for end in side
                    ]
            say(event="listed", ends=told)
    for stop in stops.values():
        stop.set()
    for end in ends:
        end.close()
    if ZenohSession._instance is not None:
        ZenohSession._instance.close()


main(int(sys.argv[1]))
