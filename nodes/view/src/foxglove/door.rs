//! Who may come in. Browsers let any page of the web connect to this machine's WebSockets, so a page's origin is looked at: Foxglove's own,
//! this machine's, and those that were named; programs send none.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha1_smol::Sha1;

/// What is spoken, what is taken first standing first. The SDK's newer `foxglove.sdk.v1.1` tells schemas in another way; its clients offer
/// this one too.
const PROTOCOLS: [&str; 2] = ["foxglove.sdk.v1", "foxglove.websocket.v1"];
/// RFC 6455, 1.3: joined to a client's key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What an opening handshake comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The `Sec-WebSocket-Accept` of the answer.
    pub accept: String,
    /// The subprotocol that is spoken.
    pub protocol: &'static str,
}

/// Why it comes to nothing, for the person at the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// No WebSocket at all.
    #[error(
        "this is the WebSocket for Foxglove: open a Foxglove WebSocket connection to this address (the page for browsers is another port)"
    )]
    NoWebSocket,
    /// A page of somebody else's.
    #[error("a page of {0} may not look into this system: troika view --foxglove-origin {0} lets it")]
    Origin(String),
    /// It speaks something else.
    #[error("offer one of the subprotocols foxglove.sdk.v1 and foxglove.websocket.v1")]
    Protocol,
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// RFC 6455, 4.2, and the origin and the subprotocol besides.
///
/// # Errors
/// See [`Refused`].
pub(crate) fn open(headers: &HeaderMap, origins: &[String]) -> Result<Opened, Refused> {
    let has = |name, wanted: &str| {
        text(headers, name).split(',').any(|one| one.trim().eq_ignore_ascii_case(wanted))
    };
    let key = text(headers, &header::SEC_WEBSOCKET_KEY);
    if !has(&header::UPGRADE, "websocket")
        || !has(&header::CONNECTION, "upgrade")
        || text(headers, &header::SEC_WEBSOCKET_VERSION) != "13"
        || BASE64_STANDARD.decode(key).map_or(0, |key| key.len()) != 16
    {
        return Err(Refused::NoWebSocket);
    }
    let origin =
        headers.get(header::ORIGIN).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if let Some(origin) = origin.filter(|origin| !may_look(origin, origins)) {
        return Err(Refused::Origin(origin));
    }
    let offered: Vec<&str> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
        .collect();
    let protocol = PROTOCOLS.into_iter().find(|one| offered.contains(one)).ok_or(Refused::Protocol)?;
    let accept = BASE64_STANDARD.encode(Sha1::from(format!("{key}{GUID}")).digest().bytes());
    Ok(Opened { accept, protocol })
}

/// Whether a page of this origin may: a desktop program's page comes from no web server.
fn may_look(origin: &str, origins: &[String]) -> bool {
    troika_safety::fulfils![SR_OBS_005];
    if origins.iter().any(|one| one.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Some((scheme, rest)) = origin.split_once("://") else {
        // `null`: any page can be that, in a frame of its own.
        return false;
    };
    let host =
        rest.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(rest, |(host, _)| host);
    match scheme {
        "https" if host == "foxglove.dev" || host.ends_with(".foxglove.dev") => true,
        "http" | "https" => is_this_machine(host),
        _ => true,
    }
}

/// A name of this machine that no foreign name server can take.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(more: &[(&'static str, &str)]) -> HeaderMap {
        let plain = [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "foxglove.sdk.v1.1, foxglove.websocket.v1"),
        ];
        plain.into_iter().chain(more.iter().copied()).fold(HeaderMap::new(), |mut all, (name, value)| {
            all.insert(name, value.parse().unwrap());
            all
        })
    }

    #[test]
    fn the_handshake_is_rfc_6455s_own_example() {
        let opened = open(&headers(&[]), &[]).unwrap();
        assert_eq!(opened.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(opened.protocol, "foxglove.websocket.v1");
    }

    #[test]
    fn what_is_no_websocket_or_speaks_something_else_is_told_so() {
        for (name, value) in
            [("upgrade", "h2c"), ("sec-websocket-version", "8"), ("sec-websocket-key", "eA==")]
        {
            assert_eq!(open(&headers(&[(name, value)]), &[]), Err(Refused::NoWebSocket), "{name}");
        }
        let other = headers(&[("sec-websocket-protocol", "foxglove.websocket.v10")]);
        assert_eq!(open(&other, &[]), Err(Refused::Protocol));
    }

    #[test]
    fn pages_of_foxglove_and_of_this_machine_may_look_and_others_may_not() {
        troika_safety::verifies![SR_OBS_005];
        for fine in [
            "https://app.foxglove.dev",
            "https://foxglove.dev",
            "http://localhost:8080",
            "http://127.0.0.1",
            "https://[::1]:8080",
            "file://",
            "foxglove://app",
        ] {
            assert!(open(&headers(&[("origin", fine)]), &[]).is_ok(), "{fine}");
        }
        for foreign in [
            "https://evil.example",
            "https://app.foxglove.dev.evil.example",
            "https://evilfoxglove.dev",
            "http://app.foxglove.dev",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example:80",
            "null",
        ] {
            assert_eq!(
                open(&headers(&[("origin", foreign)]), &[]),
                Err(Refused::Origin(foreign.into())),
                "{foreign}"
            );
        }
        assert!(
            open(
                &headers(&[("origin", "https://lichtblick.example")]),
                &["https://lichtblick.example".into()]
            )
            .is_ok()
        );
    }
}
