"""Foxglove's side of the connection, with nothing of ours: `websockets` speaks WebSocket, `mcap-ros2-support` decodes by the schema that the
server told (as it does for Foxglove's own recordings), and the protocol is spoken from its specification."""

import base64
import json
import struct
import sys
from contextlib import ExitStack

from mcap.records import Message, Schema
from mcap_ros2.decoder import DecoderFactory
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lines import commands, say


def plain(value):
    """A message as what JSON has; bytes by their length, sum and ends."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value)
        return {"length": len(value), "sum": sum(value), "head": base64.b64encode(value[:16]).decode()}
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    fields = getattr(value, "__slots__", None) or vars(value).keys()
    return {field: plain(getattr(value, field)) for field in fields if not field.startswith("_")}


class Connection:
    """One client."""

    def __init__(self, url, protocols, origin=None):
        self.open = ExitStack()
        self.socket = self.open.enter_context(connect(url, subprotocols=protocols, origin=origin, max_size=None, proxy=None))
        self.channels = {}
        self.factory = DecoderFactory()

    def next(self, timeout=10):
        """The next thing the server says: a dict for a text, a tuple for a message."""
        said = self.socket.recv(timeout)
        if isinstance(said, str):
            told = json.loads(said)
            for channel in told.get("channels", []):
                self.channels[channel["topic"]] = channel
            for gone in told.get("channelIds", []) if told["op"] == "unadvertise" else []:
                self.channels = {topic: one for topic, one in self.channels.items() if one["id"] != gone}
            return told
        opcode, subscription, time = struct.unpack_from("<BIQ", said)
        assert opcode == 1, opcode
        return subscription, time, said[13:]

    def until_channel(self, topic):
        while topic not in self.channels:
            self.next()
        return self.channels[topic]

    def read(self, topic, subscription, count):
        """That many messages of a topic, decoded by its schema."""
        channel = self.until_channel(topic)
        assert (channel["encoding"], channel["schemaEncoding"]) == ("cdr", "ros2msg"), channel
        schema = Schema(id=channel["id"], name=channel["schemaName"], encoding="ros2msg", data=channel["schema"].encode())
        decode = self.factory.decoder_for("cdr", schema)
        self.socket.send(json.dumps({"op": "subscribe", "subscriptions": [{"id": subscription, "channelId": channel["id"]}]}))
        got = 0
        while got < count:
            said = self.next()
            if isinstance(said, tuple) and said[0] == subscription:
                got += 1
                say(event="message", topic=topic, type=channel["schemaName"], time=said[1], value=plain(decode(said[2])))
        self.socket.send(json.dumps({"op": "unsubscribe", "subscriptionIds": [subscription]}))


connection = None
say(event="ready")
for command in commands():
    try:
        if command["do"] == "connect":
            try:
                connection = Connection(command["url"], command["protocols"], command.get("origin"))
            except InvalidStatus as refused:
                say(event="refused", status=refused.response.status_code, why=refused.response.body.decode())
                continue
            info = connection.next()
            say(event="connected", protocol=connection.socket.subprotocol, info=info)
        elif command["do"] == "read":
            connection.read(command["topic"], command["subscription"], command["count"])
            say(event="read", topic=command["topic"])
        elif command["do"] == "channels":
            connection.until_channel(command["until"])
            say(event="channels", topics=sorted(connection.channels))
        elif command["do"] == "send":
            connection.socket.send(command["text"])
            told = connection.next()
            while not isinstance(told, dict) or told["op"] != "status":
                told = connection.next()
            say(event="told", status=told)
        elif command["do"] == "close":
            connection.open.close()
            say(event="closed")
    except Exception as error:  # told, and not only on standard error
        say(event="failed", why=f"{type(error).__name__}: {error}")
        sys.exit(1)
