//! Where a package file is: asks the registry that this machine's own client (`pip`, `npm`) is configured for.
//!
//! No registry is named here. A machine behind a mirror has told its clients so, and the clients know the public registry
//! otherwise; so the client says which index to use, and only that index is asked.

use std::process::Command;
use std::{env, io};

use serde::Deserialize;
use thiserror::Error;
use troika_models::{Registry, Source};

use crate::http::{self, HttpError};

/// Most that an index page may hold: the largest that we ask for has some hundred releases.
const MAX_INDEX: u64 = 64 << 20;

/// Why a package file was not found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The client that knows the registry is not here, or failed.
    #[error(
        "`{command}` does not tell which registry to use ({why}); install it (Debian: `{package}`) or set {variable}"
    )]
    Client {
        /// What was run.
        command: &'static str,
        /// What went wrong.
        why: String,
        /// The Debian package.
        package: &'static str,
        /// The variable that says it without the client.
        variable: &'static str,
    },
    /// The index was not read.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The index has no such file.
    #[error("the registry does not have {artifact} of {package} {version} (any more)")]
    Absent {
        /// The file.
        artifact: String,
        /// The package.
        package: String,
        /// The version.
        version: String,
    },
    /// The index is not in a known form.
    #[error("the registry's answer for {package} is not understood: {why}")]
    Answer {
        /// The package.
        package: String,
        /// The reason.
        why: String,
    },
}

/// The address of the package file of `source`, at `index` or else at the registry that this machine's client uses.
pub(crate) fn locate(
    agent: &ureq::Agent,
    source: &Source,
    index: Option<&str>,
) -> Result<String, RegistryError> {
    match source.registry {
        Registry::Pypi => python(agent, source, index),
        Registry::Npm => npm(agent, source, index),
        Registry::Repo => Err(absent(source)),
    }
}

fn absent(source: &Source) -> RegistryError {
    let (artifact, package, version) =
        (source.artifact.clone(), source.package.clone(), source.version.clone());
    RegistryError::Absent { artifact, package, version }
}

/// The first of these variables that is set, else what the client prints.
fn ask(
    variables: &[&'static str],
    command: &'static str,
    args: &[&str],
    package: &'static str,
) -> Result<String, RegistryError> {
    if let Some(url) = variables.iter().find_map(|v| env::var(v).ok()).filter(|u| !u.trim().is_empty()) {
        return Ok(url.trim().trim_end_matches('/').to_owned());
    }
    let error = |why: String| RegistryError::Client { command, why, package, variable: variables[0] };
    let output = Command::new(command).args(args).output().map_err(|e: io::Error| error(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let url = text.lines().map(str::trim).rfind(|l| l.starts_with("http://") || l.starts_with("https://"));
    match url {
        Some(url) if output.status.success() => Ok(url.trim_end_matches('/').to_owned()),
        _ => Err(error(format!("{}; it printed `{}`", output.status, text.trim()))),
    }
}

/// pip's configured index; where none is configured, the default that pip itself has.
const ASK_PIP: &str = "
import subprocess, sys
asked = subprocess.run([sys.executable, '-m', 'pip', 'config', 'get', 'global.index-url'], capture_output=True, text=True)
url = asked.stdout.strip()
if not url:
    from pip._internal.models.index import PyPI
    url = PyPI.simple_url
print(url)
";

#[derive(Deserialize)]
struct Simple {
    files: Vec<SimpleFile>,
}

#[derive(Deserialize)]
struct SimpleFile {
    filename: String,
    url: String,
}

fn python(agent: &ureq::Agent, source: &Source, index: Option<&str>) -> Result<String, RegistryError> {
    let index = match index {
        Some(index) => index.to_owned(),
        None => ask(&["TROIKA_PYPI_INDEX", "PIP_INDEX_URL"], "python3", &["-c", ASK_PIP], "python3-pip")?,
    };
    let page = format!("{index}/{}/", source.package);
    let accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";
    let (text, json) = http::text(agent, &page, accept, MAX_INDEX)?;
    let files = if json {
        let why = |e: serde_json::Error| answer(source, e.to_string());
        serde_json::from_str::<Simple>(&text)
            .map_err(why)?
            .files
            .into_iter()
            .map(|f| (f.filename, f.url))
            .collect()
    } else {
        links(&text)
    };
    let url = files.into_iter().find(|(name, _)| *name == source.artifact).map(|(_, url)| url);
    url.map(|u| join(&page, &u)).ok_or_else(|| absent(source))
}

fn answer(source: &Source, why: String) -> RegistryError {
    RegistryError::Answer { package: source.package.clone(), why }
}

/// The links of a PEP 503 page: file name and address.
fn links(html: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for anchor in html.split("<a ").skip(1) {
        let Some(url) =
            anchor.split_once("href=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(u, _)| u)
        else {
            continue;
        };
        let name = anchor.split_once('>').and_then(|(_, rest)| rest.split_once('<')).map(|(n, _)| n.trim());
        found.push((name.unwrap_or_default().to_owned(), url.replace("&amp;", "&")));
    }
    found
}

/// An address as a page refers to it, made absolute.
fn join(page: &str, url: &str) -> String {
    let url = url.split('#').next().unwrap_or(url);
    if url.contains("://") {
        return url.to_owned();
    }
    let (scheme, rest) = page.split_once("://").unwrap_or(("https", page));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(rooted) = url.strip_prefix("//") {
        return format!("{scheme}://{rooted}");
    }
    let mut parts: Vec<&str> =
        if url.starts_with('/') { Vec::new() } else { path.trim_end_matches('/').split('/').collect() };
    for part in url.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("{scheme}://{host}/{}", parts.join("/"))
}

#[derive(Deserialize)]
struct NpmVersion {
    dist: NpmDist,
}

#[derive(Deserialize)]
struct NpmDist {
    tarball: String,
}

fn npm(agent: &ureq::Agent, source: &Source, index: Option<&str>) -> Result<String, RegistryError> {
    let variables = ["TROIKA_NPM_REGISTRY", "npm_config_registry"];
    let index = match index {
        Some(index) => index.to_owned(),
        None => ask(&variables, "npm", &["config", "get", "registry"], "npm")?,
    };
    let package = source.package.replace('/', "%2f");
    let (text, _) =
        http::text(agent, &format!("{index}/{package}/{}", source.version), "application/json", MAX_INDEX)?;
    let version: NpmVersion = serde_json::from_str(&text).map_err(|e| answer(source, e.to_string()))?;
    Ok(version.dist.tarball)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_html_index_is_read_too() {
        let html = r##"<html><a href="../../files/ab/x-1.0.whl#sha256=00" data-x="1">x-1.0.whl</a><a href='odd'>y</a></html>"##;
        let found = links(html);
        assert_eq!(found, [("x-1.0.whl".to_owned(), "../../files/ab/x-1.0.whl#sha256=00".to_owned())]);
        assert_eq!(
            join("https://mirror.example/root/simple/x/", &found[0].1),
            "https://mirror.example/root/files/ab/x-1.0.whl"
        );
    }

    #[test]
    fn addresses_are_resolved_against_the_page() {
        let page = "http://mirror.example:8080/simple/x/";
        assert_eq!(join(page, "/f/x.whl"), "http://mirror.example:8080/f/x.whl");
        assert_eq!(join(page, "https://files.example/x.whl#sha256=1"), "https://files.example/x.whl");
        assert_eq!(join(page, "//files.example/x.whl"), "http://files.example/x.whl");
        assert_eq!(join(page, "x.whl"), "http://mirror.example:8080/simple/x/x.whl");
    }
}
