//! What belongs here: the bill of materials of what is shipped, as CycloneDX 1.5. `troika-sbom REPOSITORY FILE`. The crates that programs and plugin
//! are built of, tests and their peers left out, each with its package URL, licence, checksum and dependencies; and the models with theirs.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use cyclonedx_bom::{
    external_models::{normalized_string::NormalizedString, spdx::SpdxExpression, uri::Purl},
    models::{
        bom::{Bom, SpecVersion},
        component::{Classification, Component, Components},
        dependency::{Dependencies, Dependency},
        hash::{Hash, HashAlgorithm, HashValue, Hashes},
        license::{LicenseChoice, Licenses},
        metadata::Metadata as About,
    },
    validation::Validate as _,
};
use serde::Deserialize;

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
    let bom = bill(&metadata, &sums, &models)?;
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
    let count = bom.components.map_or(0, |all| all.0.len());
    Ok(format!("{}: {} crates, {} models", file.display(), count - models.len(), models.len()))
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

fn bill(metadata: &Metadata, sums: &Sums, models: &[Passport]) -> anyhow::Result<Bom> {
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
    for model in models {
        components.push(of_model(model)?);
    }
    let of = |id: &PackageId| reference(&metadata[id]);
    let dependencies = reached.iter().map(|id| Dependency {
        dependency_ref: of(id),
        dependencies: used(id).iter().map(of).collect::<BTreeSet<_>>().into_iter().collect(),
    });
    let version =
        metadata.workspace_packages().first().map(|one| one.version.to_string()).unwrap_or_default();
    let product = Component::new(Classification::Application, "troika", &version, Some("troika".to_owned()));
    Ok(Bom {
        metadata: Some(About { component: Some(product), ..About::default() }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies.collect())),
        spec_version: SpecVersion::V1_5,
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
        fs::remove_file(&file).expect("it was there");
        let components = bom.components.expect("some").0;
        let named = |name: &str| components.iter().find(|one| one.name.to_string() == name);
        for crate_of_it in ["tract-core", "zenoh", "rustls", "troika-monitor", "troika"] {
            let found = named(crate_of_it).unwrap_or_else(|| panic!("{crate_of_it}"));
            let ours = crate_of_it.starts_with("troika");
            assert_eq!(found.hashes.is_none(), ours, "{crate_of_it}");
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
}
