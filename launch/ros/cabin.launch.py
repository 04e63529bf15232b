"""The cabin stack: what launch/systems/cabin.toml says, and nothing that it does not say.

All of it as one action (`troika run`: its own processes and watchdogs, and one report), or with split:=true one action for each
node of the file.
"""

import os
import tomllib

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = get_package_share_directory('troika')

ARGUMENTS = [
    ('system', 'launch/systems/cabin.toml', 'the system file'),
    ('folder', SHARE, 'where relative paths in the system file start from'),
    ('namespace', '', "ROS namespace of all nodes; by default the system file's"),
    ('params_file', '', 'a ROS parameter file for the nodes'),
    ('router', '', 'the zenoh router, tcp/HOST:PORT; by default as the environment says'),
    ('respawn', 'false', 'start again what ends by itself (watchdogs in the system file do so sooner)'),
    ('report', '', 'write the figures as JSON at the end; not with split:=true'),
    ('split', 'false', 'one action for each node'),
]


def path_of(given, folder):
    """A path of the caller's; if nothing is there, one of the package's."""
    return os.path.abspath(given) if os.path.exists(given) else os.path.join(folder, given)


def actions(context):
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    folder = os.path.abspath(given['folder'])
    system = path_of(given['system'], folder)
    respawn = given['respawn'].lower() in ('true', '1')
    common = {
        'package': 'troika',
        'executable': 'troika',
        'cwd': folder,
        'output': 'screen',
        'respawn': respawn,
        # A process with a watchdog is given longer than launch's 5 s to end.
        'sigterm_timeout': '15',
        'parameters': [os.path.abspath(given['params_file'])] if given['params_file'] else None,
    }
    router = ['--router', given['router']] if given['router'] else []
    if given['split'].lower() not in ('true', '1'):
        report = ['--report', os.path.abspath(given['report'])] if given['report'] else []
        whole = Node(
            **common,
            namespace=given['namespace'] or None,
            arguments=['run', system, '--headless', *router, *report],
            on_exit=None if respawn else Shutdown(reason='the system ended'),
        )
        return [whole]
    with open(system, 'rb') as file:
        table = tomllib.load(file)
    namespace = given['namespace'] or table['system'].get('namespace', '/')
    return [
        Node(**common, name=name, namespace=namespace, arguments=['node', name, '--system', system, *router])
        for name in table['nodes']
    ]


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=actions)])
