//! A vehicle's own links: its processes speak over Unix sockets in a folder that is theirs, and whoever comes by another link may look and no more.
//!
//! Who may enter the folder is the operating system's to say (a unit's `RuntimeDirectory=`, mode 0700 or 2770), so that no key has to be made, kept and renewed.
//! What a session takes and gives is zenoh's access control, in each session and in the router, since peers link past the router. It denies by
//! default: a list of what is forbidden would be got round by a put on `**`, which no such rule's key includes.
//!
//! All processes of one user are one here: the voice may still publish what is the monitor's.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use zenoh::config::ZenohId;

/// The keys of ROS 2's topics and services, of its graph, and of zenoh-ext's caches: `**` reaches no part that begins with `@`.
const KEYS: &str = r#"["**", "@ros2_lv/**", "**/@adv/**"]"#;

/// A folder that cannot be the vehicle's own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// It is not there, or none.
    #[error(
        "TROIKA_ZENOH_SOCKETS is {folder}: {why}; make it, with mode 0700 and of the user that the processes run as"
    )]
    Read {
        /// The folder.
        folder: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// Others than its user and group may enter.
    #[error(
        "TROIKA_ZENOH_SOCKETS is {folder}, which everybody may enter (mode {mode:o}): chmod 0700 {folder}"
    )]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

fn own(folder: &Path) -> Result<(), FolderError> {
    let folder = folder.to_owned();
    match fs::read_dir(&folder).and_then(|_| fs::metadata(&folder)) {
        Err(why) => Err(FolderError::Read { folder, why }),
        Ok(about) if about.permissions().mode() & 0o007 != 0 => {
            Err(FolderError::Open { folder, mode: about.permissions().mode() & 0o777 })
        }
        Ok(_) => Ok(()),
    }
}

fn socket(folder: &Path, name: &str) -> String {
    format!("unixsock-stream/{}/{name}.sock", folder.display())
}

/// Where the router listens besides.
pub(crate) fn router(folder: &Path) -> Result<String, FolderError> {
    own(folder)?;
    Ok(socket(folder, "router"))
}

/// Where a session listens: a socket of its own.
pub(crate) fn session(folder: &Path) -> Result<String, FolderError> {
    own(folder)?;
    Ok(socket(folder, &ZenohId::default().to_string()))
}

/// `access_control` of sessions and router.
pub(crate) fn access() -> String {
    let rule = |id: &str, flows: &str, messages: &str| {
        format!(
            r#"{{"id": "{id}", "permission": "allow", "flows": {flows}, "messages": {messages}, "key_exprs": {KEYS}}}"#
        )
    };
    let all = r#"["put", "delete", "declare_subscriber", "query", "declare_queryable", "reply", "liveliness_token",
        "declare_liveliness_subscriber", "liveliness_query"]"#;
    // Their nodes are on the graph; they put nothing and ask no service, which could set a parameter or stop a node.
    let look =
        r#"["declare_subscriber", "liveliness_token", "declare_liveliness_subscriber", "liveliness_query"]"#;
    let shown = r#"["put", "delete", "declare_subscriber", "declare_queryable", "reply", "liveliness_token",
        "declare_liveliness_subscriber", "liveliness_query"]"#;
    let rules = [
        rule("own", r#"["ingress", "egress"]"#, all),
        rule("look", r#"["ingress"]"#, look),
        rule("shown", r#"["egress"]"#, shown),
    ];
    format!(
        r#"{{"enabled": true, "default_permission": "deny", "rules": [{}],
        "subjects": [{{"id": "vehicle", "link_protocols": ["unixsock-stream"]}},
                     {{"id": "others", "link_protocols": ["tcp", "udp", "tls", "quic", "serial", "unixpipe", "vsock", "ws"]}}],
        "policies": [{{"rules": ["own"], "subjects": ["vehicle"]}}, {{"rules": ["look", "shown"], "subjects": ["others"]}}]}}"#,
        rules.join(", ")
    )
}
