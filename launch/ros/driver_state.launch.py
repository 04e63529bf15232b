"""The driver state detector alone, in a system that has a camera."""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

PARAMETERS = os.path.join(get_package_share_directory('troika'), 'config', 'driver_state.yaml')

ARGUMENTS = [
    ('name', 'driver_state', "the node's name"),
    ('namespace', '/', "the node's namespace"),
    ('image', '/cabin/camera/image_raw', 'the topic of the camera frames (sensor_msgs/Image)'),
    ('state', '/cabin/driver_state', 'the topic of the driver states (troika_msgs/DriverState)'),
    ('params_file', PARAMETERS, 'a ROS parameter file'),
]


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    node = Node(
        package='troika',
        executable='driver_state',
        name=LaunchConfiguration('name'),
        namespace=LaunchConfiguration('namespace'),
        remappings=[('image', LaunchConfiguration('image')), ('state', LaunchConfiguration('state'))],
        parameters=[LaunchConfiguration('params_file')],
        output='screen',
        # Its watchdog gives it longer than launch's 5 s to end.
        sigterm_timeout='15',
    )
    return LaunchDescription([*declared, node])
