//! The Kubernetes manifests that ship, judged by the API's own schema (kubernetes-validate carries it, offline).

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The version that the manifests are held against.
const KUBERNETES: &str = "1.37";

/// What the judge says of a file, and whether it is fine; strict: a key that the API does not know is a fault.
fn judged(file: &Path) -> (bool, String) {
    let python = env::var_os("TROIKA_INTEROP_PYTHON").map(PathBuf::from);
    let python = python.expect("TROIKA_INTEROP_PYTHON is not set: run `cargo xtask test interop`");
    let program = python.with_file_name("kubernetes-validate");
    let judged = Command::new(&program)
        .args(["--strict", "--kubernetes-version", KUBERNETES])
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run: cargo xtask test interop", program.display()));
    let told = [judged.stdout, judged.stderr].concat();
    (judged.status.success(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn the_manifests_are_what_kubernetes_takes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../launch/deploy/kubernetes/gateway.yaml");
    let (fine, told) = judged(&file);
    assert!(fine, "{told}");
    for resource in
        ["statefulset/gateway", "service/gateway", "service/gateway-admin", "networkpolicy/gateway"]
    {
        assert!(told.contains(&format!("passed for resource {resource} ")), "{told}");
    }
    // The judge sees a slip of the pen.
    let text = fs::read_to_string(&file).expect("there");
    let slip = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    fs::write(slip.path(), text.replacen("readOnlyRootFilesystem", "readOnlyRootFileSystem", 1))
        .expect("written");
    let (fine, told) = judged(slip.path());
    assert!(!fine && told.contains("readOnlyRootFileSystem"), "{told}");
}
