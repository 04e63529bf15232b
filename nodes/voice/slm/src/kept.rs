//! What the model made of the tasks' beginnings, kept in files beside the models: evaluating them takes some ten seconds of a core at each
//! start, reading them a fraction of one. A file that is not what was written is evaluated anew and written again; where nothing can be
//! written, nothing is kept.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use llama_cpp_2::{context::LlamaContext, token::LlamaToken};
use sha2::{Digest as _, Sha256};

/// A state is of one build of llama.cpp.
const BUILD: &str = "llama-cpp-2 0.1.160";

/// The folder, and what the states in it depend on beside the beginnings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    folder: Option<PathBuf>,
    of: Vec<u8>,
}

impl Kept {
    /// Nothing is kept.
    pub(crate) fn nothing() -> Kept {
        Kept::default()
    }

    /// In this folder, for these files.
    pub(crate) fn new(folder: &Path, files: &[&Path]) -> Kept {
        let mut of = BUILD.as_bytes().to_vec();
        for file in files {
            let Ok(meta) = fs::metadata(file) else { return Kept::nothing() };
            let changed = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            of.extend(file.as_os_str().as_encoded_bytes());
            of.extend(meta.len().to_le_bytes());
            of.extend(changed.map_or(0, |time| time.as_nanos()).to_le_bytes());
        }
        Kept { folder: Some(folder.to_owned()), of }
    }

    fn path(&self, task: &str, tokens: &[LlamaToken], context: &LlamaContext<'_>) -> Option<PathBuf> {
        let mut hash = Sha256::new();
        hash.update(&self.of);
        hash.update(context.n_ctx().to_le_bytes());
        tokens.iter().for_each(|token| hash.update(token.0.to_le_bytes()));
        let name: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Some(self.folder.as_ref()?.join(format!("{task}-{name}.state")))
    }

    /// Puts a beginning's state into the context; false: it is not there, or not what was written.
    pub(crate) fn restore(&self, task: &str, tokens: &[LlamaToken], context: &mut LlamaContext<'_>) -> bool {
        let Some(path) = self.path(task, tokens, context) else { return false };
        let whole = matches!((digest(&path), fs::read_to_string(sum(&path))), (Ok(is), Ok(was)) if is == was);
        // llama.cpp looks at a head and at lengths, and at nothing else.
        if !whole {
            return false;
        }
        let there = context.state_load_file(&path, tokens.len());
        let fits = there.is_ok_and(|there| there == tokens);
        if !fits {
            context.clear_kv_cache();
        }
        fits
    }

    /// Keeps what the context holds; those of the same task that are of something else go.
    pub(crate) fn keep(&self, task: &str, tokens: &[LlamaToken], context: &LlamaContext<'_>) {
        let Some(path) = self.path(task, tokens, context) else { return };
        if let Err(why) = written(task, &path, tokens, context) {
            eprintln!(
                "notice: slm cannot keep its beginnings in {}: {why}; the next start is slow again",
                path.display()
            );
        }
    }
}

fn written(task: &str, path: &Path, tokens: &[LlamaToken], context: &LlamaContext<'_>) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    clear(task, folder);
    // Of a name of its own: another process may be writing the same.
    let new = folder.join(format!("{task}.{}.new", std::process::id()));
    let saved = context.state_save_file(&new, tokens).map_err(|error| io::Error::other(error.to_string()));
    let moved = saved.and_then(|()| {
        let digest = digest(&new)?;
        let old = fs::read_dir(folder)?.flatten().map(|one| one.path());
        let of_task = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(&format!("{task}-")));
        old.filter(|old| old.file_name().is_some_and(of_task)).for_each(|old| drop(fs::remove_file(old)));
        fs::rename(&new, path)?;
        fs::write(sum(path), digest)
    });
    if moved.is_err() {
        let _ = fs::remove_file(&new);
    }
    moved
}

/// Takes away what processes that were killed in the middle of writing left behind.
fn clear(task: &str, folder: &Path) {
    let writer = |name: &OsStr| -> Option<u32> {
        name.to_str()?.strip_prefix(task)?.strip_prefix('.')?.strip_suffix(".new")?.parse().ok()
    };
    for one in fs::read_dir(folder).into_iter().flatten().flatten() {
        if writer(&one.file_name()).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_file(one.path());
        }
    }
}

fn sum(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

fn digest(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        // No process has a number over 2^22.
        let own = format!("ask.{}.new", std::process::id());
        let stay = [own.as_str(), "ask-0123.state", "ask.new", "ask.x.new", "asked.4194305.new"];
        for name in stay.iter().chain(&["ask.4194305.new"]) {
            fs::write(folder.path().join(name), "").expect("written");
        }
        clear("ask", folder.path());
        let left: Vec<_> = fs::read_dir(folder.path()).expect("read").flatten().collect();
        assert_eq!(left.len(), stay.len(), "{left:?}");
        assert!(!folder.path().join("ask.4194305.new").exists());
    }
}
