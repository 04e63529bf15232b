//! Our CDR and hashes before an independent judge: rosbags fills every type with values, we read them and write them again,
//! rosbags reads what we wrote.

use serde_json::{Value, json};
use troika_interop::{Peer, same, verdict};
use troika_msgs::dynamic;

/// Empty arrays and strings; one element; several, with text beyond ASCII.
const ROUNDS: [u32; 3] = [0, 1, 2];

#[test]
fn rosbags_reads_every_message_that_we_write_and_we_read_its() {
    // It needs no network, so any port will do.
    let mut peer = Peer::start("rosbags_peer", 0);
    assert!(dynamic::all().len() >= 20, "every type is seen");
    for entry in dynamic::all() {
        let info = entry.info();
        for round in ROUNDS {
            peer.tell(&json!({ "do": "sample", "type": info.name, "round": round }));
            let sample = peer.wait("a sample", |e| e["event"] == "sample");
            assert_eq!(sample["hash"], info.hash, "rosbags' own hash of {}", info.name);
            let theirs = bytes(&sample["cdr"]);
            let json =
                entry.to_json(&theirs).unwrap_or_else(|e| panic!("{} as rosbags writes it: {e}", info.name));
            let mut ours = Vec::new();
            entry.recode(&theirs, &mut ours).expect("what is read can be written");
            peer.tell(&json!({ "do": "judge", "type": info.name, "round": round, "cdr": hex(&ours) }));
            let judged = peer.wait("a judgement", |e| e["event"] == "judged");
            let (read, original) = (&judged["read"], &judged["original"]);
            assert!(same(read, original), "{}\n  original {original}\n  from us  {read}", info.name);
            assert!(same(&json, original), "{}\n  original {original}\n  we read  {json}", info.name);
        }
        verdict("rosbags_peer", &format!("reads and hashes our {}", info.name));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("hexadecimal");
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal")).collect()
}
