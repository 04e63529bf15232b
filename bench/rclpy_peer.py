"""rclpy's end of `cargo xtask bench ros2`: told what to do on its standard input, one JSON order a line."""

import array
import json
import sys
import threading
import time

import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

TOPIC = '/bench/image'
QOS = QoSProfile(depth=100)


def talk(publisher, order):
    before = time.process_time_ns()
    period, size = order['period_ns'], order['bytes']
    due = time.monotonic_ns()
    for _ in range(order['messages']):
        due += period
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        sent = time.monotonic_ns()
        image = Image(height=1, width=size, step=size, encoding='mono8', data=array.array('B', bytes(size)))
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(sent, 1_000_000_000)
        publisher.publish(image)
    return {'cpu_ns': time.process_time_ns() - before}


class Notes:
    def __init__(self):
        self.nanos, self.before = [], 0

    def take(self, image):
        now = time.monotonic_ns()
        self.nanos.append(now - image.header.stamp.sec * 1_000_000_000 - image.header.stamp.nanosec)

    def answer(self, order):
        if order['do'] == 'begin':
            self.nanos, self.before = [], time.process_time_ns()
            return {}
        return {'nanos': self.nanos, 'cpu_ns': time.process_time_ns() - self.before}


def main():
    rclpy.init()
    role = sys.argv[1]
    node = rclpy.create_node('talker' if role == 'talk' else 'listener')
    if role == 'talk':
        publisher = node.create_publisher(Image, TOPIC, QOS)
        carry_out = lambda order: talk(publisher, order)
    else:
        notes = Notes()
        node.create_subscription(Image, TOPIC, notes.take, QOS)
        threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()
        carry_out = notes.answer
    for line in sys.stdin:
        print(json.dumps(carry_out(json.loads(line))), flush=True)


main()
