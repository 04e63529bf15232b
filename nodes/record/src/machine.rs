//! Which code of the libraries runs on this machine: floating-point results are the same to the bit on the same path alone.

/// The instruction-set path, for example `x86_64 avx2 fma`: the architecture, and of what can be chosen at run time all that is here.
pub fn instruction_set() -> String {
    let mut path = std::env::consts::ARCH.to_owned();
    for (name, here) in extensions() {
        if here {
            path.push(' ');
            path.push_str(name);
        }
    }
    path
}

#[cfg(target_arch = "x86_64")]
fn extensions() -> Vec<(&'static str, bool)> {
    // Those that the matrix kernels choose by.
    vec![
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avxvnni", is_x86_feature_detected!("avxvnni")),
    ]
}

#[cfg(target_arch = "aarch64")]
fn extensions() -> Vec<(&'static str, bool)> {
    vec![
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
    ]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn extensions() -> Vec<(&'static str, bool)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_path_begins_with_the_architecture_and_stays_the_same() {
        let path = super::instruction_set();
        assert!(path.starts_with(std::env::consts::ARCH));
        assert_eq!(path, super::instruction_set());
    }
}
