//! What belongs here: ROS 2's command line (`--ros-args …`) and its parameter files, read as rcl reads them, and what they mean for
//! a node: its name, its topics, its parameters. Pure: who calls it reads the files.
//!
//! rcl is followed where users can tell the difference: the first remap rule that matches wins; a parameter is looked for under
//! every key that matches the node, keys in the order in which they first appear (in all files and `-p` together), and the last
//! one found wins; values are typed as `rcl_yaml_param_parser` types them (`yes` is a boolean, `010` is eight).

mod params;
mod rules;
mod value;

use std::{ffi::OsString, fmt};

pub use params::{Origin, Param};
pub use rules::{Rule, expand, is_name, is_token};
pub use value::Value;

use params::Table;
use rules::{Of, What};

/// An argument that cannot be used: which, why, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{argument}: {reason}; {way_out}")]
pub struct Refused {
    /// As it was written, with its option; or the file and its line.
    pub argument: String,
    /// What is wrong.
    pub reason: String,
    /// What to write instead.
    pub way_out: String,
}

impl Refused {
    /// One.
    pub fn new(argument: impl Into<String>, reason: impl Into<String>, way_out: impl Into<String>) -> Self {
        Refused { argument: argument.into(), reason: reason.into(), way_out: way_out.into() }
    }
}

/// A known option that does nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    /// As it was written.
    pub argument: String,
    /// Why, and what does.
    pub why: &'static str,
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.argument, self.why)
    }
}

/// What stands between `--ros-args` and `--`, of all such blocks together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RosArgs {
    rules: Vec<Rule>,
    params: Table,
    /// Known options that do nothing here.
    pub idle: Vec<Idle>,
}

/// A command line, parted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommandLine {
    /// The program's own arguments, its name among them.
    pub plain: Vec<OsString>,
    /// ROS's.
    pub ros: RosArgs,
}

const LOGS: &str = "no effect here: Troika has no log levels, what a person must know is printed";
const LOG_FILES: &str = "no effect here: Troika writes no log files";
const ROSOUT: &str = "no effect here: Troika publishes no /rosout";
const ENCLAVES: &str =
    "no effect here: there are no enclaves; zenoh's own access control stands in ZENOH_SESSION_CONFIG_URI";
const WAY_OUT: &str = "known are -r, -p, --params-file, --log-level, --log-config-file, --log-file-name, -e and --enable- or --disable- with \
     rosout-logs, stdout-logs, external-lib-logs; the program's own options stand before --ros-args or after --";

/// Parts a command line. `read` gives the text of a parameter file, or why it cannot.
///
/// # Errors
/// An unknown option, one without its value, a rule or a value that is none, a file that cannot be used.
pub fn read(
    arguments: impl IntoIterator<Item = OsString>,
    mut read: impl FnMut(&str) -> Result<String, String>,
) -> Result<CommandLine, Refused> {
    let mut line = CommandLine::default();
    let mut inside = false;
    let mut arguments = arguments.into_iter();
    // The program's own name is never a rule.
    line.plain.extend(arguments.next());
    while let Some(argument) = arguments.next() {
        if !inside {
            match argument.to_str() {
                Some("--ros-args") => inside = true,
                Some(text) if !text.starts_with('-') && text.contains(":=") => match Rule::parse(text) {
                    // rcl takes it too, and warns.
                    Ok(rule) => {
                        line.ros.rules.push(rule);
                        line.ros.idle.push(Idle {
                            argument: text.to_owned(),
                            why: "taken as a remap; this form is deprecated: --ros-args -r FROM:=TO",
                        });
                    }
                    Err(_) => line.plain.push(argument),
                },
                _ => line.plain.push(argument),
            }
            continue;
        }
        let option = text(argument)?;
        let mut value = |what: &str| match arguments.next() {
            Some(value) => text(value),
            None => {
                Err(Refused::new(&option, "stands last, without its value", format!("write {option} {what}")))
            }
        };
        let mut idle = |argument: String, why| line.ros.idle.push(Idle { argument, why });
        match option.as_str() {
            "--ros-args" => {}
            "--" => inside = false,
            "-r" | "--remap" => line.ros.rules.push(Rule::parse(&value("FROM:=TO")?)?),
            "-p" | "--param" => line.ros.params.assign(&value("NAME:=VALUE")?)?,
            "--params-file" => {
                let path = value("FILE")?;
                let text = read(&path).map_err(|why| {
                    Refused::new(
                        format!("--params-file {path}"),
                        format!("cannot be read: {why}"),
                        "give the path of a YAML file; a relative one starts from the folder of the call",
                    )
                })?;
                line.ros.params.file(&path, &text)?;
            }
            "--log-level" => {
                let level = value("LEVEL")?;
                let name = level.rsplit_once(":=").map_or(level.as_str(), |(_, name)| name);
                let known = ["unset", "debug", "info", "warn", "error", "fatal"];
                if level.starts_with(":=") || !known.contains(&name.to_ascii_lowercase().as_str()) {
                    return Err(Refused::new(
                        format!("--log-level {level}"),
                        "there is no such level",
                        format!("the levels are {}", known.join(", ")),
                    ));
                }
                idle(format!("--log-level {level}"), LOGS);
            }
            "--log-config-file" | "--log-file-name" => {
                idle(format!("{option} {}", value("FILE")?), LOG_FILES)
            }
            "-e" | "--enclave" => idle(format!("{option} {}", value("ENCLAVE")?), ENCLAVES),
            "--enable-rosout-logs" => idle(option, ROSOUT),
            // It is as asked.
            "--disable-rosout-logs" | "--disable-external-lib-logs" | "--enable-stdout-logs" => {}
            "--disable-stdout-logs" | "--enable-external-lib-logs" => idle(option, LOGS),
            _ => return Err(Refused::new(option, "there is no such ROS argument", WAY_OUT)),
        }
    }
    Ok(line)
}

fn text(argument: OsString) -> Result<String, Refused> {
    argument.into_string().map_err(|argument| {
        Refused::new(argument.to_string_lossy(), "is no UTF-8", "ROS arguments are UTF-8")
    })
}

impl RosArgs {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.params.is_empty()
    }

    /// All remap rules, as written.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The name that a node gets, and the rule that gives it another one.
    pub fn node_name(&self, name: &str) -> Option<(usize, &str)> {
        self.first(name, |what| match what {
            What::Node(to) => Some(to.as_str()),
            _ => None,
        })
    }

    /// The namespace that a node gets, by its new name, and the rule that gives it.
    pub fn namespace(&self, name: &str) -> Option<(usize, &str)> {
        self.first(name, |what| match what {
            What::Namespace(to) => Some(to.as_str()),
            _ => None,
        })
    }

    /// The topic that a port of the node moves to, and the rule that moves it. A rule matches the topic that the port is on or,
    /// by itself, the port's name.
    pub fn topic(&self, name: &str, namespace: &str, port: &str, topic: &str) -> Option<(usize, String)> {
        let found = self.first(name, |what| match what {
            What::Name { of: Of::Services, .. } => None,
            What::Name { from, to, .. } if from == port || expand(from, name, namespace) == topic => Some(to),
            _ => None,
        })?;
        Some((found.0, expand(found.1, name, namespace)))
    }

    /// The name that a service of the node, of this absolute name, gets, and the rule that gives it another one.
    pub fn service(&self, name: &str, namespace: &str, service: &str) -> Option<(usize, String)> {
        let found = self.first(name, |what| match what {
            What::Name { of: Of::Topics, .. } => None,
            What::Name { from, to, .. } if expand(from, name, namespace) == service => Some(to),
            _ => None,
        })?;
        Some((found.0, expand(found.1, name, namespace)))
    }

    fn first<'a, T>(&'a self, node: &str, of: impl Fn(&'a What) -> Option<T>) -> Option<(usize, T)> {
        self.rules.iter().enumerate().find_map(|(index, rule)| {
            rule.node
                .as_deref()
                .is_none_or(|only| only == node)
                .then(|| of(&rule.what))?
                .map(|to| (index, to))
        })
    }

    /// The parameters of the node of this full name, each once.
    pub fn params(&self, full_name: &str) -> Vec<Param> {
        self.params.of(full_name)
    }

    /// The `-p NODE:NAME:=VALUE` whose node is none of these full names.
    pub fn misdirected(&self, full_names: &[String]) -> Vec<String> {
        self.params.misdirected(full_names)
    }
}

#[cfg(test)]
mod tests;
