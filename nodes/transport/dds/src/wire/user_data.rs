//! The USER_DATA of ROS 2's participants and endpoints: `key=value;` pairs (rmw's `parse_key_value`).

/// A participant's: its enclave, by which ROS 2 knows it for its own.
pub fn participant_user_data() -> Vec<u8> {
    b"enclave=/;".to_vec()
}

/// An endpoint's: its type's hash (rmw_dds_common's `encode_type_hash_for_user_data_qos`).
pub fn endpoint_user_data(type_hash: &str) -> Vec<u8> {
    if type_hash.is_empty() { Vec::new() } else { format!("typehash={type_hash};").into_bytes() }
}

/// The same of a service's endpoint. ROS 2's RMWs give the hash of the request's or the answer's type there, which is not known here;
/// the service's own stands under a key that they read over.
pub fn service_user_data(type_hash: &str) -> Vec<u8> {
    if type_hash.is_empty() { Vec::new() } else { format!("servicehash={type_hash};").into_bytes() }
}

/// The service's own hash, of our endpoints; empty of others.
pub fn service_hash_of(user_data: &[u8]) -> &str {
    value_of(user_data, "servicehash").unwrap_or_default()
}

/// The value of a key.
pub fn value_of<'a>(user_data: &'a [u8], key: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(user_data).ok()?;
    text.split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

/// `RIHS01_…`, or empty when it gives none.
pub fn type_hash_of(user_data: &[u8]) -> &str {
    value_of(user_data, "typehash").unwrap_or_default()
}

/// Whether an endpoint of a service is rmw_cyclonedds's, which tells requests apart in its own way: it alone numbers them so.
pub fn is_of_rmw_cyclonedds(user_data: &[u8]) -> bool {
    ["serviceid", "clientid"].iter().any(|key| value_of(user_data, key).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(type_hash_of(&endpoint_user_data("RIHS01_00ff")), "RIHS01_00ff");
        assert_eq!(type_hash_of(&endpoint_user_data("")), "");
        assert_eq!(service_hash_of(&service_user_data("RIHS01_00ff")), "RIHS01_00ff");
        assert_eq!(type_hash_of(&service_user_data("RIHS01_00ff")), "");
        assert_eq!(value_of(&participant_user_data(), "enclave"), Some("/"));
    }

    #[test]
    fn rmw_cyclonedds_is_known_by_its_ids() {
        let theirs = b"serviceid= 1.10.a1.0.1;typehash=RIHS01_aa;";
        assert!(is_of_rmw_cyclonedds(theirs) && is_of_rmw_cyclonedds(b"clientid=1.2;"));
        assert!(!is_of_rmw_cyclonedds(&endpoint_user_data("RIHS01_aa")));
        assert_eq!(type_hash_of(theirs), "RIHS01_aa");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_word(bytes: Vec<u8>) {
            let _ = (type_hash_of(&bytes), is_of_rmw_cyclonedds(&bytes));
        }
    }
}
