//! The grammar as llama.cpp itself reads it, with the model's own tokens: what the catalogue has can be written, the rest cannot.

use llama_cpp_2::{
    llama_backend::LlamaBackend,
    model::{LlamaModel, params::LlamaModelParams},
    sampling::LlamaSampler,
    token::{data::LlamaTokenData, data_array::LlamaTokenDataArray},
};
use troika_models::Store;
use troika_vehicle::catalogue::{Catalogue, SlotType};
use troika_voice::language::grammar::{self, Frame};

struct Vocabulary {
    model: LlamaModel,
    grammar: LlamaSampler,
}

impl Vocabulary {
    /// Whether the tokens of a text are allowed one after another, and then an end.
    fn takes(&self, line: &str) -> bool {
        let vocabulary = self.model.vocab();
        let mut grammar = self.grammar.clone();
        let mut allowed = |token| {
            let one = LlamaTokenData::new(token, 0.0, 0.0);
            let mut array = LlamaTokenDataArray::new(vec![one], false);
            grammar.apply(&mut array);
            let yes = array.data[0].logit() > f32::NEG_INFINITY;
            if yes {
                grammar.accept(token);
            }
            yes
        };
        let tokens = vocabulary.tokenize(format!(" {line}\n").as_bytes(), false, false);
        tokens.into_iter().all(&mut allowed) && allowed(vocabulary.eos())
    }
}

#[test]
fn llama_cpp_takes_what_the_catalogue_has_and_nothing_else() {
    troika_safety::verifies![SR_VOI_018];
    let file = Store::open_default().and_then(|store| store.load_path("smollm2_135m"));
    let file = file.expect("the model is here: troika models pull --set test");
    let backend = LlamaBackend::init().expect("the first of this process");
    let params = LlamaModelParams::default().with_vocab_only(true);
    let model = LlamaModel::load_from_file(&backend, file, &params).expect("it loads");
    let frame = Frame { functions: &[], said: &["call Anna-Lena, it's \"late\""], said_numbers: false };
    let text = grammar::of(Catalogue::built_in(), &frame);
    let grammar = LlamaSampler::grammar(&model, &text, "root").expect("a grammar");
    let vocabulary = Vocabulary { model, grammar };

    let mut lines = vec!["ask".to_owned(), "dialogue".to_owned(), "reject".to_owned()];
    for function in Catalogue::built_in().functions() {
        // Every value of a slot beside the first of the others; a slot that belongs to another's value has its turn below.
        let plain: Vec<_> = function.slots.iter().filter(|slot| slot.with.is_none()).collect();
        let values: Vec<Vec<String>> = plain
            .iter()
            .map(|slot| match &slot.ty {
                SlotType::OneOf(values) => values.clone(),
                SlotType::Number { min, max, step } => {
                    let steps = ((max - min) / step).round() as u32;
                    (0..=steps).map(|n| (min + f64::from(n) * step).to_string()).collect()
                }
                SlotType::Text => ["\"Anna-Lena\"", "\"it's late\""].map(str::to_owned).to_vec(),
            })
            .collect();
        for (turn, all) in values.iter().enumerate() {
            for value in all {
                let slots = plain.iter().zip(&values).enumerate().map(|(index, (slot, others))| {
                    format!(" {}={}", slot.name, if index == turn { value } else { &others[0] })
                });
                lines.push(format!("{}{}", function.name, slots.collect::<String>()));
            }
        }
    }
    lines.retain(|line| line != "media.volume action=set");
    lines.extend((0..=100).map(|percent| format!("media.volume action=set percent={percent}")));
    lines.push("door.lock action=lock ; trunk.move action=open ; wiper.set mode=off".to_owned());
    assert!(lines.len() > 450, "{} lines", lines.len());
    for line in &lines {
        assert!(vocabulary.takes(line), "{line}");
    }
    for wrong in [
        "",
        "Paris",
        "door.lock",
        "door.lock action=open",
        "climate.set_fan level=11",
        "climate.set_temperature zone=all celsius=20.25",
        "media.volume action=set",
        "media.volume action=up percent=3",
        "phone.call contact=\"Berta\"",
        "phone.call contact=Anna-Lena",
        "reject ; ask",
    ] {
        assert!(!vocabulary.takes(wrong), "{wrong}");
    }
}
