//! Builds CycloneDDS (C) from the source that the crate `cyclonedds-src` brings, as a static library, and our C beside it. cmake
//! and a C compiler are needed, as for whisper.cpp; about a minute on two cores, once.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a build that cannot go on stops and says why")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// What is changed in CycloneDDS: in a file, each piece of text that is in it once, and what stands there instead.
type Change = (&'static str, &'static [(&'static str, &'static str)]);

/// Two changes. Before the inline QoS of a message's first packet ends, whoever set `troika_inline_qos` (c/troika_dds.c) may add to it:
/// two functions make such a packet. And the first heartbeat of a writer of eProsima's (vendor 0x010F, Fast DDS) that is volatile is taken
/// at its word: it sends a gap for what was before the match and keeps what came since. CycloneDDS would pass over all of that, and with it
/// over the first request of a client that found its server sooner than the server found it.
const CHANGES: [Change; 2] = [
    (
        "src/core/ddsi/src/ddsi_transmit.c",
        &[
            (
                "#include \"dds__whc.h\"\n",
                "#include \"dds__whc.h\"\n\nvoid (*troika_inline_qos) (struct ddsi_xmsg *m, const struct ddsi_serdata *serdata);\n",
            ),
            (
                "  if (ddsi_xmsg_addpar_sentinel_ifparam (*pmsg) > 0)\n",
                "  if (troika_inline_qos) troika_inline_qos (*pmsg, serdata);\n  if (ddsi_xmsg_addpar_sentinel_ifparam (*pmsg) > 0)\n",
            ),
            (
                "    rc = ddsi_xmsg_addpar_sentinel_ifparam (*pmsg);\n",
                "    if (troika_inline_qos) troika_inline_qos (*pmsg, serdata);\n    rc = ddsi_xmsg_addpar_sentinel_ifparam (*pmsg);\n",
            ),
        ],
    ),
    (
        "src/core/ddsi/src/ddsi_receive.c",
        &[(
            "    gap_end_seq = lastseq + 1;\n",
            "    if (!(rst->vendor.id[0] == 0x01 && rst->vendor.id[1] == 0x0f\n          \
             && pwr->c.xqos->durability.kind == DDS_DURABILITY_VOLATILE))\n      gap_end_seq = lastseq + 1;\n",
        )],
    ),
];

fn main() {
    for file in ["build.rs", "c/troika_dds.c", "c/troika_dds.h"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let source = out.join("cyclonedds");
    copy(&cyclonedds_src::source_dir(), &source);
    for (file, changes) in CHANGES {
        patch(&source, file, changes);
    }
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
        } else if CHANGES.iter().any(|(file, _)| path.ends_with(file))
            || fs::metadata(&target).is_ok_and(|have| have.len() == entry.metadata().expect("a file").len())
        {
            // `patch` writes those.
            continue;
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

fn patch(to: &Path, file: &str, changes: &[(&str, &str)]) {
    let original = cyclonedds_src::source_dir().join(file);
    let mut text = fs::read_to_string(&original).expect("the source");
    for (old, new) in changes {
        assert_eq!(
            text.matches(old).count(),
            1,
            "{} has changed at {old:?}: look what is to stand there now",
            original.display()
        );
        text = text.replace(old, new);
    }
    let target = to.join(file);
    if fs::read_to_string(&target).is_ok_and(|have| have == text) {
        return;
    }
    fs::write(target, text).expect("the patched source");
}
