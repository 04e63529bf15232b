//! A bounded run of one target: its corpus, then a fixed count of mutations.

use std::{
    any::Any,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use fastrand::Rng;

use crate::{Target, mutate::mutated};

/// The repository's top.
pub const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Runs a closure; the bytes that were in memory at its worst. `|run| { run(); 0 }` where they are not counted.
pub type Measure<'a> = &'a dyn Fn(&mut dyn FnMut()) -> u64;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Seeds.
    pub seeds: u32,
    /// Seeds that were taken.
    pub seeds_taken: u32,
    /// Mutations.
    pub cases: u32,
    /// Mutations that were taken.
    pub taken: u32,
    /// The largest share of the memory that an input was allowed, percent.
    pub memory: u64,
}

/// An input for which something does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target}, {case}: {why}")]
pub struct Found {
    /// The target.
    pub target: &'static str,
    /// Which input: the seed's file, or the number of the mutation.
    pub case: String,
    /// What does not hold.
    pub why: String,
    /// The input.
    pub input: Vec<u8>,
}

/// A seed: the name of its file, and what is in it.
pub type Seed = (String, Vec<u8>);

/// What the target begins with, in the order of names: its folder in the corpus, and what it takes of the repository.
///
/// # Errors
/// A file that cannot be read; no seed at all.
pub fn seeds(target: &Target) -> io::Result<Vec<Seed>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let own = folder.is_dir().then(|| folder.join("*"));
    let patterns = own.into_iter().chain(target.shipped.iter().map(|pattern| Path::new(TOP).join(pattern)));
    let mut seeds = Vec::new();
    for pattern in patterns {
        let files = glob::glob(&pattern.to_string_lossy()).map_err(io::Error::other)?;
        for file in files {
            let file = file.map_err(io::Error::other)?;
            let bytes = fs::read(&file)?;
            if bytes.len() <= target.longest {
                seeds.push((file.display().to_string(), bytes));
            }
        }
    }
    if seeds.is_empty() {
        return Err(io::Error::other(format!(
            "{}: no seed in {}, nor in what it takes of the repository",
            target.name,
            folder.display()
        )));
    }
    Ok(seeds)
}

/// Runs the seeds and `cases` mutations of them. `before` is handed each input first: where a fault ends the process, it is what is left.
///
/// # Errors
/// The first input for which something does not hold.
pub fn run(
    target: &Target,
    seeds: &[Seed],
    cases: u32,
    seed: u64,
    measure: Measure,
    before: &dyn Fn(&[u8]),
) -> Result<Tally, Found> {
    let mut tally = Tally::default();
    let one = |case: &dyn Fn() -> String, input: &[u8], tally: &mut Tally| {
        before(input);
        let mut taken = None;
        let used = measure(&mut || taken = Some(catch_unwind(AssertUnwindSafe(|| (target.run)(input)))));
        let found = |why: String| Found { target: target.name, case: case(), why, input: input.to_vec() };
        let taken = match taken {
            Some(Ok(taken)) => taken,
            Some(Err(panic)) => return Err(found(words(panic.as_ref()))),
            None => return Err(found("it was not run".to_owned())),
        };
        let allowed = target.allowed(input.len());
        if used > allowed {
            return Err(found(format!(
                "{used} bytes of memory for {} of input; {allowed} are allowed",
                input.len()
            )));
        }
        tally.memory = tally.memory.max(used * 100 / allowed.max(1));
        Ok(taken)
    };
    for (name, bytes) in seeds {
        tally.seeds += 1;
        tally.seeds_taken += u32::from(one(&|| name.clone(), bytes, &mut tally)?);
    }
    let mut rng = Rng::with_seed(seed);
    for case in 0..cases {
        let [first, other] = [0; 2].map(|_| rng.usize(..seeds.len().max(1)));
        let (Some((name, first)), Some((_, other))) = (seeds.get(first), seeds.get(other)) else { break };
        let input = mutated(&mut rng, first, other, target.longest);
        tally.cases += 1;
        tally.taken += u32::from(one(&|| format!("mutation {case} of {name}"), &input, &mut tally)?);
    }
    Ok(tally)
}

/// Writes the input of a find beside what the tests leave: the file, and what to do with it.
///
/// # Errors
/// It cannot be written.
pub fn keep(found: &Found, folder: &Path) -> io::Result<PathBuf> {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in &found.input {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let file = folder.join(format!("{}-{hash:016x}", found.target));
    fs::create_dir_all(folder)?;
    fs::write(&file, &found.input)?;
    Ok(file)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNCOUNTED: Measure = &|run| {
        run();
        0
    };

    fn planted(run: crate::Run) -> Result<Tally, Found> {
        let target = Target::bytes("planted", run);
        let seeds = vec![("seed".to_owned(), b"\x04\x00\x00\x00abcd".to_vec())];
        super::run(&target, &seeds, 5_000, 1, UNCOUNTED, &|_| {})
    }

    /// A length, and as many bytes.
    fn length(bytes: &[u8]) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()
    }

    #[test]
    fn a_panic_that_a_lying_length_leads_to_is_found_and_told_with_its_input() {
        let careless: crate::Run =
            |bytes| length(bytes).is_some_and(|length| bytes[4..4 + length].len() == length);
        let found = planted(careless).expect_err("a slice past the end");
        assert!(found.why.contains("range") && found.case.contains("of seed"), "{found}");
        let again = catch_unwind(|| careless(&found.input));
        assert!(again.is_err(), "its input shows it again");
        let careful: crate::Run =
            |bytes| length(bytes).is_some_and(|length| bytes[4..].get(..length).is_some());
        let tally = planted(careful).expect("nothing");
        assert_eq!((tally.seeds, tally.seeds_taken, tally.cases), (1, 1, 5_000));
        assert!(tally.taken > 0 && tally.taken < tally.cases, "{tally:?}");
    }

    #[test]
    fn the_input_is_handed_out_before_it_is_run_and_kept_where_it_is_told() {
        let target = Target::bytes("planted", |_| panic!("always"));
        let seen = std::cell::RefCell::new(Vec::new());
        let seeds = vec![("seed".to_owned(), b"x".to_vec())];
        let found = run(&target, &seeds, 1, 1, UNCOUNTED, &|input| *seen.borrow_mut() = input.to_vec());
        let found = found.expect_err("it always panics");
        assert_eq!(
            (found.to_string(), seen.into_inner()),
            ("planted, seed: always".to_owned(), b"x".to_vec())
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = keep(&found, folder.path()).expect("written");
        assert_eq!(fs::read(file).expect("there"), b"x");
    }

    #[test]
    fn a_target_without_a_seed_is_an_error() {
        let told = seeds(&Target::bytes("no-such", |_| true)).expect_err("none");
        assert!(told.to_string().contains("no-such: no seed"), "{told}");
    }
}
