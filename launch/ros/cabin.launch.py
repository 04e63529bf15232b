"""The cabin stack: what launch/systems/cabin.toml says, and nothing that it does not say.

All of it as one action (`troika run`: its own processes and watchdogs, and one report), or with split:=true one action for each
node of the file; with lifecycle:=true launch itself configures and activates these.
"""

import os
import tomllib

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

SHARE = get_package_share_directory('troika')

ARGUMENTS = [
    ('system', 'launch/systems/cabin.toml', 'the system file'),
    ('folder', SHARE, 'where relative paths in the system file start from'),
    ('transport', '', 'zenoh, dds or ros2; by default as the system file and RMW_IMPLEMENTATION say'),
    ('namespace', '', "ROS namespace of all nodes; by default the system file's"),
    ('params_file', '', 'a ROS parameter file for the nodes'),
    ('use_sim_time', 'false', 'time from /clock'),
    ('router', '', 'the zenoh router, tcp/HOST:PORT; by default as the environment says'),
    ('respawn', 'false', 'start again what ends by itself (watchdogs in the system file do so sooner)'),
    ('respawn_max_retries', '3', 'how often; -1: without limit'),
    ('report', '', 'write the figures as JSON at the end; not with split:=true'),
    ('record', '', 'record all topics of the nodes into this folder (ros2 bag)'),
    ('split', 'false', 'one action for each node'),
    ('lifecycle', 'false', 'with split:=true: nodes wait until launch configures and activates them'),
]

# Speech and the language model are programs of their own, without a life cycle.
PLAIN = ('voice', 'slm')


def is_true(text):
    return text.lower() in ('true', '1')


def path_of(given, folder):
    """A path of the caller's; if nothing is there, one of the package's."""
    return os.path.abspath(given) if os.path.exists(given) else os.path.join(folder, given)


def brought_up(node):
    """Configures a lifecycle node when its process starts, and activates it when it is configured."""

    def change(transition):
        return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))

    started = OnProcessStart(target_action=node, on_start=[change(Transition.TRANSITION_CONFIGURE)])
    configured = OnStateTransition(
        target_lifecycle_node=node,
        start_state='configuring',
        goal_state='inactive',
        entities=[change(Transition.TRANSITION_ACTIVATE)],
    )
    return [RegisterEventHandler(started), RegisterEventHandler(configured), node]


def actions(context):
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    folder = os.path.abspath(given['folder'])
    system = path_of(given['system'], folder)
    respawn = is_true(given['respawn'])
    parameters = [os.path.abspath(given['params_file'])] if given['params_file'] else []
    if is_true(given['use_sim_time']):
        parameters.append({'use_sim_time': True})
    common = {
        'package': 'troika',
        'executable': 'troika',
        'cwd': folder,
        'output': 'screen',
        'respawn': respawn,
        'respawn_max_retries': int(given['respawn_max_retries']),
        # A process with a watchdog is given longer than launch's 5 s to end.
        'sigterm_timeout': '15',
    }
    options = []
    for name in ('router', 'transport'):
        options += [f'--{name}', given[name]] if given[name] else []
    all_of_them = []
    if given['record']:
        # It ends with the launch; its own file is closed by SIGINT.
        record = ['ros2', 'bag', 'record', '--all', '--output', os.path.abspath(given['record'])]
        all_of_them.append(ExecuteProcess(cmd=record, output='screen'))
    if not is_true(given['split']):
        report = ['--report', os.path.abspath(given['report'])] if given['report'] else []
        whole = Node(
            **common,
            namespace=given['namespace'] or None,
            parameters=parameters or None,
            arguments=['run', system, '--headless', *options, *report],
            on_exit=None if respawn else Shutdown(reason='the system ended'),
        )
        return [*all_of_them, whole]
    with open(system, 'rb') as file:
        table = tomllib.load(file)
    namespace = given['namespace'] or table['system'].get('namespace', '/')
    lifecycle = is_true(given['lifecycle'])
    for name, node in table['nodes'].items():
        arguments = ['node', name, '--system', system, *options]
        own = {'name': name, 'namespace': namespace, 'arguments': arguments}
        if lifecycle and node['kind'] not in PLAIN:
            waits = [*parameters, {'troika.autostart': False}]
            all_of_them += brought_up(LifecycleNode(**common, **own, parameters=waits))
        else:
            all_of_them.append(Node(**common, **own, parameters=parameters or None))
    return all_of_them


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=actions)])
