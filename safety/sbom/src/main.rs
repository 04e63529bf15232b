//! What belongs here: the bill of materials of what is shipped, as CycloneDX 1.5. `troika-sbom REPOSITORY FILE`. The crates that programs and plugin
//! are built of, tests and their peers left out, each with its package URL, licence, checksum and dependencies; the C and C++ that lies in some of them; and the models. It says which
//! commit it is of and when that was made (`SOURCE_DATE_EPOCH` in its place, where that is set): the same source gives the same bill.

mod native;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::{self, Display, Formatter},
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use cyclonedx_bom::{
    external_models::{
        date_time::DateTime, normalized_string::NormalizedString, spdx::SpdxExpression, uri::Purl,
    },
    models::{
        bom::{Bom, SpecVersion},
        component::{Classification, Component, Components},
        dependency::{Dependencies, Dependency},
        hash::{Hash, HashAlgorithm, HashValue, Hashes},
        license::{LicenseChoice, Licenses},
        metadata::Metadata as About,
        property::{Properties, Property},
    },
    validation::Validate as _,
};
use native::Native;
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [top, file] = arguments.as_slice() else {
        eprintln!("error: troika-sbom REPOSITORY FILE");
        return ExitCode::from(2);
    };
    match write(Path::new(top), Path::new(file)) {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(top: &Path, file: &Path) -> anyhow::Result<String> {
    let metadata = MetadataCommand::new()
        .manifest_path(top.join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cargo metadata")?;
    let sums = checksums(&fs::read_to_string(top.join("Cargo.lock")).context("Cargo.lock")?)?;
    let models = models(&top.join("models"))?;
    let origin = Origin::of(top, std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?;
    let bom = bill(&metadata, &sums, &models, &origin)?;
    let mut text = Vec::new();
    bom.clone().output_as_json(&mut text, SpecVersion::V1_5).context("the bill cannot be written")?;
    // As whoever takes it will read it.
    let read = Bom::parse_from_json(text.as_slice()).context("the bill cannot be read back")?;
    if !read.validate().passed() {
        bail!("the bill is not valid: {:?}", read.validate());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(file, text).with_context(|| file.display().to_string())?;
    let all = bom.components.map_or_else(Vec::new, |all| all.0);
    let count = |kind: &str| {
        all.iter().filter(|one| one.bom_ref.as_deref().is_some_and(|name| name.starts_with(kind))).count()
    };
    Ok(format!(
        "{}: {} crates, {} libraries of C and C++ in them, {} models; {origin}",
        file.display(),
        count("pkg:cargo/"),
        count("native:"),
        models.len()
    ))
}

/// What the bill is of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Origin {
    /// Where there is git.
    commit: Option<String>,
    /// The tree is not as the commit has it.
    changed: bool,
    /// Seconds since 1970.
    time: Option<i64>,
}

impl Origin {
    /// Of that checkout; `epoch`: `SOURCE_DATE_EPOCH`.
    fn of(top: &Path, epoch: Option<&str>) -> anyhow::Result<Origin> {
        let git = |arguments: &[&str]| {
            let output = Command::new("git").args(arguments).current_dir(top).output();
            let output =
                output.context("cannot run git, which this checkout is of (`apt-get install git`)")?;
            if !output.status.success() {
                bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
            }
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let mut origin = Origin::default();
        // A tarball that lies in a checkout of something else is not of that.
        if top.join(".git").exists() {
            origin.changed = !git(&["status", "--porcelain"])?.is_empty();
            origin.time = Some(git(&["show", "--no-patch", "--format=%ct", "HEAD"])?.parse()?);
            origin.commit = Some(git(&["rev-parse", "HEAD"])?);
        }
        if let Some(epoch) = epoch {
            let seconds =
                epoch.parse().with_context(|| format!("SOURCE_DATE_EPOCH is {epoch:?}: seconds since 1970"));
            origin.time = Some(seconds?);
        }
        Ok(origin)
    }

    fn timestamp(&self) -> anyhow::Result<Option<DateTime>> {
        let Some(seconds) = self.time else { return Ok(None) };
        let text = OffsetDateTime::from_unix_timestamp(seconds)?.format(&Rfc3339)?;
        Ok(Some(DateTime::try_from(text)?))
    }

    fn properties(&self) -> Option<Properties> {
        let commit = self.commit.as_deref()?;
        let changed = if self.changed { "true" } else { "false" };
        Some(Properties(vec![
            Property::new("troika:commit", commit),
            Property::new("troika:changed_since", changed),
        ]))
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match (&self.commit, self.changed) {
            (Some(commit), false) => write!(f, "commit {commit}"),
            (Some(commit), true) => write!(f, "commit {commit} with changes"),
            (None, _) => f.write_str("no git: of which commit it is cannot be told"),
        }?;
        if self.time.is_none() { f.write_str(", nor of when (SOURCE_DATE_EPOCH says it)") } else { Ok(()) }
    }
}

/// Name and version to sha256, as Cargo.lock has them.
type Sums = BTreeMap<(String, String), String>;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

fn checksums(lock: &str) -> anyhow::Result<Sums> {
    let lock: Lock = toml::from_str(lock).context("Cargo.lock")?;
    let each = lock.package.into_iter().filter_map(|one| Some(((one.name, one.version), one.checksum?)));
    Ok(each.collect())
}

/// What a model's passport says of it.
#[derive(Deserialize)]
struct Passport {
    name: String,
    job: String,
    sha256: String,
    licence: String,
    #[serde(default)]
    source: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    version: Option<String>,
}

fn models(folder: &Path) -> anyhow::Result<Vec<Passport>> {
    let mut models = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path().join("model.toml");
        if path.is_file() {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            models.push(toml::from_str(&text).with_context(|| path.display().to_string())?);
        }
    }
    models.sort_by(|a: &Passport, b| a.name.cmp(&b.name));
    Ok(models)
}

/// Folders of members that are not shipped.
const NOT_SHIPPED: [&str; 3] = ["/tests/", "/xtask/", "/bench/"];

fn bill(metadata: &Metadata, sums: &Sums, models: &[Passport], origin: &Origin) -> anyhow::Result<Bom> {
    let resolve = metadata.resolve.as_ref().context("cargo metadata resolved nothing")?;
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let used = |id: &PackageId| -> Vec<PackageId> {
        let ships = |kind: DependencyKind| matches!(kind, DependencyKind::Normal | DependencyKind::Build);
        let deps = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
        let wanted = deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| ships(kind.kind)));
        wanted.map(|dep| dep.pkg.clone()).collect()
    };
    let shipped = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| !NOT_SHIPPED.iter().any(|folder| package.manifest_path.as_str().contains(folder)));
    let mut open: VecDeque<PackageId> = shipped.map(|package| package.id.clone()).collect();
    let mut reached: BTreeSet<PackageId> = open.iter().cloned().collect();
    while let Some(id) = open.pop_front() {
        for one in used(&id) {
            if reached.insert(one.clone()) {
                open.push_back(one);
            }
        }
    }
    let packages: Vec<&Package> = reached.iter().map(|id| &metadata[id]).collect();
    let mut components: Vec<Component> =
        packages.iter().map(|package| of_crate(package, sums)).collect::<anyhow::Result<_>>()?;
    for package in &packages {
        for native in within(package) {
            components.push(of_native(native, package)?);
        }
    }
    for model in models {
        components.push(of_model(model)?);
    }
    let of = |id: &PackageId| reference(&metadata[id]);
    let dependencies = reached.iter().map(|id| {
        let natives = within(&metadata[id]).map(Native::reference);
        let all: BTreeSet<String> = used(id).iter().map(of).chain(natives).collect();
        Dependency { dependency_ref: of(id), dependencies: all.into_iter().collect() }
    });
    let version =
        metadata.workspace_packages().first().map(|one| one.version.to_string()).unwrap_or_default();
    let product = Component::new(Classification::Application, "troika", &version, Some("troika".to_owned()));
    Ok(Bom {
        metadata: Some(About {
            component: Some(product),
            timestamp: origin.timestamp()?,
            properties: origin.properties(),
            ..About::default()
        }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies.collect())),
        spec_version: SpecVersion::V1_5,
        // Made by chance it would make two bills of one source differ.
        serial_number: None,
        ..Bom::default()
    })
}

fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn of_crate(package: &Package, sums: &Sums) -> anyhow::Result<Component> {
    let version = package.version.to_string();
    let name = package.name.to_string();
    let mut component = Component::new(Classification::Library, &name, &version, Some(reference(package)));
    component.purl = Some(Purl::new("cargo", &name, &version).with_context(|| name.clone())?);
    component.licenses = licence(package.license.as_deref());
    component.hashes = sums.get(&(name, version)).map(|sum| sha256(sum));
    component.description = package.description.as_deref().map(|text| NormalizedString::new(text.trim()));
    Ok(component)
}

/// What lies in a crate.
fn within(package: &Package) -> impl Iterator<Item = &'static Native> {
    native::ALL.iter().filter(|native| native.within == package.name.as_str())
}

fn of_native(native: &Native, package: &Package) -> anyhow::Result<Component> {
    let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
    let version = native.read(folder.as_std_path())?;
    let mut component =
        Component::new(Classification::Library, native.name, &version, Some(native.reference()));
    // Of the release that it names; the crates do not say the commit.
    component.purl = Some(Purl::new("generic", native.name, &version).context(native.name)?);
    component.licenses = licence(Some(native.licence));
    let inside = format!("C and C++ inside of the crate {} {}", package.name, package.version);
    component.description = Some(NormalizedString::new(&inside));
    Ok(component)
}

fn of_model(model: &Passport) -> anyhow::Result<Component> {
    let version = model.source.iter().find_map(|source| source.version.clone()).unwrap_or_default();
    let reference = format!("model:{}", model.name);
    let mut component =
        Component::new(Classification::MachineLearningModel, &model.name, &version, Some(reference));
    component.licenses = licence(Some(&model.licence));
    component.hashes = Some(sha256(&model.sha256));
    component.description = Some(NormalizedString::new(&model.job));
    Ok(component)
}

fn sha256(sum: &str) -> Hashes {
    Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(sum.to_owned()) }])
}

/// The licence; one that is no SPDX expression stays out, and `cargo deny` has a word on it.
fn licence(text: Option<&str>) -> Option<Licenses> {
    // Cargo's older way to write OR is a slash.
    let expression = SpdxExpression::parse_lax(text?.to_owned()).ok()?;
    Some(Licenses(vec![LicenseChoice::Expression(expression)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_names_every_shipped_crate_and_model_with_its_hash_and_no_test_tool() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let file = std::env::temp_dir().join(format!("troika-sbom-{}.json", std::process::id()));
        write(&top, &file).expect("written");
        let bom = Bom::parse_from_json(fs::read(&file).expect("there").as_slice()).expect("it can be read");
        let first = fs::read(&file).expect("there");
        write(&top, &file).expect("written again");
        assert!(first == fs::read(&file).expect("there"), "the same source, the same bill");
        fs::remove_file(&file).expect("it was there");
        let components = bom.components.as_ref().expect("some").0.clone();
        let named = |name: &str| components.iter().find(|one| one.name.to_string() == name);
        for crate_of_it in ["tract-core", "zenoh", "rustls", "troika-monitor", "troika"] {
            let found = named(crate_of_it).unwrap_or_else(|| panic!("{crate_of_it}"));
            let ours = crate_of_it.starts_with("troika");
            assert_eq!(found.hashes.is_none(), ours, "{crate_of_it}");
        }
        for (crate_of_it, name) in [
            ("whisper-rs-sys", "whisper.cpp"),
            ("whisper-rs-sys", "ggml"),
            ("llama-cpp-sys-2", "llama.cpp"),
            ("llama-cpp-sys-2", "ggml"),
        ] {
            let reference = format!("native:{crate_of_it}/{name}");
            let found = components.iter().find(|one| one.bom_ref.as_deref() == Some(&reference));
            let found = found.unwrap_or_else(|| panic!("{reference}"));
            let version = found.version.as_ref().map(ToString::to_string).unwrap_or_default();
            assert!(version.split('.').count() == 3, "{reference}: {version}");
            assert_eq!(found.licenses, licence(Some("MIT")), "{reference}");
            let all = bom.dependencies.as_ref().expect("some");
            let of_crate = all.0.iter().find(|one| one.dependencies.contains(&reference));
            assert!(of_crate.is_some_and(|one| one.dependency_ref.contains(crate_of_it)), "{reference}");
        }
        let iris = named("iris_landmark").expect("a model");
        assert_eq!(iris.component_type, Classification::MachineLearningModel);
        for tool in ["proptest", "xtask", "troika-interop", "mockall"] {
            assert!(named(tool).is_none(), "{tool} is not shipped");
        }
        let unlicensed: Vec<String> =
            components.iter().filter(|one| one.licenses.is_none()).map(|one| one.name.to_string()).collect();
        assert!(unlicensed.len() <= 3, "without a licence that SPDX knows: {unlicensed:?}");
    }

    #[test]
    fn the_bill_says_which_commit_it_is_of_and_when_that_was_made_or_that_nobody_can_tell() {
        let origin = Origin { commit: Some("c0ffee".into()), changed: true, time: Some(1_700_000_000) };
        let timestamp = origin.timestamp().expect("a time").expect("some");
        assert_eq!(timestamp.to_string(), "2023-11-14T22:13:20Z");
        let told = origin.properties().expect("some").0;
        let told: Vec<(&str, String)> =
            told.iter().map(|one| (one.name.as_str(), one.value.to_string())).collect();
        assert_eq!(
            told,
            [("troika:commit", "c0ffee".to_owned()), ("troika:changed_since", "true".to_owned())]
        );
        let nowhere = Path::new("/nowhere");
        let tarball = Origin::of(nowhere, None).expect("told");
        assert_eq!(tarball, Origin::default());
        assert!(tarball.to_string().contains("no git") && tarball.to_string().contains("SOURCE_DATE_EPOCH"));
        assert_eq!(Origin::of(nowhere, Some("12")).expect("told").time, Some(12));
        assert!(Origin::of(nowhere, Some("yesterday")).is_err());
    }
}
