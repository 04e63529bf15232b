"""The Python binding of CycloneDDS: a DDS participant that knows nothing of ROS but two message types, written here in its IDL."""

import sys
import threading
import time
from dataclasses import dataclass, fields, is_dataclass

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, float32, int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from lines import commands, say

QOS = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepLast(10))
# Of what was said, late joiners get as many as the durability service keeps: by default one.
LASTING = Qos(
    Policy.Durability.TransientLocal,
    Policy.DurabilityService(0, Policy.History.KeepLast(10), -1, -1, -1),
    base=QOS,
)


@dataclass
class String(IdlStruct, typename="std_msgs::msg::dds_::String_"):
    data: str


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str


@dataclass
class DriverState(IdlStruct, typename="troika_msgs::msg::dds_::DriverState_"):
    header: Header
    sequence: uint32
    e2e: sequence[uint8]
    fall_back: bool
    state: uint8
    confidence: float32
    face_detected: bool
    face_box: array[float32, 4]
    head_yaw_deg: float32
    head_pitch_deg: float32
    head_roll_deg: float32
    gaze_yaw_deg: float32
    gaze_pitch_deg: float32
    gaze_zone: uint8
    eye_openness_left: float32
    eye_openness_right: float32
    mouth_opening: float32
    perclos: float32
    landmarks: sequence[float32]
    model: str


KINDS = {"std_msgs/msg/String": String, "troika_msgs/msg/DriverState": DriverState}
NESTED = {"header": Header, "stamp": Time}


def build(kind, told):
    return kind(**{one.name: build(NESTED[one.name], told[one.name]) if one.name in NESTED else told[one.name] for one in fields(kind)})


def tell(value):
    if is_dataclass(value):
        return {one.name: tell(getattr(value, one.name)) for one in fields(value)}
    return [tell(item) for item in value] if isinstance(value, (list, tuple)) else value


def main():
    participant = DomainParticipant(int(sys.argv[1]))
    kept = []

    def talk(topic, kind, data):
        writer = DataWriter(participant, Topic(participant, f"rt{topic}", kind), qos=QOS)
        message = build(kind, data)
        while True:
            if writer.get_matched_subscriptions():
                writer.write(message)
            time.sleep(0.05)

    def say_once(topic, kind, values):
        """What late joiners are to get."""
        writer = DataWriter(participant, Topic(participant, f"rt{topic}", kind), qos=LASTING)
        kept.append(writer)
        for told in values:
            writer.write(build(kind, told))
        say(event="said", topic=topic)

    def listen(topic, kind, qos):
        reader = DataReader(participant, Topic(participant, f"rt{topic}", kind), qos=qos)
        kept.append(reader)
        say(event="listening", topic=topic)
        while True:
            for message in reader.take(N=10):
                say(event="got", topic=topic, data=tell(message))
            time.sleep(0.02)

    say(event="ready")
    for order in commands():
        kind, topic = KINDS[order["type"]], order["topic"]
        if order["do"] == "talk":
            threading.Thread(target=talk, args=(topic, kind, order["data"]), daemon=True).start()
            say(event="talking", topic=topic)
        elif order["do"] == "say":
            say_once(topic, kind, order["values"])
        else:
            qos = LASTING if order.get("lasting") else QOS
            threading.Thread(target=listen, args=(topic, kind, qos), daemon=True).start()


main()
