//! `troika view`: a running system in a browser and in Foxglove, as a peer of its nodes.

use std::net::SocketAddr;

use clap::Args;
use troika_host::signal::stop_on_signals;
use troika_record::privacy::Privacy;
use troika_view::{FOXGLOVE, Options, View};

use crate::topic::{Where, open};

/// Where it is shown.
#[derive(Args)]
pub(crate) struct ViewArguments {
    /// Where the page is: whoever reaches this address sees the cabin, so by default this machine alone.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090", value_parser = address)]
    listen: SocketAddr,
    /// Every topic for Foxglove too (a Foxglove WebSocket connection), here or at another address.
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = FOXGLOVE, value_parser = address)]
    foxglove: Option<SocketAddr>,
    /// A web page's origin that may connect there too, beside Foxglove's own and this machine's.
    #[arg(long, value_name = "https://HOST", requires = "foxglove")]
    foxglove_origin: Vec<String>,
    /// No pictures of the cabin on the page, and neither pictures nor sound for Foxglove.
    #[arg(long)]
    no_images: bool,
    #[command(flatten)]
    place: Where,
}

/// An address with its port; who gave something else is shown one, with their port where there is one in it.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(8090);
        format!(
            "an IP address and a port are wanted, for example 127.0.0.1:{port} (this machine alone) or 0.0.0.0:{port} (all who reach it)"
        )
    })
}

/// Shows until it is told to stop.
///
/// # Errors
/// A port that is taken, or a transport that cannot be reached.
pub(crate) fn view(arguments: &ViewArguments) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let transport = open(&arguments.place)?;
    let place =
        format!("listening to ROS domain {} {}", transport.domain(), arguments.place.told(&transport));
    let view = View::open(Options {
        listen: arguments.listen,
        foxglove: arguments.foxglove,
        foxglove_origins: arguments.foxglove_origin.clone(),
        images: !arguments.no_images,
        place: place.clone(),
    })?;
    println!("the page: http://{}/", view.address());
    if let Some(address) = view.foxglove_address() {
        println!("Foxglove: ws://{address} (layout: launch/foxglove/troika.json)");
    }
    let seen_by = |address: SocketAddr| match address.ip().is_loopback() {
        true => "whoever is on this machine".to_owned(),
        false => format!("everybody who reaches {address}: nobody is asked who they are"),
    };
    let what = if arguments.no_images { "what the nodes say (no pictures)" } else { "pictures of the cabin" };
    println!("shown are {what}, to {}", seen_by(view.address()));
    if let Some(address) = view.foxglove_address() {
        println!("and every topic, to {}", seen_by(address));
    }
    println!("{place}; Ctrl-C ends it");
    let privacy = Privacy::raw(!arguments.no_images);
    view.run(&*transport, &|type_name| privacy.leaves_out(type_name), &|| stop.is_stopped(), &mut |told| {
        eprintln!("notice: {told}")
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;
    use troika_kit::Message as _;
    use troika_msgs::{dynamic, rcl_interfaces::Log, troika::Heartbeat};

    use crate::kinds::KINDS;

    #[test]
    fn a_wrong_address_is_answered_with_a_right_one() {
        use super::address;
        assert_eq!(address("127.0.0.1:18190").map(|found| found.port()), Ok(18190));
        assert!(address("18190").expect_err("no address").contains("for example 127.0.0.1:18190 "));
        assert!(address("localhost:9").expect_err("a name").contains("for example 127.0.0.1:9 "));
        assert!(address("here").expect_err("nothing").contains("for example 127.0.0.1:8090 "));
    }

    const LAYOUT: &str = include_str!("../../../launch/foxglove/troika.json");

    /// Every text that names a topic in the layout.
    fn paths(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) if text.starts_with('/') => found.push(text.clone()),
            Value::Array(all) => all.iter().for_each(|one| paths(one, found)),
            Value::Object(all) => all.values().for_each(|one| paths(one, found)),
            _ => {}
        }
    }

    fn has_field(type_name: &str, field: &str) -> bool {
        let definition = dynamic::lookup(type_name).expect("it is known").definition();
        let own = definition.split("====").next().unwrap_or_default();
        own.lines().any(|line| {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            words.next().is_some() && words.next() == Some(field)
        })
    }

    #[test]
    fn the_layout_for_foxglove_names_topics_and_fields_that_there_are() {
        let mut types: BTreeMap<&str, &str> = KINDS
            .iter()
            .flat_map(|kind| kind.inputs().iter().chain(kind.outputs()))
            .map(|port| (port.topic, port.ty.name))
            .collect();
        types.insert(troika_host::heartbeat::TOPIC, Heartbeat::TYPE.name);
        types.insert("/rosout", Log::TYPE.name);
        let layout: Value = serde_json::from_str(LAYOUT).expect("JSON");
        let mut found = Vec::new();
        // A node's name in a filter begins with a slash too, but stands inside of a path.
        paths(&layout["configById"], &mut found);
        assert!(found.len() >= 15, "{found:?}");
        for path in &found {
            let (topic, rest) = path.split_at(path.find(['.', '{']).unwrap_or(path.len()));
            let type_name = types.get(topic).unwrap_or_else(|| panic!("{path}: there is no topic {topic}"));
            let (filter, field) = rest.rsplit_once('.').unwrap_or((rest, ""));
            let filtered = filter.trim_start_matches('{').split("==").next().unwrap_or_default();
            for name in [field, filtered].into_iter().filter(|name| !name.is_empty()) {
                assert!(has_field(type_name, name), "{path}: {type_name} has no field {name}");
            }
        }
        // And the panels of the mosaic are those that are set up.
        let mut panels = layout["configById"].as_object().expect("panels").keys();
        let mosaic = layout["layout"].to_string();
        assert!(panels.all(|panel| mosaic.contains(&format!("\"{panel}\""))), "{mosaic}");
    }
}
