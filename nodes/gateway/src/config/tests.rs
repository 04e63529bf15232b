use super::*;

const LEAST: &str = "listen = \"127.0.0.1:0\"\ntls = \"fleet\"\nstore = \"s.redb\"\n\n[[upstreams]]\nname = \"a\"\nurl = \"https://api.example/v1\"\nmodels = [\"large\"]\n";

fn refused(text: &str) -> String {
    Config::parse(text, Path::new("g.toml")).expect_err("refused").to_string()
}

#[test]
fn the_least_is_an_address_a_folder_a_store_and_an_upstream() {
    let config = Config::parse(LEAST, Path::new("g.toml")).expect("a config");
    assert_eq!(config.models().get("large"), Some(&1));
    assert_eq!(config.cache.bytes, 0, "off by default");
    assert!(config.admin.listen.ip().is_loopback());
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let plain = LEAST.replace("https:", "http:");
    assert!(
        refused(&plain).starts_with("g.toml:7: \"http://api.example/v1\" without TLS"),
        "{}",
        refused(&plain)
    );
    let unknown = LEAST.replace("name = \"a\"", "name = \"a\"\nnmae = 1");
    assert!(refused(&unknown).starts_with("g.toml:7: unknown field `nmae`"), "{}", refused(&unknown));
    let zero = format!("{LEAST}\n[quota]\nrequests_a_minute = 0\n");
    assert!(refused(&zero).starts_with("g.toml:11: quota.requests_a_minute is 0"), "{}", refused(&zero));
    let twice = format!("{LEAST}[[upstreams]]\nname = \"a\"\nurl = \"https://b/v1\"\nmodels = [\"x\"]\n");
    assert!(refused(&twice).starts_with("g.toml:10: \"a\": each upstream"), "{}", refused(&twice));
    let none = LEAST.replace("models = [\"large\"]", "models = []");
    assert!(refused(&none).starts_with("g.toml:8: the models"), "{}", refused(&none));
    assert!(refused("listen = \"127.0.0.1:0\"").starts_with("g.toml:1: `"));
    let told = refused("listen = \"127.0.0.1:0\"");
    assert!(told.ends_with("is missing"), "{told}");
}

#[test]
fn a_port_that_is_none_and_a_table_that_is_none_are_told_in_words() {
    let port = refused(&LEAST.replace("api.example", "api.example:70000"));
    assert!(port.starts_with("g.toml:7: ") && port.contains("from 1 to 65535"), "{port}");
    let listen = refused(&LEAST.replace("127.0.0.1:0", "127.0.0.1:70000"));
    assert!(listen.starts_with("g.toml:1: ") && listen.contains("0 to 65535"), "{listen}");
    let admin = refused(&format!("admin = \"127.0.0.1:9443\"\n{LEAST}"));
    assert!(admin.starts_with("g.toml:1: ") && admin.ends_with("expected a table"), "{admin}");
    let trace = refused(&format!("{LEAST}\n[trace]\nendpoint = \"http://collector:99999\"\n"));
    assert!(trace.starts_with("g.toml:11: ") && trace.contains("65535"), "{trace}");
}

#[test]
fn an_address_without_v1_is_told_with_its_line_and_what_it_comes_to() {
    let path = Path::new("g.toml");
    let config = Config::parse(LEAST, path).expect("fine");
    assert!(config.unusual(LEAST, path).is_empty());
    let without = LEAST.replace("/v1", "");
    let config = Config::parse(&without, path).expect("fine all the same");
    let told = config.unusual(&without, path);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("g.toml:7: ") && told[0].contains("https://api.example/chat/completions"),
        "{told:?}"
    );
}

#[test]
fn routers_are_asked_with_certificates_or_not_at_all() {
    let with = |lines: &str| format!("{LEAST}\n[mesh]\n{lines}\n");
    let fine = Config::parse(&with("routers = [\"tls/r.example:7447\"]"), Path::new("g.toml")).expect("fine");
    assert_eq!(fine.mesh.map(|mesh| (mesh.requests, mesh.connect_ms)), Some((2048, 5_000)));
    let plain = refused(&with("routers = [\n\"tls/a:7447\",\n\"tcp/b:7447\",\n]"));
    assert!(plain.starts_with("g.toml:13: \"tcp/b:7447\" is neither tls"), "{plain}");
    let none = refused(&with("routers = []"));
    assert!(none.starts_with("g.toml:11: at least one router"), "{none}");
    let unknown = refused(&with("routers = [\"tls/a:7447\"]\ncertificate = \"x\""));
    assert!(unknown.starts_with("g.toml:12: unknown field `certificate`"), "{unknown}");
}

#[test]
fn a_collector_has_an_address_and_a_share() {
    let with = |lines: &str| format!("{LEAST}\n[trace]\n{lines}\n");
    let read = |lines: &str| Config::parse(&with(lines), Path::new("g.toml"));
    let fine = read("endpoint = \"http://collector:4318\"").expect("fine").trace.expect("there");
    assert_eq!((fine.ratio, fine.waiting, fine.service.as_str()), (1.0, 2048, "troika-gateway"));
    for wrong in ["collector:4318", "grpc://collector:4317", "http://collector:4318/v1/traces"] {
        let told = refused(&with(&format!("endpoint = \"{wrong}\"")));
        assert!(told.starts_with("g.toml:11: \"") && told.contains("http://collector:4318"), "{told}");
    }
    let told = refused(&with("endpoint = \"http://c:4318\"\nratio = 1.5"));
    assert!(told.starts_with("g.toml:12: trace.ratio is 1.5"), "{told}");
    let told = refused(&with("endpoint = \"http://c:4318\"\nbatch = 0"));
    assert!(told.starts_with("g.toml:12: trace.batch is 0"), "{told}");
}

#[test]
fn plain_http_is_for_this_machine() {
    let here = LEAST.replace("https://api.example/v1", "http://localhost:8080/v1");
    assert!(refused(&here).contains("plain_http = true"));
    assert!(Config::parse(&format!("{here}plain_http = true\n"), Path::new("g.toml")).is_ok());
}
