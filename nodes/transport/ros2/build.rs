//! What belongs here: the mend for ROS 2 from Python wheels, which hold no `librmw_implementation` (the library that chooses the RMW at
//! run time). Where no prefix has it, a linker script of its name stands for the one RMW that the wheels have. A sourced install has
//! it, and nothing is mended there.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// In the wheels `librcl` needs, through other libraries, this one, which asks Python for two objects. It is named so that the linker
/// sees that they are asked for, and shows ours (`src/wheels.rs`) to the loader.
const ASKS_PYTHON: &str = "rcl_interfaces__rosidl_generator_py";
/// The wheels' one RMW.
const RMW: &str = "rmw_fastrtps_cpp";

fn main() {
    println!("cargo:rerun-if-env-changed=AMENT_PREFIX_PATH");
    println!("cargo:rerun-if-env-changed=CMAKE_PREFIX_PATH");
    println!("cargo:rustc-check-cfg=cfg(wheels)");
    let prefixes: Vec<PathBuf> = ["AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"]
        .iter()
        .filter_map(env::var_os)
        .flat_map(|paths| env::split_paths(&paths).collect::<Vec<_>>())
        .collect();
    let has = |name: &str| prefixes.iter().any(|prefix| prefix.join("lib").join(library(name)).is_file());
    if has("rmw_implementation") || !has(RMW) || !has(ASKS_PYTHON) {
        return;
    }
    println!("cargo:rustc-cfg=wheels");
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    let script = Path::new(&out).join(library("rmw_implementation"));
    fs::write(script, format!("INPUT(-l{RMW} -l{ASKS_PYTHON})\n")).expect("OUT_DIR is writable");
    println!("cargo:rustc-link-search=native={}", Path::new(&out).display());
}

fn library(name: &str) -> String {
    format!("lib{name}.so")
}
