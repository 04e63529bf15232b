//! How a body moves: IMU, odometry, twist, joints.

use troika_msgs::{
    geometry_msgs::{Point, Pose, PoseWithCovariance, Twist, TwistWithCovariance},
    nav_msgs::Odometry,
    sensor_msgs::{Imu, JointState},
};

use super::{Both, Unconvertible, common, common::wrong};
use crate::wire;

/// ROS's sign in a covariance's first element that there is no such value (`sensor_msgs/Imu`).
const NONE: f64 = -1.0;

impl Both for Imu {
    type Theirs = wire::Imu;

    fn from_gazebo(theirs: wire::Imu) -> Result<Self, Unconvertible> {
        let mut imu = Imu {
            header: common::header(theirs.header.as_ref())?,
            angular_velocity: common::vector(theirs.angular_velocity),
            linear_acceleration: common::vector(theirs.linear_acceleration),
            ..Imu::default()
        };
        if theirs.orientation.is_none() {
            imu.orientation_covariance[0] = NONE;
        }
        imu.orientation = common::quaternion(theirs.orientation);
        Ok(imu)
    }

    fn into_gazebo(self) -> Result<wire::Imu, Unconvertible> {
        let known = self.orientation_covariance[0] != NONE;
        Ok(wire::Imu {
            entity_name: self.header.frame_id.clone(),
            header: Some(common::their_header(&self.header)?),
            orientation: known.then(|| common::their_quaternion(self.orientation)).flatten(),
            angular_velocity: common::their_vector(self.angular_velocity),
            linear_acceleration: common::their_vector(self.linear_acceleration),
        })
    }

    fn set_frame(&mut self, frame: &str) {
        frame.clone_into(&mut self.header.frame_id);
    }
}

impl Both for Twist {
    type Theirs = wire::Twist;

    fn from_gazebo(theirs: wire::Twist) -> Result<Self, Unconvertible> {
        Ok(twist(theirs))
    }

    fn into_gazebo(self) -> Result<wire::Twist, Unconvertible> {
        Ok(their_twist(self))
    }
}

fn twist(theirs: wire::Twist) -> Twist {
    Twist { linear: common::vector(theirs.linear), angular: common::vector(theirs.angular) }
}

fn their_twist(ours: Twist) -> wire::Twist {
    wire::Twist {
        header: None,
        linear: common::their_vector(ours.linear),
        angular: common::their_vector(ours.angular),
    }
}

impl Both for Odometry {
    type Theirs = wire::Odometry;

    fn from_gazebo(theirs: wire::Odometry) -> Result<Self, Unconvertible> {
        let pose = theirs.pose.ok_or_else(|| wrong("pose", "there is none"))?;
        let at = pose.position.unwrap_or_default();
        Ok(Odometry {
            header: common::header(theirs.header.as_ref())?,
            child_frame_id: common::child_frame(theirs.header.as_ref()),
            pose: PoseWithCovariance {
                pose: Pose {
                    position: Point { x: at.x, y: at.y, z: at.z },
                    orientation: common::quaternion(pose.orientation),
                },
                ..PoseWithCovariance::default()
            },
            twist: TwistWithCovariance {
                twist: twist(theirs.twist.unwrap_or_default()),
                ..TwistWithCovariance::default()
            },
        })
    }

    /// The covariances stay behind: this message of Gazebo's has none.
    fn into_gazebo(self) -> Result<wire::Odometry, Unconvertible> {
        let mut header = common::their_header(&self.header)?;
        common::name(&mut header, common::CHILD_FRAME, &self.child_frame_id);
        let Pose { position, orientation } = self.pose.pose;
        Ok(wire::Odometry {
            header: Some(header),
            pose: Some(wire::Pose {
                position: Some(wire::Vector3d { x: position.x, y: position.y, z: position.z }),
                orientation: common::their_quaternion(orientation),
            }),
            twist: Some(their_twist(self.twist.twist)),
        })
    }

    fn set_frame(&mut self, frame: &str) {
        frame.clone_into(&mut self.header.frame_id);
    }
}

impl Both for JointState {
    type Theirs = wire::Model;

    /// A joint without an axis (a fixed one) has no state and is left out.
    fn from_gazebo(theirs: wire::Model) -> Result<Self, Unconvertible> {
        let mut state =
            JointState { header: common::header(theirs.header.as_ref())?, ..JointState::default() };
        for joint in theirs.joint {
            if let Some(axis) = joint.axis1 {
                state.name.push(joint.name);
                state.position.push(axis.position);
                state.velocity.push(axis.velocity);
                state.effort.push(axis.force);
            }
        }
        Ok(state)
    }

    fn into_gazebo(self) -> Result<wire::Model, Unconvertible> {
        let joints = self.name.len();
        let all = [("position", &self.position), ("velocity", &self.velocity), ("effort", &self.effort)];
        for (field, values) in all {
            if !values.is_empty() && values.len() != joints {
                return Err(wrong(field, format!("{} values for {joints} joints", values.len())));
            }
        }
        // An array that is empty says nothing of its kind; Gazebo has 0 for that.
        let value = |values: &[f64], at: usize| values.get(at).copied().unwrap_or(0.0);
        let joint = self.name.iter().enumerate().map(|(at, name)| wire::Joint {
            name: name.clone(),
            axis1: Some(wire::Axis {
                position: value(&self.position, at),
                velocity: value(&self.velocity, at),
                force: value(&self.effort, at),
            }),
        });
        let joint = joint.collect();
        Ok(wire::Model { header: Some(common::their_header(&self.header)?), name: String::new(), joint })
    }

    fn set_frame(&mut self, frame: &str) {
        frame.clone_into(&mut self.header.frame_id);
    }
}
