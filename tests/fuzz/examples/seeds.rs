//! Writes `corpus/`: small inputs that the readers take, made by our own writers and by those of the formats. What was found stays beside them
//! (`regression-*`), and is left alone.

use std::{fs, io::Cursor, path::Path, sync::Arc};

use anyhow::Context as _;
use troika_e2e::{Profile, Protection, Protector};
use troika_fuzz::campaign::TOP;
use troika_kit::{Message as _, Qos, Time};
use troika_models::signature::{SecretKey, Signed};
use troika_msgs::{
    dynamic,
    protect::{Seal, sender},
    std_msgs::String as Text,
    troika::DriverAlert,
};
use troika_record::{Bag, Entry, Message, Store as _, Topic};
use troika_transport_dds::wire::{NodeEntities, ParticipantEntities, RequestId, prefixed};
use troika_transport_zenoh::wire::Attachment;

fn put(target: &str, name: &str, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    fs::write(&file, bytes).with_context(|| file.display().to_string())
}

fn main() -> anyhow::Result<()> {
    messages()?;
    ros()?;
    media()?;
    talk()?;
    fleet()?;
    programs()?;
    servers()?;
    whisper()?;
    let voice = r#"{"audio":{"sample_rate":22050},"inference":{"noise_scale":0.667,"length_scale":1,"noise_w":0.8},"phoneme_type":"espeak","num_speakers":1,"phoneme_id_map":{"_":[0],"^":[1],"$":[2],"a":[14]}}"#;
    put("piper_settings", "voice.json", voice)?;
    put("link_coverage", "empty.toml", troika_link::Coverage::new(4).to_text())?;
    put("link_trace", "link.txt", "0 12.5\n0.5 3\n1.5 0\n2 40\n")?;
    let key = SecretKey::generate()?;
    let text = key.sign(&Signed { passport: b"a", model: b"b", golden: b"" })?;
    put("signature", "fits", format!("{}\n{text}", key.public()?))
}

fn messages() -> anyhow::Result<()> {
    let golden = fs::read(Path::new(TOP).join("msgs/tests/golden/cdr.json"))?;
    let golden: Vec<serde_json::Value> = serde_json::from_slice(&golden)?;
    let hex = |text: &str| {
        (0..text.len() / 2)
            .map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16))
            .collect::<Result<Vec<u8>, _>>()
    };
    for (place, name) in dynamic::names().enumerate() {
        let Some(one) = golden.iter().find(|one| one["type"] == name) else { continue };
        let form = if place % 2 == 0 { "little" } else { "big" };
        let cdr = hex(one[form].as_str().unwrap_or_default())?;
        put("cdr", &name.replace("/msg/", "."), [&[u8::try_from(place)?], &cdr[..]].concat())?;
    }
    for (pick, profile) in [Profile::P04, Profile::P05, Profile::P06, Profile::P07].into_iter().enumerate() {
        let mut frame = vec![0x5a; profile.header() + 12];
        Protector::new(Protection::new(profile, 0x2a, 0, 2)?).protect(&mut frame)?;
        put("e2e", &format!("{profile:?}"), [&[u8::try_from(pick)?], &frame[..]].concat())?;
    }
    let mut alert = DriverAlert::default();
    let mut cdr = Vec::new();
    Seal::new(sender::MONITOR).seal(&mut alert).map_err(|_| anyhow::anyhow!("sealed"))?;
    alert.encode(&mut cdr).map_err(|_| anyhow::anyhow!("encoded"))?;
    put("sealed", "alert", cdr)
}

fn ros() -> anyhow::Result<()> {
    put(
        "ros_args",
        "rules",
        "--ros-args\n-r\n__node:=dms\n-r\n__ns:=/car\n-r\n~/image:=cam/image\n-p\nrate:=30\n--log-level\ninfo\n--\n--plain\n",
    )?;
    put(
        "ros_args",
        "nodes",
        "chatter:=/a/b\n--ros-args\n-r\ndriver_state:rosservice://x:=y\n--param\na.b:=[1.5, .nan]\n-e\n/e\n",
    )?;
    let hash = format!("RIHS01_{}", "df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18");
    put("zenoh_key", "string", format!("0/chatter/std_msgs::msg::dds_::String_/{hash}"))?;
    put("zenoh_key", "deep", format!("42/car%front/a/b/troika_msgs::msg::dds_::Pulse_/{hash}"))?;
    put("zenoh_key", "qos", "2:1:1,5:1,2:3,4:2,5,6")?;
    put("zenoh_token", "node", "@ros2_lv/0/aac3178e146ba6f1fc6e6a4085e77f21/0/0/NN/%/%/listener")?;
    put(
        "zenoh_token",
        "publisher",
        format!(
            "@ros2_lv/2/8b20917502ee955ac4476e0266340d5c/0/10/MP/%/%a%b/talker/%chatter/std_msgs::msg::dds_::String_/{hash}/::,7:,:,:,,"
        ),
    )?;
    put(
        "zenoh_attachment",
        "one",
        Attachment { sequence: 1, source_time_ns: 1_795_977_600_000_000_000, gid: [7; 16] }.encode(),
    )?;
    let node = NodeEntities {
        namespace: "/".into(),
        name: "talker".into(),
        readers: vec![[1; 16]],
        writers: vec![[2; 16], [3; 16]],
    };
    put("dds_entities", "one", ParticipantEntities { gid: [9; 16], nodes: vec![node] }.encode())?;
    put("dds_request", "bool", prefixed(b"\x00\x01\x00\x00\x01", RequestId { client: 5, sequence: 2 }))
}

fn media() -> anyhow::Result<()> {
    for (name, bits_per_sample, sample_format, channels) in [
        ("int16", 16, hound::SampleFormat::Int, 1),
        ("int24", 24, hound::SampleFormat::Int, 2),
        ("float", 32, hound::SampleFormat::Float, 1),
    ] {
        let spec = hound::WavSpec { channels, sample_rate: 8_000, bits_per_sample, sample_format };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec)?;
        for n in 0..64i32 {
            match sample_format {
                hound::SampleFormat::Int => writer.write_sample((n * 37) % 100)?,
                hound::SampleFormat::Float => writer.write_sample(n as f32 / 64.0)?,
            }
        }
        writer.finalize()?;
        put("wav", &format!("{name}.wav"), bytes.into_inner())?;
    }
    put("netpbm", "two", b"P5\n2 1\n255\nabP6\n1 1\n255\nrgb")?;
    for (name, size) in [("whole", (64, 48)), ("small", (16, 8)), ("large", (128, 64))] {
        let picture =
            image::RgbImage::from_fn(size.0, size.1, |x, y| image::Rgb([(x * 4) as u8, (y * 5) as u8, 90]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Jpeg)?;
        put("jpeg", &format!("{name}.jpg"), bytes.into_inner())?;
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.mcap");
    let mut bag = Bag::create(&path)?;
    let topic = Arc::new(Topic { name: "/chatter".into(), ty: Text::TYPE, qos: Qos::SENSOR });
    for index in 0..3 {
        let mut cdr = Vec::new();
        Text { data: format!("text {index}") }.encode(&mut cdr).map_err(|_| anyhow::anyhow!("encoded"))?;
        let at = Time::from_nanos(1_000 + u64::from(index));
        bag.put(Entry::Message(Message {
            topic: topic.clone(),
            index,
            log_time: at,
            publish_time: at,
            cdr: cdr.into(),
        }))?;
    }
    bag.finish()?;
    let packed = fs::read(&path)?;
    for target in ["mcap", "mcap_mend"] {
        put(target, "packed.mcap", &packed)?;
        put(target, "plain.mcap", plain_mcap("", false))?;
        put(target, "chunk.mcap", plain_mcap("", true))?;
    }
    put("mcap_mend", "cut.mcap", &packed[..packed.len() - 60])
}

/// A file whose records no checksum covers, so that changes in them are seen; in a chunk or bare.
fn plain_mcap(compression: &str, chunk: bool) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x89MCAP0\r\n";
    let text =
        |text: &str| [&u32::try_from(text.len()).unwrap_or(0).to_le_bytes()[..], text.as_bytes()].concat();
    let record = |op: u8, parts: &[&[u8]]| {
        let body = parts.concat();
        [&[op][..], &(body.len() as u64).to_le_bytes(), &body].concat()
    };
    let (schema, channel, time) = (1u16.to_le_bytes(), 2u16.to_le_bytes(), 7u64.to_le_bytes());
    let records = [
        record(3, &[&schema, &text("std_msgs/msg/String"), &text("ros2msg"), &text("string data\n")]),
        record(4, &[&channel, &schema, &text("/chatter"), &text("cdr"), &0u32.to_le_bytes()]),
        record(5, &[&channel, &1u32.to_le_bytes(), &time, &time, b"\x00\x01\x00\x00\x02\x00\x00\x00a\x00"]),
        record(
            12,
            &[&text("about"), &text(&format!("{}{}", text_of(&text("key")), text_of(&text("value"))))],
        ),
    ]
    .concat();
    let length = (records.len() as u64).to_le_bytes();
    let data = if chunk {
        record(6, &[&time, &time, &length, &0u32.to_le_bytes(), &text(compression), &length, &records])
    } else {
        records
    };
    let head = record(1, &[&text("ros2"), &text("seeds")]);
    let tail = [record(15, &[&0u32.to_le_bytes()]), record(2, &[&[0; 20]])].concat();
    [MAGIC, &head, &data, &tail, MAGIC].concat()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn talk() -> anyhow::Result<()> {
    let stream = concat!(
        ": a comment\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Close to \"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"the way\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n",
        "data: [DONE]\n\n",
    );
    let tools = concat!(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"search_places\",",
        "\"arguments\":\"{\\\"kind\\\":\"}}]}}]}\r\n\r\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"cafe\\\"}\"}}]},",
        "\"finish_reason\":\"tool_calls\"}]}\r\n\r\ndata: [DONE]\r\n\r\n",
    );
    let error = "data: {\"choices\":[],\"error\":{\"code\":\"429\",\"message\":\"slow down\"}}\n\n";
    for target in ["cloud_stream", "gateway_stream"] {
        put(target, "text", stream)?;
        put(target, "tools", tools)?;
        put(target, "error", error)?;
    }
    Ok(())
}

fn fleet() -> anyhow::Result<()> {
    put(
        "chat_request",
        "plain.json",
        r#"{"model":"large","messages":[{"role":"user","content":"where can I eat"}],"stream":true,"max_tokens":200}"#,
    )?;
    put(
        "chat_request",
        "parts.json",
        r#"{"model":"small","messages":[{"role":"system","content":"brief"},{"role":"user","content":[{"type":"text","text":"hello"}]},{"role":"assistant","tool_calls":[{"id":"c1"}]},{"role":"tool","content":"[]","tool_call_id":"c1"}],"tools":[{"type":"function"}],"temperature":0,"user":"vehicle-7"}"#,
    )?;
    put(
        "mesh_attachment",
        "asked.json",
        r#"{"version":1,"request":"0123456789abcdef","session":"fedcba9876543210","method":"POST","content_type":"application/json"}"#,
    )?;
    put(
        "mesh_attachment",
        "cancelled.json",
        r#"{"version":1,"request":"0123456789abcdef","session":"fedcba9876543210"}"#,
    )?;
    put(
        "mesh_parts",
        "answer",
        concat!(
            r#"{"version":1,"part":0,"then":"more","head":{"status":200,"content_type":"text/event-stream"}}"#,
            "\n",
            r#"{"version":1,"part":1,"then":"end"}"#,
        ),
    )?;
    put(
        "mesh_key",
        "question",
        troika_dialogue_mesh::wire::question("vehicle-7", "0123456789abcdef", "v1/chat/completions"),
    )?;
    put("mesh_key", "cancel", troika_dialogue_mesh::wire::cancel("vehicle-7"))?;
    let mut wanted = rcgen::CertificateParams::default();
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted.distinguished_name.push(rcgen::DnType::CommonName, "vehicle-7");
    wanted.subject_alt_names = vec![rcgen::SanType::URI("troika:vehicle:vehicle-7".try_into()?)];
    let certificate = wanted.self_signed(&rcgen::KeyPair::generate()?)?;
    put("certificate", "vehicle.der", certificate.der())
}

fn programs() -> anyhow::Result<()> {
    put(
        "uplink_config",
        "whole.json",
        r#"{"file":"outbox.redb","cloud":{"url":"https://gateway.example/v1"},"outbox":{"items":100,"bytes":1000000,"item_bytes":1000},"delivery":{"batch_items":3,"pause_first_ms":500},"report":{"report_s":10,"driver_state":true}}"#,
    )?;
    put(
        "bridge_config",
        "least.toml",
        "east_m = 12.5\nutc_offset_min = 60\nmicroeuro_a_token = 0.4\n[dialogue]\nstall_soft_ms = 800\n[dialogue.cloud]\nurl = \"https://gateway.example/v1\"\nmodel = \"large\"\n",
    )?;
    put(
        "bridge_config",
        "mesh.json",
        r#"{"dialogue":{"cloud":{"url":"zenoh+quic://router.example:7447","model":"large"}},"trace":{"endpoint":"http://127.0.0.1:4318"},"nice":5}"#,
    )?;
    put(
        "voice_config",
        "files.toml",
        "partials_s = 0.5\nthreads = 2\n[source]\nkind = \"files\"\nfolder = \"speech\"\ngap_s = 1.0\n",
    )?;
    put(
        "voice_config",
        "german.json",
        r#"{"source":{"kind":"topic"},"spoken_language":"de","model":"whisper_base","namespace":"/car","domain":7}"#,
    )
}

fn servers() -> anyhow::Result<()> {
    let post = |path: &str, more: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: gateway.example\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{more}\r\n{body}",
            body.len()
        )
    };
    put("gateway_http", "models", "GET /v1/models HTTP/1.1\r\nhost: gateway.example\r\n\r\n")?;
    put(
        "gateway_http",
        "chat",
        post(
            "/v1/chat/completions",
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx-troika-vehicle: vehicle-7\r\n",
            r#"{"model":"large","messages":[{"role":"user","content":"where can I eat"}],"stream":true}"#,
        ),
    )?;
    put(
        "gateway_http",
        "report",
        post("/v1/vehicle/report", "", r#"{"link":"up","tier":"cloud","rtt_ms":45.5,"errors":2}"#),
    )?;
    put(
        "gateway_http",
        "outbox",
        post(
            "/v1/outbox",
            "",
            r#"[{"id":"a1","kind":"log","body":{"text":"hello"}},{"id":"a2","kind":"log","body":7}]"#,
        ),
    )?;
    put(
        "gateway_http",
        "chunked",
        "POST /v1/outbox HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n1e\r\n[{\"id\":\"c\",\"kind\":\"k\",\"body\":1}\r\n1\r\n]\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n",
    )?;
    for (name, path) in
        [("page", "/"), ("script", "/page.js"), ("events", "/events"), ("picture", "/picture?after=3")]
    {
        put(
            "view_http",
            name,
            format!(
                "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:8090\r\naccept: */*\r\nconnection: close\r\n\r\n"
            ),
        )?;
    }
    let open = "GET / HTTP/1.1\r\nhost: 127.0.0.1:8765\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                sec-websocket-protocol: foxglove.sdk.v1\r\norigin: https://app.foxglove.dev\r\n\r\n";
    // A mask of zeros: what is said can be read in the file.
    let frame = |op: u8, text: &str| -> anyhow::Result<Vec<u8>> {
        Ok([
            &[0x80 | op, 0x80 | u8::try_from(text.len()).context("a short frame")?, 0, 0, 0, 0],
            text.as_bytes(),
        ]
        .concat())
    };
    let subscribe = frame(1, r#"{"op":"subscribe","subscriptions":[{"id":1,"channelId":1}]}"#)?;
    let unsubscribe = frame(1, r#"{"op":"unsubscribe","subscriptionIds":[1]}"#)?;
    put("foxglove_socket", "opened", open)?;
    put(
        "foxglove_socket",
        "asks",
        [
            open.as_bytes(),
            &subscribe,
            &unsubscribe,
            &frame(2, "abc")?,
            &frame(9, "ping")?,
            &frame(8, "\u{3}\u{e8}")?,
        ]
        .concat(),
    )
}

/// A Whisper with one layer a side, 2 wide, of 4 tokens and 3 mels, in CTranslate2's form; its vocabulary before it.
fn whisper() -> anyhow::Result<()> {
    let mut weights: Vec<(String, Vec<u32>)> = Vec::new();
    let mut add = |name: String, dims: &[u32]| weights.push((name, dims.to_vec()));
    add("decoder/embeddings/weight".into(), &[4, 2]);
    for (conv, inner) in [("conv1", 3), ("conv2", 2)] {
        add(format!("encoder/{conv}/weight"), &[2, inner, 3]);
        add(format!("encoder/{conv}/bias"), &[2]);
    }
    for (side, context) in [("encoder", 5), ("decoder", 6)] {
        add(format!("{side}/position_encodings/encodings"), &[context, 2]);
        let cross = (side == "decoder").then_some(("attention", &[2, 4, 2][..]));
        let mut norms = vec![format!("{side}/layer_norm"), format!("{side}/layer_0/ffn/layer_norm")];
        for (block, rows) in [("self_attention", &[6, 2][..])].into_iter().chain(cross) {
            norms.push(format!("{side}/layer_0/{block}/layer_norm"));
            for (n, rows) in rows.iter().enumerate() {
                add(format!("{side}/layer_0/{block}/linear_{n}/weight"), &[*rows, 2]);
                add(format!("{side}/layer_0/{block}/linear_{n}/bias"), &[*rows]);
            }
        }
        for norm in norms {
            add(format!("{norm}/gamma"), &[2]);
            add(format!("{norm}/beta"), &[2]);
        }
        for (n, (rows, columns)) in [(8, 2), (2, 8)].into_iter().enumerate() {
            add(format!("{side}/layer_0/ffn/linear_{n}/weight"), &[rows, columns]);
            add(format!("{side}/layer_0/ffn/linear_{n}/bias"), &[rows]);
        }
    }
    let mut file = b"!\na\n<|endoftext|>\n<|startoftranscript|>\n---\n".to_vec();
    file.extend(6u32.to_le_bytes());
    file.extend(12u16.to_le_bytes());
    file.extend(b"WhisperSpec\0");
    file.extend([3, u32::try_from(weights.len())? + 2].iter().flat_map(|number| number.to_le_bytes()));
    let mut weight = |name: &str, dims: &[u32], dtype: u8, bytes: &[u8]| -> anyhow::Result<()> {
        file.extend((u16::try_from(name.len())? + 1).to_le_bytes());
        file.extend(name.as_bytes());
        file.extend([0, u8::try_from(dims.len())?]);
        dims.iter().for_each(|dim| file.extend(dim.to_le_bytes()));
        file.push(dtype);
        file.extend(u32::try_from(bytes.len())?.to_le_bytes());
        file.extend(bytes);
        Ok(())
    };
    for (name, dims) in &weights {
        weight(name, dims, 4, &vec![0x3c; dims.iter().product::<u32>() as usize * 2])?;
    }
    for side in ["encoder", "decoder"] {
        weight(&format!("{side}/num_heads"), &[], 2, &1u16.to_le_bytes())?;
    }
    put("whisper_ct2", "tiny", file)
}
