//! `rmw_dds_common/msg/ParticipantEntitiesInfo` of Jazzy: which nodes a participant has, with their readers and writers. Each
//! participant publishes its own on `ros_discovery_info`, transient local and keep last 1, whenever it changes.

/// The DDS topic; it has no prefix.
pub const ENTITIES_TOPIC: &str = "ros_discovery_info";
/// Its DDS type.
pub const ENTITIES_TYPE: &str = "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_";

/// More of anything than a participant has; a count above it is none.
const MANY: u32 = 1 << 16;

/// A node and its endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeEntities {
    /// `/` or `/car/front`.
    pub namespace: String,
    /// Without its namespace.
    pub name: String,
    /// Its readers' GUIDs.
    pub readers: Vec<[u8; 16]>,
    /// Its writers' GUIDs.
    pub writers: Vec<[u8; 16]>,
}

/// A participant's nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParticipantEntities {
    /// The participant's GUID.
    pub gid: [u8; 16],
    /// Its nodes.
    pub nodes: Vec<NodeEntities>,
}

/// Bytes that are no such message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntitiesError {
    /// It ends too early.
    #[error("it ends too early")]
    Short,
    /// Its representation is not plain CDR.
    #[error("it is no plain CDR")]
    Representation,
    /// A name that is no text.
    #[error("a name in it is no text")]
    Text,
    /// More than there can be.
    #[error("a count in it is too large")]
    Count,
}

impl ParticipantEntities {
    /// CDR, little endian, with its encapsulation header.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0, 1, 0, 0];
        out.extend_from_slice(&self.gid);
        put_count(&mut out, self.nodes.len());
        for node in &self.nodes {
            put_text(&mut out, &node.namespace);
            put_text(&mut out, &node.name);
            for gids in [&node.readers, &node.writers] {
                put_count(&mut out, gids.len());
                gids.iter().for_each(|gid| out.extend_from_slice(gid));
            }
        }
        out
    }

    /// Reads it, in either byte order.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<ParticipantEntities, EntitiesError> {
        let (header, body) = bytes.split_first_chunk::<4>().ok_or(EntitiesError::Short)?;
        let little = match header {
            [0, 1, ..] => true,
            [0, 0, ..] => false,
            _ => return Err(EntitiesError::Representation),
        };
        let mut reader = Reader { body, at: 0, little };
        let gid = reader.gid()?;
        let mut nodes = Vec::new();
        for _ in 0..reader.count()? {
            let (namespace, name) = (reader.text()?, reader.text()?);
            let (readers, writers) = (reader.gids()?, reader.gids()?);
            nodes.push(NodeEntities { namespace, name, readers, writers });
        }
        Ok(ParticipantEntities { gid, nodes })
    }
}

/// Alignment counts from behind the header.
fn put_count(out: &mut Vec<u8>, count: usize) {
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len() + 1);
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], EntitiesError> {
        let end = self.at.checked_add(count).ok_or(EntitiesError::Count)?;
        let taken = self.body.get(self.at..end).ok_or(EntitiesError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn count(&mut self) -> Result<u32, EntitiesError> {
        self.at = self.at.next_multiple_of(4);
        let bytes = <[u8; 4]>::try_from(self.take(4)?).map_err(|_| EntitiesError::Short)?;
        let count = if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        if count > MANY { Err(EntitiesError::Count) } else { Ok(count) }
    }

    fn gid(&mut self) -> Result<[u8; 16], EntitiesError> {
        self.take(16)?.try_into().map_err(|_| EntitiesError::Short)
    }

    fn gids(&mut self) -> Result<Vec<[u8; 16]>, EntitiesError> {
        (0..self.count()?).map(|_| self.gid()).collect()
    }

    fn text(&mut self) -> Result<String, EntitiesError> {
        let count = self.count()? as usize;
        let bytes = self.take(count)?;
        let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        String::from_utf8(text.to_vec()).map_err(|_| EntitiesError::Text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_rmw_dds_common() {
        let info = ParticipantEntities {
            gid: [7; 16],
            nodes: vec![NodeEntities {
                namespace: "/".into(),
                name: "talker".into(),
                readers: vec![],
                writers: vec![[9; 16]],
            }],
        };
        let mut bytes = vec![0, 1, 0, 0];
        bytes.extend_from_slice(&[7; 16]);
        bytes.extend_from_slice(&[1, 0, 0, 0]);
        bytes.extend_from_slice(b"\x02\0\0\0/\0\0\0");
        bytes.extend_from_slice(b"\x07\0\0\0talker\0\0");
        bytes.extend_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0]);
        bytes.extend_from_slice(&[9; 16]);
        assert_eq!(info.encode(), bytes);
        assert_eq!(ParticipantEntities::decode(&bytes), Ok(info));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let node = NodeEntities {
            namespace: "/car".into(),
            name: "a".into(),
            readers: vec![[1; 16]; 3],
            writers: vec![],
        };
        let whole = ParticipantEntities { gid: [1; 16], nodes: vec![node; 2] }.encode();
        for end in 0..whole.len() {
            assert_eq!(ParticipantEntities::decode(&whole[..end]), Err(EntitiesError::Short), "{end}");
        }
        assert_eq!(ParticipantEntities::decode(&[0, 7, 0, 0]), Err(EntitiesError::Representation));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(gid: [u8; 16], names in proptest::collection::vec("[a-z/]{0,9}", 0..4), gids: Vec<[u8; 16]>) {
            let nodes = names.into_iter().map(|name| NodeEntities {
                namespace: "/".into(), name, readers: gids.clone(), writers: gids.clone(),
            }).collect();
            let info = ParticipantEntities { gid, nodes };
            prop_assert_eq!(ParticipantEntities::decode(&info.encode()), Ok(info));
        }

        #[test]
        fn any_bytes_are_read_without_a_word(bytes: Vec<u8>) {
            let _ = ParticipantEntities::decode(&[&[0, 1, 0, 0][..], &bytes].concat());
        }
    }
}
