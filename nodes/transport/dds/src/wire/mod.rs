//! What ROS 2 says on DDS, as pure functions: names, the users' data of endpoints and participants, who has which endpoint, and how a
//! request is told from another.

mod entities;
mod name;
mod request;
mod user_data;

pub use entities::{ENTITIES_TOPIC, ENTITIES_TYPE, EntitiesError, NodeEntities, ParticipantEntities};
pub use name::{
    Kind, NameError, check_namespace, check_node_name, check_topic, full_node_name, kind_of, reply_topic,
    request_topic, ros_type, service_types, topic, topic_type,
};
pub use request::{RequestId, prefixed, unprefixed};
pub use user_data::{
    endpoint_user_data, is_of_rmw_cyclonedds, participant_user_data, service_hash_of, service_user_data,
    type_hash_of, value_of,
};
