//! What belongs here: the requirements as constants, so that contracts and tests name them and an unknown id does not
//! compile. The texts live in `requirements/*.toml`; nothing here runs.

/// One numbered requirement. Only this crate makes them, from `requirements/*.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    id: &'static str,
    text: &'static str,
}

impl Requirement {
    /// The id as written in the file, for example `SR-DMS-001`.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// The requirement's sentence.
    pub const fn text(&self) -> &'static str {
        self.text
    }
}

include!(concat!(env!("OUT_DIR"), "/requirements.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_has_an_id_and_a_sentence() {
        assert!(ALL.len() >= 10, "{} requirements", ALL.len());
        for requirement in ALL {
            assert!(requirement.id().starts_with("SR-"), "{}", requirement.id());
            assert!(requirement.text().contains("shall"), "{}: no shall", requirement.id());
        }
    }
}
