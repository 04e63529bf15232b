//! One .srv file: a request and a response, and what ROS 2 makes of them beside.

use crate::{
    Array, Base, Field, Folder, MsgFile, ParseError, ParseErrorKind, Type,
    parse::{full_name, parse},
};

/// A .srv file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrvFile {
    /// The package it belongs to.
    pub package: String,
    /// The service's name.
    pub name: String,
    /// What is asked: `NAME_Request`.
    pub request: MsgFile,
    /// What is answered: `NAME_Response`.
    pub response: MsgFile,
}

/// The package whose `ServiceEventInfo` every service's hash covers.
const EVENT_INFO: (&str, &str) = ("service_msgs", "ServiceEventInfo");

/// Reads one .srv file.
pub fn parse_service(package: &str, name: &str, text: &str) -> Result<SrvFile, ParseError> {
    let separators: Vec<usize> =
        text.lines().enumerate().filter(|(_, line)| line.trim_end() == "---").map(|(at, _)| at).collect();
    let [separator] = separators[..] else {
        let line = separators.get(1).map_or(0, |at| at + 1);
        return Err(ParseError { line, kind: ParseErrorKind::Separator });
    };
    let half = |suffix: &str, range: std::ops::Range<usize>| {
        // The other half's lines are left empty, so that an error names the right line.
        let lines = text.lines().enumerate().map(|(at, line)| if range.contains(&at) { line } else { "" });
        let mut file = parse(package, name, &lines.collect::<Vec<_>>().join("\n"))?;
        file.folder = Folder::Srv;
        file.name += suffix;
        Ok(file)
    };
    Ok(SrvFile {
        package: package.to_owned(),
        name: name.to_owned(),
        request: half("_Request", 0..separator)?,
        response: half("_Response", separator + 1..usize::MAX)?,
    })
}

impl SrvFile {
    /// `package/srv/Name`.
    pub fn full_name(&self) -> String {
        full_name(&self.package, Folder::Srv, &self.name)
    }

    /// `NAME_Event`: what service introspection publishes; here for the hash alone.
    pub fn event(&self) -> MsgFile {
        let (package, name) = EVENT_INFO;
        let info = Base::Message { package: package.to_owned(), folder: Folder::Msg, name: name.to_owned() };
        self.made(
            "_Event",
            [
                field("info", info, Array::One),
                field("request", of(&self.request), Array::Bounded(1)),
                field("response", of(&self.response), Array::Bounded(1)),
            ],
        )
    }

    /// The service as it is hashed: a message of its three parts.
    pub fn whole(&self) -> MsgFile {
        self.made(
            "",
            [
                field("request_message", of(&self.request), Array::One),
                field("response_message", of(&self.response), Array::One),
                field("event_message", of(&self.event()), Array::One),
            ],
        )
    }

    fn made(&self, suffix: &str, fields: [Field; 3]) -> MsgFile {
        MsgFile {
            package: self.package.clone(),
            folder: Folder::Srv,
            name: format!("{}{suffix}", self.name),
            docs: Vec::new(),
            fields: fields.into(),
            constants: Vec::new(),
            text: String::new(),
        }
    }
}

fn of(file: &MsgFile) -> Base {
    Base::Message { package: file.package.clone(), folder: file.folder, name: file.name.clone() }
}

fn field(name: &str, base: Base, array: Array) -> Field {
    Field { ty: Type { base, array }, name: name.to_owned(), default: None, docs: Vec::new() }
}
