//! C and C++ that lies inside of crates and is compiled with them: no package of its own to cargo, and most of what speech and the language model
//! run in. What it is, and which version, is read from the crate's own sources; a crate that has changed its shape is an error, not a gap.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};

/// One of them, and where its crate says what it is.
pub(crate) struct Native {
    /// The crate that it lies in.
    pub(crate) within: &'static str,
    pub(crate) name: &'static str,
    /// The file that has its version, from the crate's top.
    file: &'static str,
    version: Says,
    /// The file that has its licence, and words of it.
    licence_file: &'static str,
    licence_words: &'static str,
    pub(crate) licence: &'static str,
}

/// How a file says the version.
enum Says {
    /// `project(NAME VERSION 1.2.3 …)`.
    Project,
    /// A number behind each of these words: `set(X_MAJOR 0)`, `#define X_MAJOR 0`.
    Each([&'static str; 3]),
    /// A string behind this word: `#define X "1.2.3"`.
    Quoted(&'static str),
}

const GGML: Says = Says::Each(["GGML_VERSION_MAJOR", "GGML_VERSION_MINOR", "GGML_VERSION_PATCH"]);
const WHISPER_SYS: &str = "whisper-rs-sys";
const LLAMA_SYS: &str = "llama-cpp-sys-2";
const MIT: &str = "MIT License";

/// What the product's crates compile and that says a version; ring's C and assembler are ring's own. Of llama.cpp's vendored code what its build
/// takes without pictures and sound (`mtmd`): sha1, sha256, rotate-bits and subprocess.h are in it too, and say none. llama.cpp calls what lies
/// between two releases by the number of the coming one (`-dev`); its commit is not in the crate.
pub(crate) const ALL: [Native; 9] = [
    Native {
        within: WHISPER_SYS,
        name: "whisper.cpp",
        file: "whisper.cpp/CMakeLists.txt",
        version: Says::Project,
        licence_file: "whisper.cpp/LICENSE",
        licence_words: MIT,
        licence: "MIT",
    },
    Native {
        within: WHISPER_SYS,
        name: "ggml",
        file: "whisper.cpp/ggml/CMakeLists.txt",
        version: GGML,
        licence_file: "whisper.cpp/LICENSE",
        licence_words: "The ggml authors",
        licence: "MIT",
    },
    Native {
        within: LLAMA_SYS,
        name: "llama.cpp",
        file: "llama.cpp/CMakeLists.txt",
        version: Says::Each(["LLAMA_VERSION_MAJOR", "LLAMA_VERSION_MINOR", "LLAMA_VERSION_PATCH"]),
        licence_file: "llama.cpp/LICENSE",
        licence_words: MIT,
        licence: "MIT",
    },
    Native {
        within: LLAMA_SYS,
        name: "ggml",
        file: "llama.cpp/ggml/CMakeLists.txt",
        version: GGML,
        licence_file: "llama.cpp/LICENSE",
        licence_words: "The ggml authors",
        licence: "MIT",
    },
    Native {
        within: LLAMA_SYS,
        name: "nlohmann-json",
        file: "llama.cpp/vendor/nlohmann/json.hpp",
        version: Says::Each([
            "NLOHMANN_JSON_VERSION_MAJOR",
            "NLOHMANN_JSON_VERSION_MINOR",
            "NLOHMANN_JSON_VERSION_PATCH",
        ]),
        licence_file: "llama.cpp/vendor/nlohmann/json.hpp",
        licence_words: "SPDX-License-Identifier: MIT",
        licence: "MIT",
    },
    Native {
        within: LLAMA_SYS,
        name: "cpp-httplib",
        file: "llama.cpp/vendor/cpp-httplib/httplib.h",
        version: Says::Quoted("CPPHTTPLIB_VERSION"),
        licence_file: "llama.cpp/vendor/cpp-httplib/LICENSE",
        licence_words: "MIT License",
        licence: "MIT",
    },
    Native {
        within: LLAMA_SYS,
        name: "xxhash",
        file: "llama.cpp/vendor/hash/xxhash/xxhash.h",
        version: Says::Each(["XXH_VERSION_MAJOR", "XXH_VERSION_MINOR", "XXH_VERSION_RELEASE"]),
        licence_file: "llama.cpp/vendor/hash/xxhash/LICENSE",
        licence_words: "Redistribution and use in source and binary forms",
        licence: "BSD-2-Clause",
    },
    Native {
        within: "cyclonedds-src",
        name: "cyclonedds",
        file: "src/cyclonedds/CMakeLists.txt",
        version: Says::Project,
        licence_file: "src/cyclonedds/LICENSE",
        licence_words: "Eclipse Public License v. 2.0",
        // The Eclipse Distribution License 1.0 is the BSD's of three clauses.
        licence: "EPL-2.0 OR BSD-3-Clause",
    },
    Native {
        within: "zstd-sys",
        name: "zstd",
        file: "zstd/lib/zstd.h",
        version: Says::Each(["ZSTD_VERSION_MAJOR", "ZSTD_VERSION_MINOR", "ZSTD_VERSION_RELEASE"]),
        licence_file: "zstd/LICENSE",
        licence_words: "BSD License",
        licence: "BSD-3-Clause",
    },
];

impl Native {
    /// How the bill calls it.
    pub(crate) fn reference(&self) -> String {
        format!("native:{}/{}", self.within, self.name)
    }

    /// Its version, from the crate's sources in that folder.
    ///
    /// # Errors
    /// A file that is not there or says no version, a licence that is another.
    pub(crate) fn read(&self, folder: &Path) -> anyhow::Result<String> {
        let mend = "safety/sbom/src/native.rs says where to look: it was another version's shape";
        let text = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path).with_context(|| format!("{}: {mend}", path.display()))
        };
        if !text(self.licence_file)?.contains(self.licence_words) {
            bail!(
                "{} in {}: {} does not say {:?}; {mend}",
                self.name,
                self.within,
                self.licence_file,
                self.licence_words
            );
        }
        let found = self.version.find(&text(self.file)?);
        found.with_context(|| {
            format!("{} in {}: {} says no version; {mend}", self.name, self.within, self.file)
        })
    }
}

impl Says {
    fn find(&self, text: &str) -> Option<String> {
        match self {
            Says::Project => text.lines().find_map(|line| {
                let (_, behind) = line.trim_start().strip_prefix("project(")?.split_once(" VERSION ")?;
                version(behind)
            }),
            Says::Each(words) => {
                let numbers: Option<Vec<String>> =
                    words.iter().map(|word| behind(text, word).and_then(version)).collect();
                Some(numbers?.join("."))
            }
            Says::Quoted(word) => version(behind(text, word)?.strip_prefix('"')?),
        }
    }
}

/// What stands behind the word where it is set or defined.
fn behind<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let line = line.trim_start();
        let rest = line.strip_prefix("set(").or_else(|| line.strip_prefix("#define "))?.trim_start();
        let rest = rest.strip_prefix(word)?;
        rest.starts_with(char::is_whitespace).then(|| rest.trim_start())
    })
}

/// The digits and dots that it begins with.
fn version(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let found = text[..end].trim_end_matches('.');
    (!found.is_empty()).then(|| found.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_in_each_of_its_forms_and_what_says_none_is_none() {
        let cmake =
            "cmake_minimum_required(VERSION 3.5)\nproject(\"x\" C CXX)\nproject(\"x\" VERSION 1.8.3)\n";
        assert_eq!(Says::Project.find(cmake).as_deref(), Some("1.8.3"));
        assert_eq!(Says::Project.find("project(x C)\nVERSION 1.2"), None);
        let each = Says::Each(["X_MAJOR", "X_MINOR", "X_PATCH"]);
        let set = "set(X_MAJOR 0)\nset(X_MINOR 26)\nset(X_MINORITY 7)\nset(X_PATCH 0)\n";
        assert_eq!(each.find(set).as_deref(), Some("0.26.0"));
        let define = "#define X_MAJOR    3   // why\n#define X_MINOR 12\n#define X_PATCH 1\n";
        assert_eq!(each.find(define).as_deref(), Some("3.12.1"));
        assert_eq!(each.find("set(X_MAJOR 0)\nset(X_MINOR ${Y})\nset(X_PATCH 0)"), None);
        let quoted = Says::Quoted("X_VERSION");
        assert_eq!(
            quoted.find("#define X_VERSION_NUM \"9\"\n#define X_VERSION \"0.59.0\"").as_deref(),
            Some("0.59.0")
        );
    }
}
