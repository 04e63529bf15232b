//! The conversion on a Whisper of two tokens' width: the true weights are checked by their sha256 and by ear
//! (transcripts) where they are fetched.

use super::{
    ct2::{f16_to_f32, f32_to_f16},
    *,
};

fn put(out: &mut Vec<u8>, name: &str, dims: &[u32], dtype: u8, bytes: &[u8]) {
    out.extend((name.len() as u16 + 1).to_le_bytes());
    out.extend(name.as_bytes());
    out.push(0);
    out.push(dims.len() as u8);
    dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
    out.push(dtype);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

/// A Whisper with one layer a side, width 2, 4 tokens, 3 mels.
fn tiny() -> Vec<u8> {
    let mut weights: Vec<(String, Vec<u32>)> = Vec::new();
    let mut add = |name: &str, dims: &[u32]| weights.push((name.to_owned(), dims.to_vec()));
    add("decoder/embeddings/weight", &[4, 2]);
    add("encoder/position_encodings/encodings", &[5, 2]);
    add("decoder/position_encodings/encodings", &[6, 2]);
    for (conv, inner) in [("conv1", 3), ("conv2", 2)] {
        add(&format!("encoder/{conv}/weight"), &[2, inner, 3]);
        add(&format!("encoder/{conv}/bias"), &[2]);
    }
    for side in ["encoder", "decoder"] {
        let mut blocks = vec![("self_attention", vec![6, 2])];
        if side == "decoder" {
            blocks.push(("attention", vec![2, 4, 2]));
        }
        let mut norms = vec![format!("{side}/layer_norm"), format!("{side}/layer_0/ffn/layer_norm")];
        for (block, rows) in blocks {
            norms.push(format!("{side}/layer_0/{block}/layer_norm"));
            for (n, rows) in rows.iter().enumerate() {
                add(&format!("{side}/layer_0/{block}/linear_{n}/weight"), &[*rows, 2]);
                add(&format!("{side}/layer_0/{block}/linear_{n}/bias"), &[*rows]);
            }
        }
        for norm in norms {
            add(&format!("{norm}/gamma"), &[2]);
            add(&format!("{norm}/beta"), &[2]);
        }
        add(&format!("{side}/layer_0/ffn/linear_0/weight"), &[8, 2]);
        add(&format!("{side}/layer_0/ffn/linear_0/bias"), &[8]);
        add(&format!("{side}/layer_0/ffn/linear_1/weight"), &[2, 8]);
        add(&format!("{side}/layer_0/ffn/linear_1/bias"), &[2]);
    }
    let mut file = 6u32.to_le_bytes().to_vec();
    file.extend(12u16.to_le_bytes());
    file.extend(b"WhisperSpec\0");
    file.extend(3u32.to_le_bytes());
    file.extend((weights.len() as u32 + 2).to_le_bytes());
    for (name, dims) in &weights {
        let count: u32 = dims.iter().product();
        let bytes: Vec<u8> = (0..count).flat_map(|n| f32_to_f16(n as f32).to_le_bytes()).collect();
        put(&mut file, name, dims, 4, &bytes);
    }
    for side in ["encoder", "decoder"] {
        put(&mut file, &format!("{side}/num_heads"), &[], 2, &1u16.to_le_bytes());
    }
    file
}

const VOCABULARY: &str = "!\nĠa\n<|endoftext|>\n<|startoftranscript|>\n";

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[test]
fn the_header_tells_the_models_size() {
    let ggml = convert_bytes(&tiny(), VOCABULARY).expect("converts");
    let ints: Vec<i32> =
        ggml[4..48].chunks(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(&ggml[..4], b"lmgg");
    assert_eq!(ints, [4, 5, 2, 1, 1, 6, 2, 1, 1, 3, 1]);
}

#[test]
fn a_fused_projection_is_split_in_rows_and_the_key_has_no_bias() {
    let ggml = convert_bytes(&tiny(), VOCABULARY).expect("converts");
    let at = find(&ggml, b"encoder.blocks.0.attn.value.weight").expect("a value weight") + 34;
    // Rows 4 and 5 of a 6 x 2 matrix that counts up.
    let values: Vec<f32> =
        ggml[at..at + 8].chunks(2).map(|b| f16_to_f32(u16::from_le_bytes([b[0], b[1]]))).collect();
    assert_eq!(values, [8.0, 9.0, 10.0, 11.0]);
    assert!(find(&ggml, b"attn.key.bias").is_none());
    assert!(find(&ggml, b"decoder.blocks.0.cross_attn.value.bias").is_some());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(convert_bytes(&tiny(), VOCABULARY).ok(), convert_bytes(&tiny(), VOCABULARY).ok());
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_no_panic() {
    let file = tiny();
    for length in 0..file.len() {
        assert!(convert_bytes(&file[..length], VOCABULARY).is_err(), "cut at {length}");
    }
}

#[test]
fn an_empty_weight_makes_no_room_for_the_numbers_beside_its_zero() {
    let mut file = 6u32.to_le_bytes().to_vec();
    file.extend(12u16.to_le_bytes());
    file.extend(b"WhisperSpec\0");
    file.extend([3u32, 1].iter().flat_map(|number| number.to_le_bytes()));
    // Nothing of it is in the file, and 4 billion bands of the filter bank would have been made.
    put(&mut file, "encoder/conv1/weight", &[0, u32::MAX, 3], 4, &[]);
    let told = convert_bytes(&file, VOCABULARY).expect_err("empty").to_string();
    assert!(told.contains("encoder/conv1/weight"), "{told}");
}

#[test]
fn another_format_or_vocabulary_is_refused_by_name() {
    let mut other = tiny();
    other[0] = 7;
    assert!(convert_bytes(&other, VOCABULARY).expect_err("format 7").to_string().contains("format 7"));
    let short = convert_bytes(&tiny(), "!\n<|endoftext|>\n").expect_err("two tokens");
    assert!(short.to_string().contains("2 tokens, the model has 4"), "{short}");
}

#[test]
fn stand_in_characters_become_their_bytes() {
    assert_eq!(vocabulary::tokens("Ġa\n<|endoftext|>", 2), Ok(vec![b" a".to_vec()]));
    assert_eq!(vocabulary::tokens("Ċ\n<|endoftext|>", 2), Ok(vec![b"\n".to_vec()]));
    assert_eq!(vocabulary::tokens("Ã©\n<|endoftext|>", 2), Ok(vec!["é".as_bytes().to_vec()]));
    assert!(vocabulary::tokens("漢\n<|endoftext|>", 2).is_err());
}

#[test]
fn every_half_survives_the_way_through_single() {
    for bits in (0..=u16::MAX).filter(|bits| bits & 0x7c00 != 0x7c00) {
        assert_eq!(f32_to_f16(f16_to_f32(bits)), bits);
    }
    assert_eq!(f32_to_f16(65_520.0), 0x7c00, "over the largest half");
    assert_eq!(f32_to_f16(1.0 + 1.0 / 2048.0), 0x3c00, "half way goes to the even one");
}

#[test]
fn mel_triangles_have_the_known_first_weights() {
    // librosa.filters.mel(sr=16000, n_fft=400, n_mels=80)[0][1] and [79][199].
    let filters = mel::filters(80, 400);
    assert!((filters[1] - 0.024_862_593).abs() < 1e-8, "{}", filters[1]);
    assert!((filters[79 * 201 + 199] - 0.000_448_759).abs() < 1e-9, "{}", filters[79 * 201 + 199]);
    assert_eq!(filters.len(), 80 * 201);
}
