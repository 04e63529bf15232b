//! Builds CycloneDDS (C) from the source that the crate `cyclonedds-src` brings, as a static library, and our C beside it. cmake
//! and a C compiler are needed, as for whisper.cpp; about a minute on two cores, once.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a build that cannot go on stops and says why")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The one change in CycloneDDS: before the inline QoS of a message's first packet ends, whoever set `troika_inline_qos`
/// (c/troika_dds.c) may add to it. Each of the two functions that make such a packet has one of these lines once.
const FILE: &str = "src/core/ddsi/src/ddsi_transmit.c";
const ANCHORS: [&str; 2] = [
    "  if (ddsi_xmsg_addpar_sentinel_ifparam (*pmsg) > 0)\n",
    "    rc = ddsi_xmsg_addpar_sentinel_ifparam (*pmsg);\n",
];
const CALL: &str = "  if (troika_inline_qos) troika_inline_qos (*pmsg, serdata);\n";
const AFTER: &str = "#include \"dds__whc.h\"\n";
const DEFINITION: &str = "
void (*troika_inline_qos) (struct ddsi_xmsg *m, const struct ddsi_serdata *serdata);
";

fn main() {
    for file in ["build.rs", "c/troika_dds.c", "c/troika_dds.h"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let source = out.join("cyclonedds");
    copy(&cyclonedds_src::source_dir(), &source);
    patch(&source.join(FILE));
    let installed = cmake::Config::new(&source)
        .profile("Release")
        .define("BUILD_SHARED_LIBS", "OFF")
        .define("BUILD_IDLC", "OFF")
        .define("BUILD_DDSPERF", "OFF")
        .define("BUILD_TESTING", "OFF")
        .define("BUILD_EXAMPLES", "OFF")
        // Objects that any linker reads.
        .define("ENABLE_LTO", "OFF")
        // DDS Security would want OpenSSL.
        .define("ENABLE_SECURITY", "OFF")
        .define("ENABLE_SSL", "OFF")
        .define("CMAKE_INSTALL_LIBDIR", "lib")
        .build();
    cc::Build::new()
        .file("c/troika_dds.c")
        .std("gnu11")
        .include("c")
        .include(installed.join("include"))
        .include(source.join("src/core/ddsi/src"))
        .include(source.join("src/core/ddsi/include"))
        .compile("troika_dds");
    println!("cargo::rustc-link-search=native={}", installed.join("lib").display());
    println!("cargo::rustc-link-lib=static=ddsc");
}

/// Files that are there with the same text are left alone, so that cmake builds again only what changed.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the source of cyclonedds-src") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else if path.ends_with(FILE)
            || fs::metadata(&target).is_ok_and(|have| have.len() == entry.metadata().expect("a file").len())
        {
            // `patch` writes that one.
            continue;
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

fn patch(file: &Path) {
    let original = cyclonedds_src::source_dir().join(FILE);
    let mut text = fs::read_to_string(&original).expect("the source");
    for (anchor, new) in ANCHORS
        .iter()
        .map(|anchor| (*anchor, format!("{CALL}{anchor}")))
        .chain([(AFTER, format!("{AFTER}{DEFINITION}"))])
    {
        assert_eq!(
            text.matches(anchor).count(),
            1,
            "{} has changed at {anchor:?}: look where the inline QoS ends now",
            original.display()
        );
        text = text.replace(anchor, &new);
    }
    if fs::read_to_string(file).is_ok_and(|have| have == text) {
        return;
    }
    fs::write(file, text).expect("the patched source");
}
