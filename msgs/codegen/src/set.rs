//! A set of messages that refer to one another.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Base, MsgFile};

/// Messages by full name (`package/msg/Name`), checked: every reference resolves and none runs in a circle.
#[derive(Debug, Clone, Default)]
pub struct Interfaces(BTreeMap<String, MsgFile>);

/// A set that does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// A field's type is in no file.
    #[error("{user} needs {missing}, which is not there")]
    Missing {
        /// The message that refers to it.
        user: String,
        /// The type that is not there.
        missing: String,
    },
    /// A message that contains itself.
    #[error("{0} contains itself")]
    Circle(String),
    /// Two files with one full name.
    #[error("{0} is there twice")]
    Twice(String),
}

impl Interfaces {
    /// Checks a set of files.
    pub fn new(files: impl IntoIterator<Item = MsgFile>) -> Result<Interfaces, SetError> {
        let mut map = BTreeMap::new();
        for file in files {
            if let Some(first) = map.insert(file.full_name(), file) {
                return Err(SetError::Twice(first.full_name()));
            }
        }
        let set = Interfaces(map);
        let mut sound = BTreeSet::new();
        for name in set.0.keys() {
            set.walk(name, &mut BTreeSet::new(), &mut sound)?;
        }
        Ok(set)
    }

    /// One message, by its full name.
    pub fn get(&self, full_name: &str) -> Option<&MsgFile> {
        self.0.get(full_name)
    }

    /// All messages, sorted by full name.
    pub fn iter(&self) -> impl Iterator<Item = &MsgFile> {
        self.0.values()
    }

    /// Every message that `file` contains, at any depth, sorted; without itself.
    pub fn referenced(&self, file: &MsgFile) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = direct(file);
        while let Some(name) = open.pop() {
            if let Some(file) = self.0.get(&name)
                && found.insert(name)
            {
                open.extend(direct(file));
            }
        }
        found
    }

    fn walk(
        &self,
        name: &str,
        open: &mut BTreeSet<String>,
        sound: &mut BTreeSet<String>,
    ) -> Result<(), SetError> {
        if sound.contains(name) {
            return Ok(());
        }
        if !open.insert(name.to_owned()) {
            return Err(SetError::Circle(name.to_owned()));
        }
        for inner in self.0.get(name).map(direct).unwrap_or_default() {
            if !self.0.contains_key(&inner) {
                return Err(SetError::Missing { user: name.to_owned(), missing: inner });
            }
            self.walk(&inner, open, sound)?;
        }
        open.remove(name);
        sound.insert(name.to_owned());
        Ok(())
    }
}

fn direct(file: &MsgFile) -> Vec<String> {
    let of_field = |base: &Base| match base {
        Base::Message { package, name } => Some(format!("{package}/msg/{name}")),
        _ => None,
    };
    file.fields.iter().filter_map(|f| of_field(&f.ty.base)).collect()
}
