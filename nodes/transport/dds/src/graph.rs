//! Who is there: what discovery tells of other participants, what they tell of their nodes, and this session's own.

use std::collections::{BTreeMap, BTreeSet};

use troika_transport::{Endpoint, Graph, ServiceEnd};

use crate::{
    ffi::{Builtin, Guid, Seen},
    wire::{self, Kind, NodeEntities, ParticipantEntities},
};

/// What rmw calls the node of an endpoint that no ROS node made.
const BARE: &str = "/_CREATED_BY_BARE_DDS_APP_";

/// A reader or writer.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) topic: String,
    /// DDS's spelling.
    pub(crate) type_name: String,
    pub(crate) type_hash: String,
    pub(crate) writes: bool,
}

/// One of this session's nodes.
#[derive(Debug, Default)]
struct OwnNode {
    namespace: String,
    name: String,
    ends: BTreeMap<Guid, End>,
}

/// Of another participant.
#[derive(Debug)]
struct Foreign {
    participant: Guid,
    end: End,
}

/// Everything known now.
#[derive(Debug, Default)]
pub(crate) struct Known {
    own: Guid,
    next_node: u64,
    nodes: BTreeMap<u64, OwnNode>,
    /// The others, and whether each is of ROS.
    participants: BTreeMap<Guid, bool>,
    ends: BTreeMap<Guid, Foreign>,
    entities: BTreeMap<Guid, Vec<NodeEntities>>,
}

impl Known {
    pub(crate) fn of(own: Guid) -> Known {
        Known { own, ..Known::default() }
    }

    /// A node of this session; gives its number.
    pub(crate) fn add_node(&mut self, namespace: &str, name: &str) -> u64 {
        self.next_node += 1;
        let node = OwnNode { namespace: namespace.to_owned(), name: name.to_owned(), ends: BTreeMap::new() };
        self.nodes.insert(self.next_node, node);
        self.next_node
    }

    pub(crate) fn remove_node(&mut self, node: u64) {
        self.nodes.remove(&node);
    }

    pub(crate) fn add_end(&mut self, node: u64, guid: Guid, end: End) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.ends.insert(guid, end);
        }
    }

    pub(crate) fn remove_end(&mut self, node: u64, guid: Guid) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.ends.remove(&guid);
        }
    }

    /// DDS's names of the types that are written on a DDS topic.
    pub(crate) fn types_on(&self, topic: &str) -> BTreeSet<String> {
        let own = self.nodes.values().flat_map(|node| node.ends.values());
        let ends = own.chain(self.ends.values().map(|foreign| &foreign.end));
        ends.filter(|end| end.writes && end.topic == topic).map(|end| end.type_name.clone()).collect()
    }

    /// What discovery tells.
    pub(crate) fn see(&mut self, which: Builtin, seen: &Seen<'_>) {
        match (which, seen.alive) {
            (Builtin::Participants, true) if seen.guid != self.own => {
                let of_ros = wire::value_of(seen.user_data, "enclave").is_some();
                self.participants.insert(seen.guid, of_ros);
            }
            (Builtin::Participants, _) => {
                self.participants.remove(&seen.guid);
                self.entities.remove(&seen.guid);
            }
            (_, true) if seen.participant != self.own => {
                let hash = match wire::kind_of(seen.topic) {
                    Kind::Request(_) | Kind::Reply(_) => wire::service_hash_of(seen.user_data),
                    Kind::Topic(_) | Kind::Other => wire::type_hash_of(seen.user_data),
                };
                let end = End {
                    topic: seen.topic.to_owned(),
                    type_name: seen.type_name.to_owned(),
                    type_hash: hash.to_owned(),
                    writes: which == Builtin::Writers,
                };
                self.ends.insert(seen.guid, Foreign { participant: seen.participant, end });
            }
            (_, true) => {}
            (_, false) => drop(self.ends.remove(&seen.guid)),
        }
    }

    /// What a participant tells of its nodes.
    pub(crate) fn hear(&mut self, told: ParticipantEntities) {
        self.entities.insert(told.gid, told.nodes);
    }

    /// What this session tells of its own.
    pub(crate) fn own_entities(&self) -> ParticipantEntities {
        let guids = |node: &OwnNode, writes: bool| {
            node.ends.iter().filter(|(_, end)| end.writes == writes).map(|(guid, _)| *guid).collect()
        };
        let nodes = self.nodes.values().map(|node| NodeEntities {
            namespace: node.namespace.clone(),
            name: node.name.clone(),
            readers: guids(node, false),
            writers: guids(node, true),
        });
        ParticipantEntities { gid: self.own, nodes: nodes.collect() }
    }

    /// As the API shows it. An endpoint of a ROS participant is shown once that has said which node it is of.
    pub(crate) fn graph(&self) -> Graph {
        let mut nodes: Vec<String> =
            self.nodes.values().map(|node| wire::full_node_name(&node.namespace, &node.name)).collect();
        let mut owners: BTreeMap<Guid, String> = BTreeMap::new();
        let living =
            self.entities.iter().filter(|(participant, _)| self.participants.contains_key(*participant));
        for node in living.flat_map(|(_, nodes)| nodes) {
            let name = wire::full_node_name(&node.namespace, &node.name);
            owners.extend(node.readers.iter().chain(&node.writers).map(|guid| (*guid, name.clone())));
            nodes.push(name);
        }
        nodes.sort();
        let (mut endpoints, mut services) = (BTreeSet::new(), BTreeSet::new());
        for node in self.nodes.values() {
            let name = wire::full_node_name(&node.namespace, &node.name);
            node.ends.values().for_each(|end| show(&name, end, &mut endpoints, &mut services));
        }
        for (guid, foreign) in &self.ends {
            let of_ros = self.participants.get(&foreign.participant);
            let owner = owners.get(guid).map(String::as_str).or((of_ros == Some(&false)).then_some(BARE));
            if let Some(owner) = owner {
                show(owner, &foreign.end, &mut endpoints, &mut services);
            }
        }
        Graph { nodes, endpoints: endpoints.into_iter().collect(), services: services.into_iter().collect() }
    }
}

/// A service's end is shown once, by its reader.
fn show(node: &str, end: &End, endpoints: &mut BTreeSet<Endpoint>, services: &mut BTreeSet<ServiceEnd>) {
    let (type_name, type_hash) = (wire::ros_type(&end.type_name), end.type_hash.clone());
    let node = node.to_owned();
    match wire::kind_of(&end.topic) {
        Kind::Topic(topic) => {
            let (topic, publishes) = (topic.to_owned(), end.writes);
            endpoints.insert(Endpoint { node, topic, type_name, type_hash, publishes });
        }
        Kind::Request(service) if !end.writes => {
            let service = service.to_owned();
            services.insert(ServiceEnd { node, service, type_name, type_hash, serves: true });
        }
        Kind::Reply(service) if !end.writes => {
            let service = service.to_owned();
            services.insert(ServiceEnd { node, service, type_name, type_hash, serves: false });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Guid = [1; 16];
    const THEIRS: Guid = [2; 16];

    fn end(topic: &str, writes: bool) -> End {
        let type_name = "std_msgs::msg::dds_::String_".to_owned();
        End { topic: topic.to_owned(), type_name, type_hash: String::new(), writes }
    }

    fn seen(guid: Guid, participant: Guid, topic: &'static str, user_data: &'static [u8]) -> Seen<'static> {
        let type_name = "std_msgs::msg::dds_::String_";
        Seen { alive: true, guid, participant, topic, type_name, user_data }
    }

    #[test]
    fn an_endpoint_is_shown_once_its_node_is_known() {
        let mut known = Known::of(OWN);
        known.see(Builtin::Participants, &seen(THEIRS, THEIRS, "", b"enclave=/;"));
        known.see(Builtin::Writers, &seen([3; 16], THEIRS, "rt/a", b"typehash=RIHS01_1;"));
        assert_eq!(known.graph(), Graph::default());
        let node = NodeEntities {
            namespace: "/car".into(),
            name: "n".into(),
            readers: vec![],
            writers: vec![[3; 16]],
        };
        known.hear(ParticipantEntities { gid: THEIRS, nodes: vec![node] });
        let graph = known.graph();
        assert_eq!(graph.nodes, ["/car/n"]);
        assert_eq!(
            graph.endpoints,
            [Endpoint {
                node: "/car/n".into(),
                topic: "/a".into(),
                type_name: "std_msgs/msg/String".into(),
                type_hash: "RIHS01_1".into(),
                publishes: true
            }]
        );
        known.see(Builtin::Participants, &Seen { alive: false, ..seen(THEIRS, THEIRS, "", b"") });
        known.see(Builtin::Writers, &Seen { alive: false, ..seen([3; 16], THEIRS, "", b"") });
        assert_eq!(known.graph(), Graph::default());
    }

    #[test]
    fn an_endpoint_of_no_ros_node_is_called_as_rmw_calls_it() {
        let mut known = Known::of(OWN);
        known.see(Builtin::Participants, &seen(THEIRS, THEIRS, "", b""));
        known.see(Builtin::Readers, &seen([3; 16], THEIRS, "rt/a", b""));
        known.see(Builtin::Readers, &seen([4; 16], THEIRS, "Square", b""));
        let graph = known.graph();
        assert_eq!((graph.nodes.len(), graph.endpoints.len()), (0, 1));
        assert_eq!(graph.endpoints[0].node, BARE);
    }

    #[test]
    fn own_nodes_are_told_with_their_endpoints() {
        let mut known = Known::of(OWN);
        let node = known.add_node("/", "n");
        known.add_end(node, [5; 16], end("rt/a", true));
        known.add_end(node, [6; 16], end("rq/sRequest", false));
        known.add_end(node, [7; 16], end("rr/sReply", true));
        let told = known.own_entities();
        assert_eq!((told.gid, told.nodes[0].readers.len(), told.nodes[0].writers.len()), (OWN, 1, 2));
        let graph = known.graph();
        assert_eq!((graph.endpoints.len(), graph.services.len()), (1, 1));
        assert!(graph.services[0].serves);
        known.remove_end(node, [5; 16]);
        assert_eq!(known.graph().endpoints, []);
        known.remove_node(node);
        assert_eq!(known.graph(), Graph::default());
    }
}
