//! The two spellings of a type's name; those of ROS 2 names are [`troika_transport::name`]'s.

pub use troika_transport::name::{NameError, check_namespace, check_node_name, check_topic, full_node_name};

use troika_transport::name::check_part;

/// `package/msg/Name` to `package::msg::dds_::Name_` (also `srv` and `action`).
pub fn type_to_dds(name: &str) -> Result<String, NameError> {
    let mut parts = name.split('/');
    let (Some(package), Some(kind), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NameError::Type);
    };
    check_type(package, kind, name)?;
    Ok(format!("{package}::{kind}::dds_::{name}_"))
}

/// `package::msg::dds_::Name_` to `package/msg/Name`.
pub fn type_from_dds(dds: &str) -> Result<String, NameError> {
    let mut parts = dds.split("::");
    let (Some(package), Some(kind), Some("dds_"), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NameError::Type);
    };
    let name = name.strip_suffix('_').ok_or(NameError::Type)?;
    check_type(package, kind, name)?;
    Ok(format!("{package}/{kind}/{name}"))
}

fn check_type(package: &str, kind: &str, name: &str) -> Result<(), NameError> {
    if !matches!(kind, "msg" | "srv" | "action") {
        return Err(NameError::Type);
    }
    check_part(package).and(check_part(name)).map_err(|_| NameError::Type)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_ros_takes_are_taken() {
        for ok in ["/chatter", "/cabin/camera/image_raw", "/_hidden/x1", "/a__b"] {
            assert_eq!(check_topic(ok), Ok(()), "{ok}");
        }
        assert_eq!(check_namespace("/"), Ok(()));
        assert_eq!(check_namespace("/car/front"), Ok(()));
        assert_eq!(check_node_name("driver_state"), Ok(()));
    }

    #[test]
    fn names_that_ros_refuses_are_refused_with_the_reason() {
        for (bad, why) in [
            ("", NameError::NotAbsolute),
            ("chatter", NameError::NotAbsolute),
            ("/", NameError::EmptyPart),
            ("/a//b", NameError::EmptyPart),
            ("/a/", NameError::EmptyPart),
            ("/a b", NameError::Character),
            ("/a/*", NameError::Character),
            ("/a/$*", NameError::Character),
            ("/%a", NameError::Character),
            ("/caf\u{e9}", NameError::Character),
            ("/a/1b", NameError::LeadingDigit),
        ] {
            assert_eq!(check_topic(bad), Err(why), "{bad:?}");
        }
        assert_eq!(check_topic(&format!("/{}", "x".repeat(247))), Err(NameError::TooLong));
        assert_eq!(check_node_name("a/b"), Err(NameError::Character));
        assert_eq!(check_node_name(""), Err(NameError::EmptyPart));
        assert_eq!(check_node_name(&"x".repeat(256)), Err(NameError::TooLong));
    }

    #[test]
    fn a_type_has_two_spellings() {
        assert_eq!(type_to_dds("std_msgs/msg/String").as_deref(), Ok("std_msgs::msg::dds_::String_"));
        assert_eq!(type_from_dds("std_msgs::msg::dds_::String_").as_deref(), Ok("std_msgs/msg/String"));
        assert_eq!(
            type_from_dds("example_interfaces::srv::dds_::AddTwoInts_").as_deref(),
            Ok("example_interfaces/srv/AddTwoInts")
        );
        for bad in ["", "String", "std_msgs/String", "a/b/c", "a/msg/B/c", "a/msg/", "a/msg/B*"] {
            assert_eq!(type_to_dds(bad), Err(NameError::Type), "{bad}");
        }
        for bad in ["", "std_msgs::msg::String_", "std_msgs::msg::dds_::String", "a::b::dds_::C_"] {
            assert_eq!(type_from_dds(bad), Err(NameError::Type), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn both_spellings_say_the_same(name in "[a-z][a-z0-9_]{0,12}/(msg|srv|action)/[A-Z][A-Za-z0-9]{0,12}") {
            let dds = type_to_dds(&name).expect("well formed");
            prop_assert_eq!(type_from_dds(&dds), Ok(name));
        }

        #[test]
        fn garbage_is_refused_or_has_only_plain_characters(name in "\\PC{0,40}") {
            if check_topic(&name).is_ok() {
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_/".contains(&b)));
            }
            let _ = (check_namespace(&name), check_node_name(&name), type_to_dds(&name), type_from_dds(&name));
        }
    }
}
