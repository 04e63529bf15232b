//! A set of messages that refer to one another.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Base, Folder, MsgFile, SrvFile, parse::full_name};

/// Messages by full name (`package/msg/Name`), and services with what they are made of, checked: every reference resolves and
/// none runs in a circle.
#[derive(Debug, Clone, Default)]
pub struct Interfaces {
    messages: BTreeMap<String, MsgFile>,
    services: Vec<SrvFile>,
}

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
    /// Checks a set of messages without services.
    pub fn new(files: impl IntoIterator<Item = MsgFile>) -> Result<Interfaces, SetError> {
        Interfaces::with_services(files, [])
    }

    /// Checks a set of files. Services need `service_msgs/msg/ServiceEventInfo` among the messages.
    pub fn with_services(
        files: impl IntoIterator<Item = MsgFile>,
        services: impl IntoIterator<Item = SrvFile>,
    ) -> Result<Interfaces, SetError> {
        let mut services: Vec<SrvFile> = services.into_iter().collect();
        services.sort_by_key(SrvFile::full_name);
        let parts = services
            .iter()
            .flat_map(|one| [one.request.clone(), one.response.clone(), one.event(), one.whole()]);
        let mut messages = BTreeMap::new();
        for file in files.into_iter().chain(parts) {
            if let Some(first) = messages.insert(file.full_name(), file) {
                return Err(SetError::Twice(first.full_name()));
            }
        }
        let set = Interfaces { messages, services };
        let mut sound = BTreeSet::new();
        for name in set.messages.keys() {
            set.walk(name, &mut BTreeSet::new(), &mut sound)?;
        }
        Ok(set)
    }

    /// One message, or a part of a service, by its full name.
    pub fn get(&self, full_name: &str) -> Option<&MsgFile> {
        self.messages.get(full_name)
    }

    /// All messages, sorted by full name; without what services are made of.
    pub fn iter(&self) -> impl Iterator<Item = &MsgFile> {
        self.messages.values().filter(|file| file.folder == Folder::Msg)
    }

    /// All services, sorted by full name.
    pub fn services(&self) -> &[SrvFile] {
        &self.services
    }

    /// Every message that `file` contains, at any depth, sorted; without itself.
    pub fn referenced(&self, file: &MsgFile) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = direct(file);
        while let Some(name) = open.pop() {
            if let Some(file) = self.messages.get(&name)
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
        for inner in self.messages.get(name).map(direct).unwrap_or_default() {
            if !self.messages.contains_key(&inner) {
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
        Base::Message { package, folder, name } => Some(full_name(package, *folder, name)),
        _ => None,
    };
    file.fields.iter().filter_map(|f| of_field(&f.ty.base)).collect()
}
