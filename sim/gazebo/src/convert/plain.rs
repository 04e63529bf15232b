//! Single values, and the clock.

use troika_msgs::{rosgraph_msgs, std_msgs};

use super::{Both, Unconvertible, common};
use crate::wire;

macro_rules! value {
    ($($ours:ident is $theirs:ident),*) => {
        $(impl Both for std_msgs::$ours {
            type Theirs = wire::$theirs;

            fn from_gazebo(theirs: wire::$theirs) -> Result<Self, Unconvertible> {
                Ok(std_msgs::$ours { data: theirs.data })
            }

            fn into_gazebo(self) -> Result<wire::$theirs, Unconvertible> {
                Ok(wire::$theirs { data: self.data })
            }
        })*
    };
}

value!(Bool is Boolean, String is StringMsg, Float64 is Double, Float32 is Float, Int32 is Int32);

impl Both for rosgraph_msgs::Clock {
    type Theirs = wire::Clock;

    fn from_gazebo(theirs: wire::Clock) -> Result<Self, Unconvertible> {
        let sim = theirs.sim.ok_or_else(|| common::wrong("sim", "the clock has no simulated time"))?;
        Ok(rosgraph_msgs::Clock { clock: common::time(sim)? })
    }

    fn into_gazebo(self) -> Result<wire::Clock, Unconvertible> {
        Ok(wire::Clock { sim: Some(common::stamp(self.clock)?) })
    }
}
