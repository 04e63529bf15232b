//! ROS 2 names, as far as a transport must refuse the wrong ones (design article "Topic and service names").

use troika_transport::TransportError;

/// A node's full name from its namespace and name.
pub(crate) fn node(namespace: &str, name: &str) -> Result<String, TransportError> {
    if namespace != "/" {
        topic(namespace)?;
    }
    let full = format!("{}/{name}", namespace.trim_end_matches('/'));
    if is_token(name) { Ok(full) } else { Err(TransportError::Name(full)) }
}

/// Checks an absolute topic name.
pub(crate) fn topic(name: &str) -> Result<(), TransportError> {
    let sound = name.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_token));
    if sound { Ok(()) } else { Err(TransportError::Name(name.into())) }
}

fn is_token(token: &str) -> bool {
    !token.is_empty()
        && !token.starts_with(|c: char| c.is_ascii_digit())
        && !token.contains("__")
        && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_names_pass() {
        for name in ["/chatter", "/car/front/image_raw", "/_hidden"] {
            assert_eq!(topic(name), Ok(()));
        }
        assert_eq!(node("/", "dms").as_deref(), Ok("/dms"));
        assert_eq!(node("/car", "dms").as_deref(), Ok("/car/dms"));
    }

    #[test]
    fn names_that_ros_2_refuses_are_refused() {
        for name in ["chatter", "/", "/a//b", "/a/", "/1st", "/a b", "/a__b", "", "/ä"] {
            assert!(topic(name).is_err(), "{name}");
        }
        assert!(node("/", "a/b").is_err());
        assert!(node("car", "dms").is_err());
    }
}
