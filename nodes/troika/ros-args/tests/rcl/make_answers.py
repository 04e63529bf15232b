"""Asks the real rcl (ROS 2 Jazzy) what command lines mean, and writes files/*.yaml and answers.jsonl, which tests/rcl.rs reads.

    pip install ros-jazzy-rclpy ros-jazzy-rmw-fastrtps-cpp ros-jazzy-std-msgs
    python make_answers.py

Left out on purpose, because ours differ: an empty list (rclpy cannot declare one), lists in lists (rcl takes the last), a value that is a
comment alone. A line of answers.jsonl is [arguments, answer]: null where rcl refuses; otherwise namespace, name, what those in RESOLVED
are resolved to as topics and as services, and the parameters.
"""

import itertools
import json
import os
import pathlib
import random

import rclpy
from rclpy.context import Context

HERE = pathlib.Path(__file__).parent
RESOLVED = ['image', '~/image', '/cabin/image', 'cam/image']
KEYS = ['/**', '/*', '/car/*', '/car/dms', 'dms', '/dms', 'car/dms', '/**/dms', '/car/**', '/*/dms', 'dm', '/dm']
FILES = {f'key{i}.yaml': f'{key}:\n  ros__parameters:\n    rate: {i}\n    only{i}: true\n' for i, key in enumerate(KEYS)} | {
    'nested.yaml': 'car:\n  dms:\n    ros__parameters: {a.b: [1, 2], c: {d: "x", e: {g: 1.5}}}\n',
    'two.yaml': '/**:\n  ros__parameters:\n    rate: 100\n/car/dms:\n  ros__parameters:\n    rate: 101\n',
    'turned.yaml': '/car/dms:\n  ros__parameters:\n    rate: 111\n/**:\n  ros__parameters:\n    rate: 110\n',
    'slash.yaml': '/car:\n  dms:\n    ros__parameters: {deep: 1}\n',
    'empty.yaml': '# nothing\n',
    'none.yaml': 'dms:\n  ros__parameters: {}\n',
    'flat.yaml': 'dms:\n  rate: 1\n',
    'bare.yaml': 'ros__parameters:\n  x: 1\n',
    'mixed.yaml': 'dms:\n  ros__parameters:\n    g: [1, 2.0]\n',
    'no_value.yaml': '/**:\n  ros__parameters:\n    x:\n',
}
RULES = r"""image:=cam /image:=/x image:=~/y ~/image:=z rostopic://image:=q rosservice://image:=s dms:image:=only dm:image:=old
    cam/image:=/a/b /cabin/image:=c /car/image:=d __node:=dms __name:=other __ns:=/car __ns:=/ __ns:=/car/front dm:__node:=dms
    dms:__ns:=/car a__b:=c image:=9x __ns:=car __node:=a/b image:= :=x image:=b/ /image/:=c _x:=y image:=_y image:=y_
    dms:rostopic://image:=w image:=\1 *:=x""".split()
VALUES = ['true', 'True', 'yes', 'Y', 'off', 'n', 'on', 'No', '30', '-7', '+7', '0x1F', '010', '08', '1e3', '.5', '5.', '1_000', '0b1',
          '0o7', '.inf', '-.INF', '+.inf', '.nan', 'nan', 'inf', 'infinity', 'Infinity', '9223372036854775807',
          '9223372036854775808', '-9223372036854775808', '-9223372036854775809', "'30'", '"true"', '!!str 30', '~', 'null', 'text',
          'a b', '/p/x.toml', '[1, 2]', '[1, 2.0]', '[a, b]', "['1', b]", '[true, false]', '[1', '{a: 1}', '', '30\n...\n',
          'text\n...\n', '1:2', '12:30', '2020-01-01', '@x', 'a:=b', '"a\\nb"', '-', '- 1', '0x', '0xg', '1.5e', '--1', '00', '-0',
          '-0.0', '0.0', '1e400', '"x', 'a # c', '!!int "3"', '!!float 1', '|-\n x', '*a', '&a 1']
NAMES = ['a.b', 'a/b', 'dm:x', 'dms:x', 'a..b', '.a', 'a.', '9a', 'a-b', '_a', 'a__b', '*:x', 'a b', 'é']
OPTIONS = ['--log-level UNSET', '--log-level warn', '--log-level warning', '--log-level loud', '--log-level rcl:=info',
           '--log-level rcl:=', '--log-level :=info', '-e /x', '--enclave', '--remapp a:=b', 'x', '-r', '-p', '-h']


def command_lines():
    car = ['--ros-args', '-r', '__node:=dms', '-r', '__ns:=/car']
    for start in (['--ros-args'], car):
        yield from (start + ['-r', rule] for rule in RULES)
        yield from (start + ['-p', f'{name}:=1'] for name in NAMES)
        yield from (start + ['--params-file', file] for file in FILES)
    yield from (['--ros-args', '-p', f'x:={value}'] for value in VALUES)
    yield from (['--ros-args', *option.split()] for option in OPTIONS)
    readable = list(FILES)[:16]
    for first, second in itertools.permutations(readable[::2], 2):
        yield car + ['--params-file', first, '--params-file', second]
    chance = random.Random(7)
    pool = [['-r', rule] for rule in RULES[:18]] + [['--params-file', file] for file in readable]
    pool += [['-p', f'rate:={i}'] for i in range(4)] + [['-p', f'dms:rate:={i}'] for i in range(2)]
    pool += [['--'], ['--ros-args'], ['--'], ['--ros-args'], ['plain'], ['--log-level', 'debug'], ['--enable-rosout-logs']]
    for _ in range(400):
        some = chance.choices(pool, k=chance.randint(1, 7))
        yield ['--ros-args'] * chance.randint(0, 3) + [word for words in some for word in words]


def shown(value):
    if isinstance(value, bool):
        return f'bool {str(value).lower()}'
    if isinstance(value, str):
        return f'text {value}'
    if isinstance(value, (int, float)):
        return f'{type(value).__name__} {value!r}'
    return f'[{"; ".join(shown(item) for item in value)}]'


def answer(arguments):
    context = Context()
    try:
        context.init(arguments)
    except Exception:
        return None
    try:
        node = rclpy.create_node('dm', context=context, automatically_declare_parameters_from_overrides=True,
                                 start_parameter_services=False, enable_rosout=False)
        own = ('use_sim_time', 'start_type_description_service')
        params = {name: param.value for name, param in node._parameters.items() if name not in own}
        topics = [node.resolve_topic_name(name) for name in RESOLVED]
        services = [node.resolve_service_name(name) for name in RESOLVED]
        return [node.get_namespace(), node.get_name(), *topics, *services,
                *sorted(f'{name}={shown(value)}' for name, value in params.items())]
    finally:
        context.try_shutdown()


def in_a_process(lines):
    """As many answers as rclpy gives before it falls over, which it does after some hundreds of contexts."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, 'w') as file:
            for line in lines:
                print(json.dumps([line, answer(line)], ensure_ascii=False), file=file, flush=True)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        answers = [line for line in file if line.endswith('\n')]
    os.waitpid(child, 0)
    assert answers, f'rclpy fell over at {lines[0]}'
    return answers


if __name__ == '__main__':
    files = HERE / 'files'
    files.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (files / name).write_text(text)
    os.chdir(files)
    lines = list(command_lines())
    with open(HERE / 'answers.jsonl', 'w') as out:
        done = 0
        while done < len(lines):
            answers = in_a_process(lines[done:done + 100])
            out.writelines(answers)
            done += len(answers)
