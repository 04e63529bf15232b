"""zenoh-ros2-sdk as a peer: listens, talks, serves, asks and lists. It computes type hashes itself from the .msg files."""

import os
import re
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
    "troika_msgs/msg/VehicleSignals": ["std_msgs/msg/Header", "builtin_interfaces/msg/Time"],
}


def described(name):
    """The definition with all that it needs, as bags hold it; and the SDK's own hash of it."""
    from zenoh_ros2_sdk.utils import get_type_hash

    needs = {need: definition(need) for need in NEEDS[name]}
    text = definition(name)
    for need, inner in needs.items():
        text += f"\n{'=' * 80}\nMSG: {need}\n{inner}"
    return text, get_type_hash(name, msg_definition=definition(name), dependencies=needs)


def contained(text, package):
    """Every message that a definition contains, at any depth, with its definition."""
    found = {}
    for line in text.splitlines():
        field = re.match(r"(?:([a-z0-9_]+)/)?([A-Z]\w*)(?:\[.*\])?\s+[a-z]", line)
        if field:
            name = f"{field[1] or package}/msg/{field[2]}"
            found[name] = definition(name)
            found |= contained(found[name], name.split("/")[0])
    return found


def halves(name):
    """A service's definition as the SDK takes it, and the SDK's own hash of it."""
    from zenoh_ros2_sdk.utils import compute_service_type_hash

    package = name.split("/")[0]
    lines = [line.split("#")[0].rstrip() for line in definition(name).splitlines()]
    # In full: rosbags would look for a service's neighbours in a package `rcl_interfaces/srv`.
    lines = [re.sub(r"^(?=[A-Z])", f"{package}/", line) for line in lines]
    request, response = (half.strip() or "# nothing" for half in "\n".join(lines).split("---"))
    # What every service's event holds, too.
    info = "service_msgs/msg/ServiceEventInfo"
    needs = {info: definition(info)} | contained(definition(info), "service_msgs")
    needs |= contained(request, package) | contained(response, package)
    digest = compute_service_type_hash(
        name, request_definition=request, response_definition=response, dependencies=needs
    )
    both = {}
    for half, text in (("request", request), ("response", response)):
        for need, inner in contained(text, package).items():
            text += f"\n{'=' * 80}\nMSG: {need}\n{inner}"
        both[f"{half}_definition"] = text
    return both, digest


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
            # Where it is known to make another hash than ROS, it is given ROS's.
            used = order.get("hash", digest)
            ways = {"domain_id": DOMAIN, "router_port": port, "type_hash": used, "namespace": "/peer"} | both
            if order["do"] == "serve":

                def answer(request):
                    return server.response_msg_class(success=request.data, message="on" if request.data else "off")

                server = ROS2ServiceServer(topic, name, answer, node_name="sdk_server", **ways)
                ends.append(server)
                say(event="serving", topic=topic, hash=digest)
            else:
                client = ROS2ServiceClient(topic, name, node_name="sdk_client", **ways)
                ends.append(client)
                made = build(client.session_mgr.store, client.request_store_type, order["data"])
                got = client.call(**{field: getattr(made, field) for field in order["data"]})
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
