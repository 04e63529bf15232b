//! ROS 2's names and how DDS spells them (design article "Topic and service names", rmw_dds_common's prefixes).

pub use troika_transport::name::{NameError, check_namespace, check_node_name, check_topic, full_node_name};

use troika_transport::name::check_part;

/// The DDS topic of a ROS topic.
pub fn topic(name: &str) -> String {
    format!("rt{name}")
}

/// The DDS topic of a service's requests.
pub fn request_topic(service: &str) -> String {
    format!("rq{service}Request")
}

/// The DDS topic of a service's answers.
pub fn reply_topic(service: &str) -> String {
    format!("rr{service}Reply")
}

/// The DDS type of a message type: `package/msg/Name` is `package::msg::dds_::Name_`.
pub fn topic_type(name: &str) -> Result<String, NameError> {
    let (package, kind, name) = parts(name)?;
    Ok(format!("{package}::{kind}::dds_::{name}_"))
}

/// The DDS types of a service's requests and answers.
pub fn service_types(name: &str) -> Result<[String; 2], NameError> {
    let (package, kind, name) = parts(name)?;
    Ok(["Request", "Response"].map(|end| format!("{package}::{kind}::dds_::{name}_{end}_")))
}

fn parts(name: &str) -> Result<(&str, &str, &str), NameError> {
    let mut parts = name.split('/');
    let (Some(package), Some(kind), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NameError::Type);
    };
    let sound = matches!(kind, "msg" | "srv" | "action") && check_part(package).and(check_part(name)).is_ok();
    if sound { Ok((package, kind, name)) } else { Err(NameError::Type) }
}

/// What an endpoint is for, by its DDS topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Of a ROS topic, with its absolute name.
    Topic(&'a str),
    /// Of a service's requests, with the service's absolute name.
    Request(&'a str),
    /// Of its answers.
    Reply(&'a str),
    /// None of ROS.
    Other,
}

/// What an endpoint on a DDS topic is for.
pub fn kind_of(dds_topic: &str) -> Kind<'_> {
    let within =
        |prefix: &str, end: &str| dds_topic.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(end));
    let found = if let Some(name) = within("rt", "") {
        Some((name, Kind::Topic(name)))
    } else if let Some(name) = within("rq", "Request") {
        Some((name, Kind::Request(name)))
    } else {
        within("rr", "Reply").map(|name| (name, Kind::Reply(name)))
    };
    found.filter(|(name, _)| check_topic(name).is_ok()).map_or(Kind::Other, |(_, kind)| kind)
}

/// ROS's spelling of a DDS type, of a service's request or answer that of the service; anything else as it is.
pub fn ros_type(dds: &str) -> String {
    let mut parts = dds.split("::");
    let (Some(package), Some(kind), Some("dds_"), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return dds.to_owned();
    };
    let Some(name) = name.strip_suffix('_') else { return dds.to_owned() };
    let of_service = ["_Request", "_Response"].iter().find_map(|end| name.strip_suffix(end));
    let name = if kind == "srv" { of_service.unwrap_or(name) } else { name };
    format!("{package}/{kind}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_ros_takes_are_taken() {
        for ok in ["/chatter", "/cabin/camera/image_raw", "/_hidden/x1"] {
            assert_eq!(check_topic(ok), Ok(()), "{ok}");
        }
        assert_eq!((check_namespace("/"), check_namespace("/car/front")), (Ok(()), Ok(())));
        assert_eq!(check_node_name("driver_state"), Ok(()));
        assert_eq!(full_node_name("/", "a"), "/a");
        assert_eq!(full_node_name("/car", "a"), "/car/a");
    }

    #[test]
    fn names_that_ros_refuses_are_refused_with_the_reason() {
        for (bad, why) in [
            ("chatter", NameError::NotAbsolute),
            ("/", NameError::EmptyPart),
            ("/a//b", NameError::EmptyPart),
            ("/a b", NameError::Character),
            ("/a/1b", NameError::LeadingDigit),
        ] {
            assert_eq!(check_topic(bad), Err(why), "{bad:?}");
        }
        assert_eq!(check_topic(&format!("/{}", "x".repeat(247))), Err(NameError::TooLong));
        assert_eq!(check_node_name("a/b"), Err(NameError::Character));
        assert_eq!(check_node_name(&"x".repeat(256)), Err(NameError::TooLong));
        for bad in ["", "String", "std_msgs/String", "a/b/c", "a/msg/B/c", "a/msg/", "a/msg/B*"] {
            assert_eq!(topic_type(bad), Err(NameError::Type), "{bad}");
        }
    }

    // As `rmw_cyclonedds_cpp` and `rmw_fastrtps_cpp` of Jazzy name them, seen on the wire.
    #[test]
    fn dds_names_are_those_of_the_rmws() {
        assert_eq!(topic("/chatter"), "rt/chatter");
        assert_eq!(topic_type("std_msgs/msg/String").as_deref(), Ok("std_msgs::msg::dds_::String_"));
        assert_eq!(request_topic("/car/switch"), "rq/car/switchRequest");
        assert_eq!(reply_topic("/car/switch"), "rr/car/switchReply");
        assert_eq!(
            service_types("std_srvs/srv/SetBool"),
            Ok([
                "std_srvs::srv::dds_::SetBool_Request_".to_owned(),
                "std_srvs::srv::dds_::SetBool_Response_".to_owned()
            ])
        );
    }

    #[test]
    fn a_dds_topic_says_what_it_is_for() {
        for (topic, kind) in [
            ("rt/a/b", Kind::Topic("/a/b")),
            ("rq/sRequest", Kind::Request("/s")),
            ("rr/sReply", Kind::Reply("/s")),
            ("ros_discovery_info", Kind::Other),
            ("rt", Kind::Other),
            ("rtchatter", Kind::Other),
            ("rq/s", Kind::Other),
            ("Square", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(kind_of(topic), kind, "{topic}");
        }
    }

    #[test]
    fn a_type_reads_back() {
        assert_eq!(ros_type("std_msgs::msg::dds_::String_"), "std_msgs/msg/String");
        assert_eq!(ros_type("std_srvs::srv::dds_::SetBool_Response_"), "std_srvs/srv/SetBool");
        for other in ["ShapeType", "a::b", "a::msg::dds_::B"] {
            assert_eq!(ros_type(other), other);
        }
    }
}
