"""pyzeros as a peer: listens, talks, counts, serves, asks and lists. The type of DriverState is written here by hand from what its fields are, so
that its hash is computed from a second source."""

import asyncio
import itertools
import logging
import os
import struct
import sys
import threading
from typing import Any

import msgspec
import numpy as np
import pyzeros
from ros2_pyterfaces.cydr.idl import IdlStruct, types
from ros2_pyterfaces.cydr.sensor_msgs.msg import Image
from ros2_pyterfaces.cydr.std_msgs.msg import Header, String
from ros2_pyterfaces.cydr.std_srvs.srv import SetBool

import pyzeros.pub
import pyzeros.sub
from pyzeros.builtin_msgs import Attachment
from pyzeros.utils import rmw_zenoh_gid

from lines import commands, say, session
from values import plain


class DriverState(IdlStruct):
    __idl_typename__ = "troika_msgs/msg/DriverState"
    header: Header = msgspec.field(default_factory=Header)
    sequence: types.uint32 = np.uint32(0)
    e2e: types.NDArray[Any, types.UInt8] = msgspec.field(
        default_factory=lambda: np.empty(0, dtype=np.uint8)
    )
    fall_back: types.boolean = False
    state: types.uint8 = np.uint8(0)
    confidence: types.float32 = np.float32(0)
    face_detected: types.boolean = False
    face_box: types.NDArray[types.Shape["4"], types.Float32] = msgspec.field(
        default_factory=lambda: np.zeros(4, dtype=np.float32)
    )
    head_yaw_deg: types.float32 = np.float32(0)
    head_pitch_deg: types.float32 = np.float32(0)
    head_roll_deg: types.float32 = np.float32(0)
    gaze_yaw_deg: types.float32 = np.float32(0)
    gaze_pitch_deg: types.float32 = np.float32(0)
    gaze_zone: types.uint8 = np.uint8(0)
    eye_openness_left: types.float32 = np.float32(0)
    eye_openness_right: types.float32 = np.float32(0)
    mouth_opening: types.float32 = np.float32(0)
    perclos: types.float32 = np.float32(0)
    landmarks: types.NDArray[Any, types.Float32] = msgspec.field(
        default_factory=lambda: np.empty(0, dtype=np.float32)
    )
    model: types.string = b""


# It tells each message that nobody has waited for yet.
logging.disable(logging.WARNING)

TYPES = {kind.get_type_name(): kind for kind in (String, Image, DriverState)}
PUBS = {}
DOMAIN = int(os.environ["ROS_DOMAIN_ID"])


def message(kind, data):
    """A message from plain values: pyzeros wants bytes for strings and arrays of the field's type."""
    out = kind()
    for name, value in data.items():
        old = getattr(out, name)
        if isinstance(old, bytes):
            value = value.encode()
        elif isinstance(old, np.ndarray):
            value = np.array(value, dtype=old.dtype)
        elif hasattr(old, "__struct_fields__"):
            value = message(type(old), value)
        elif isinstance(old, np.generic):
            value = type(old)(value)
        setattr(out, name, value)
    return out


async def listen(topic, kind):
    sub = pyzeros.Sub(kind, topic)

    def attached(sample):
        # pyzeros reads its own attachment type; on the wire it has no encapsulation header.
        got = Attachment.deserialize(b"\x00\x01\x00\x00" + sample.attachment.to_bytes())
        gid = bytes(got.source_gid.tolist()).hex()
        say(event="attached", topic=topic, sequence=int(got.sequence_number), gid=gid)

    sub.sample_sub.asap_callback.append(attached)
    say(event="listening", topic=topic, hash=kind.hash_rihs01())
    async for got in sub.listen_reliable():
        say(event="got", topic=topic, data=plain(got))


async def talk(topic, kind, data):
    pub = pyzeros.Pub(kind, topic)
    say(event="talking", topic=topic, hash=kind.hash_rihs01(), gid=bytes(pub.gid.tolist()).hex())
    while True:
        pub.publish(message(kind, data))
        await asyncio.sleep(0.05)


async def greet(topic, kind, data):
    """Says the same again and again, until the first burst."""
    pub = PUBS[topic] = pyzeros.Pub(kind, topic)
    while True:
        pub.publish(message(kind, {"data": data}))
        await asyncio.sleep(0.05)


def burst(topic, first, end):
    """Numbers as fast as they go; zenoh has room for so many."""
    pub = PUBS[topic]
    for number in range(first, end):
        pub.publish(message(String, {"data": str(number)}))


async def count(topic, kind, every):
    """Tells when so many more numbers came, and whether each was the next; and of what is none, that it came."""
    sub = pyzeros.Sub(kind, topic)
    say(event="counting", topic=topic)
    number, ordered = 0, True
    async for got in sub.listen_reliable(queue_size=0):
        if not got.data.isdigit():
            say(event="heard", topic=topic)
            continue
        ordered &= int(got.data) == number
        number += 1
        if number % every == 0:
            say(event="counted", topic=topic, got=number, ordered=ordered)


async def serve(service):
    server = pyzeros.Server(SetBool, service)
    say(event="serving", topic=service, hash=SetBool.hash_rihs01())
    async for got in server.listen_reliable():
        got.response.success = got.request.data
        got.response.message = b"on" if got.request.data else b"off"
        got.send()


async def ask(service, data):
    client = pyzeros.Client(SetBool, service)
    await client.wait_for_service()
    answer = await client.call_async(SetBool.Request(**data))
    say(event="answered", topic=service, hash=SetBool.hash_rihs01(), data=plain(answer))


async def spoil(zenoh_session, key, payloads, asks):
    """What no reader of the key's type can read, one after another, again and again: as messages or as requests, with an attachment as a
    ROS node's and without one."""
    attachment = struct.pack("<qqB16s", 1, 0, 16, b"s" * 16)
    for payload, attached in itertools.cycle(itertools.product(payloads, (attachment, None))):
        if asks:
            replies = zenoh_session.get(key, payload=bytes(payload), attachment=attached, timeout=5.0)
            for reply in await asyncio.to_thread(list, replies):
                if reply.err is not None:
                    say(event="refused", topic=key, why=reply.err.payload.to_string())
        else:
            zenoh_session.put(key, bytes(payload), attachment=attached)
        await asyncio.sleep(0.02)


def listing(zenoh_session):
    """Every token of the domain, and the same token as pyzeros would write it for that entity."""
    found = []
    for reply in zenoh_session.liveliness().get(f"@ros2_lv/{DOMAIN}/**", timeout=5.0):
        key = str(reply.ok.key_expr)
        parts = key.split("/")
        token = {"key": key, "kind": parts[5], "namespace": parts[7], "node": parts[8]}
        if parts[5] in ("MP", "MS"):
            module = pyzeros.pub if parts[5] == "MP" else pyzeros.sub
            token |= {"topic": parts[9].replace("%", "/"), "dds_type": parts[10], "hash": parts[11]}
            token["as_pyzeros"] = module.token_keyexpr(
                name=token["topic"],
                dds_type=parts[10],
                hash=parts[11],
                node_name=parts[8],
                session=zenoh_session,
                domain_id=DOMAIN,
                namespace=parts[7].replace("%", "/"),
                _node_id=parts[3],
                _zenoh_id=parts[2],
                _entity_id=parts[4],
            )
            token["gid"] = rmw_zenoh_gid(key).hex()
        found.append(token)
    say(event="listed", tokens=found)


async def main(port):
    loop = asyncio.get_running_loop()
    orders = asyncio.Queue()

    def read():
        for order in commands():
            loop.call_soon_threadsafe(orders.put_nowait, order)
        loop.call_soon_threadsafe(orders.put_nowait, {"do": "end"})

    threading.Thread(target=read, daemon=True).start()
    zenoh_session = session(port)
    tasks = {}
    with pyzeros.auto_context(node="pyzeros_peer", zenoh_session=zenoh_session, namespace="/peer"):
        say(event="ready")
        while (order := await orders.get())["do"] != "end":
            topic = order.get("topic")
            if order["do"] == "listen":
                tasks[topic] = asyncio.create_task(listen(topic, TYPES[order["type"]]))
            elif order["do"] == "talk":
                tasks[topic] = asyncio.create_task(talk(topic, TYPES[order["type"]], order["data"]))
            elif order["do"] == "greet":
                tasks[topic] = asyncio.create_task(greet(topic, TYPES[order["type"]], order["data"]))
            elif order["do"] == "burst":
                tasks[topic].cancel()
                burst(topic, order["from"], order["to"])
            elif order["do"] == "count":
                tasks[topic] = asyncio.create_task(count(topic, TYPES[order["type"]], order["every"]))
            elif order["do"] == "serve":
                tasks[topic] = asyncio.create_task(serve(topic))
            elif order["do"] == "ask":
                tasks[topic] = asyncio.create_task(ask(topic, order["data"]))
            elif order["do"] == "spoil":
                tasks[topic] = asyncio.create_task(spoil(zenoh_session, topic, order["payloads"], order["asks"]))
            elif order["do"] == "hush":
                tasks.pop(topic).cancel()
            elif order["do"] == "list":
                listing(zenoh_session)
            for task in tasks.values():
                if task.done() and not task.cancelled():
                    task.result()
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    zenoh_session.close()


asyncio.run(main(int(sys.argv[1])))
