//! A kind's settings as ROS 2 parameters: names with dots, values as they hold after all defaults, descriptions and ranges from the
//! settings' own documentation (their JSON schema). Pure.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use troika_host::parameters::{
    Declared, bool_value, bools_value, double_value, doubles_value, integer_value, integers_value, not_set,
    string_value, strings_value,
};
use troika_msgs::rcl_interfaces::{FloatingPointRange, IntegerRange, ParameterType, ParameterValue};

/// All of them. They are fixed while the node runs.
pub(crate) fn of_config<C: Serialize + JsonSchema>(config: &C) -> Vec<Declared> {
    // By way of text, because it writes an f32 in its shortest form: 0.1 stays 0.1 and not 0.10000000149011612.
    let written = serde_json::to_string(config).ok().and_then(|text| serde_json::from_str(&text).ok());
    let Some(value) = written else { return Vec::new() };
    let schema = schemars::schema_for!(C).to_value();
    let mut all = Vec::new();
    walk(&value, Schema { root: &schema, here: &schema }, "", "", &mut all);
    all
}

/// Stands where a setting has no default.
pub(crate) const REQUIRED: &str = "<to be given>";

/// All of a kind's, at their defaults, with what `example` gives. What must be given besides, and is text, is [`REQUIRED`].
pub(crate) fn of_defaults<C: DeserializeOwned + Serialize + JsonSchema>(example: &str) -> Vec<Declared> {
    let mut table: toml::Table = toml::from_str(example).unwrap_or_default();
    loop {
        let error = match C::deserialize(table.clone()) {
            Ok(config) => return given(of_config(&config), example),
            Err(error) => error,
        };
        let missing = error.message().strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let Some(name) = missing.filter(|name| !table.contains_key(*name)) else { return Vec::new() };
        table.insert(name.to_owned(), REQUIRED.into());
    }
}

/// Says of what the example gives that it must be given.
fn given(mut all: Vec<Declared>, example: &str) -> Vec<Declared> {
    let table: toml::Table = toml::from_str(example).unwrap_or_default();
    let names = |name: &str| match name.split_once('.') {
        None => table.contains_key(name),
        Some((table_name, key)) => table.get(table_name).is_some_and(|inner| inner.get(key).is_some()),
    };
    for one in all.iter_mut().filter(|one| names(&one.descriptor.name)) {
        let description = std::mem::take(&mut one.descriptor.description);
        one.descriptor.description =
            format!("{} Must be given; this is an example.", description.trim_end()).trim_start().to_owned();
    }
    all
}

/// A place in a schema.
#[derive(Clone, Copy)]
struct Schema<'a> {
    root: &'a Value,
    here: &'a Value,
}

impl<'a> Schema<'a> {
    fn at(self, here: &'a Value) -> Schema<'a> {
        Schema { here, ..self }
    }

    /// What `$ref` refers to.
    fn referred(self) -> Option<Schema<'a>> {
        let pointer = self.here["$ref"].as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer).map(|here| self.at(here))
    }

    /// Itself, what it refers to, and those of its alternatives that fit the value.
    fn all_of(self, value: &Value) -> Vec<Schema<'a>> {
        let mut found = vec![self];
        found.extend(self.referred().into_iter().flat_map(|one| one.all_of(value)));
        for alternatives in ["anyOf", "oneOf", "allOf"] {
            let variants = self.here[alternatives].as_array().into_iter().flatten();
            found.extend(
                variants
                    .map(|one| self.at(one))
                    .filter(|one| one.fits(value))
                    .flat_map(|one| one.all_of(value)),
            );
        }
        found
    }

    /// Not the alternative of another tag, nor that of nothing.
    fn fits(self, value: &Value) -> bool {
        let tags = self.here["properties"].as_object().into_iter().flatten();
        let tagged = tags.filter_map(|(name, of)| Some((name, of.get("const")?)));
        self.here["type"] != "null" && { tagged }.all(|(name, tag)| value.get(name) == Some(tag))
    }

    /// The words that a setting may be: none where it is free.
    fn words(self, value: &Value) -> Vec<&'a str> {
        let listed =
            |one: Schema<'a>| one.here["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let all = self.all_of(value);
        let alone = all.iter().filter_map(|one| one.here["const"].as_str());
        alone.chain(all.iter().copied().flat_map(listed)).collect()
    }

    /// The words that name the alternatives of a table by its key `tag`.
    fn tags(self, tag: &str) -> Vec<&'a str> {
        let own = self.here["properties"][tag]["const"].as_str();
        let alternatives = self.here["oneOf"].as_array().into_iter().flatten();
        let of_them = alternatives.flat_map(|one| self.at(one).tags(tag));
        own.into_iter()
            .chain(self.referred().into_iter().flat_map(|one| one.tags(tag)))
            .chain(of_them)
            .collect()
    }

    fn number(self, value: &Value, key: &str) -> Option<&'a Value> {
        self.all_of(value).into_iter().find_map(|one| one.here.get(key)).filter(|one| one.is_number())
    }

    /// `integer`, `number`, `string`, `boolean`, `array` or `object`; the one that is not `null`, where there are two.
    fn ty(self, value: &Value) -> &'a str {
        let of = |one: Schema<'a>| match &one.here["type"] {
            Value::String(name) => Some(name.as_str()),
            Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
            _ => None,
        };
        self.all_of(value).into_iter().find_map(of).unwrap_or_default()
    }

    fn property(self, value: &Value, name: &str) -> Schema<'a> {
        let found = self.all_of(value).into_iter().find_map(|one| one.here["properties"].get(name));
        self.at(found.unwrap_or(&Value::Null))
    }

    fn items(self, value: &Value) -> Schema<'a> {
        self.at(self.all_of(value).into_iter().find_map(|one| one.here.get("items")).unwrap_or(&Value::Null))
    }
}

fn walk(value: &Value, schema: Schema<'_>, name: &str, description: &str, into: &mut Vec<Declared>) {
    let under = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    let description = schema.here["description"].as_str().unwrap_or(description);
    match value {
        Value::Object(fields) => {
            for (field, inner) in fields {
                walk(inner, schema.property(value, field), &under(field), "", into);
                let tags = schema.tags(field);
                if let Some(one) =
                    into.last_mut().filter(|one| tags.len() > 1 && one.descriptor.name == under(field))
                {
                    one.descriptor.additional_constraints = one_of(&tags);
                }
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (place, item) in items.iter().enumerate() {
                walk(item, schema.items(value), &under(&place.to_string()), description, into);
            }
        }
        _ => into.push(declared(value, schema, name, description)),
    }
}

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

fn declared(value: &Value, schema: Schema<'_>, name: &str, description: &str) -> Declared {
    let ty = schema.ty(value);
    let set = scalar(value, ty).unwrap_or_else(|| match value {
        Value::Array(items) => array(items, schema.items(value).ty(&Value::Null)),
        _ => not_set(),
    });
    let mut one = Declared::fixed(name, description, set);
    if value.is_null() {
        one.descriptor.r#type = match ty {
            "boolean" => ParameterType::PARAMETER_BOOL,
            "integer" => ParameterType::PARAMETER_INTEGER,
            "number" => ParameterType::PARAMETER_DOUBLE,
            _ => ParameterType::PARAMETER_STRING,
        };
    }
    let words = schema.words(value);
    if words.len() > 1 {
        one.descriptor.additional_constraints = one_of(&words);
    }
    let (least, most) = (schema.number(value, "minimum"), schema.number(value, "maximum"));
    if let (Some(least), Some(most)) = (least, most) {
        match one.descriptor.r#type {
            ParameterType::PARAMETER_INTEGER => {
                if let (Some(from_value), Some(to_value)) = (least.as_i64(), most.as_i64()) {
                    one.descriptor.integer_range = vec![IntegerRange { from_value, to_value, step: 0 }];
                }
            }
            ParameterType::PARAMETER_DOUBLE => {
                if let (Some(from_value), Some(to_value)) = (least.as_f64(), most.as_f64()) {
                    one.descriptor.floating_point_range =
                        vec![FloatingPointRange { from_value, to_value, step: 0.0 }];
                }
            }
            _ => {}
        }
    }
    one
}

fn scalar(value: &Value, ty: &str) -> Option<ParameterValue> {
    match value {
        Value::Bool(on) => Some(bool_value(*on)),
        Value::String(text) => Some(string_value(text.as_str())),
        // A number without a fraction is still one where the setting is.
        Value::Number(number) if ty != "number" && number.is_i64() => number.as_i64().map(integer_value),
        Value::Number(number) => number.as_f64().map(double_value),
        _ => None,
    }
}

fn array(items: &[Value], ty: &str) -> ParameterValue {
    let integers = || items.iter().map(Value::as_i64).collect::<Option<Vec<_>>>();
    match (ty, items.first()) {
        ("boolean", _) | (_, Some(Value::Bool(_))) => {
            bools_value(items.iter().filter_map(Value::as_bool).collect())
        }
        ("integer", _) => integers_value(integers().unwrap_or_default()),
        ("number", _) | (_, Some(Value::Number(_))) => {
            doubles_value(items.iter().filter_map(Value::as_f64).collect())
        }
        _ => strings_value(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use troika_msgs::rcl_interfaces::Parameter;

    use super::*;

    /// Settings of every form.
    #[derive(Serialize, JsonSchema)]
    struct Everything {
        /// A switch.
        on: bool,
        /// A number.
        gain: f32,
        small: u8,
        /// Perhaps a name.
        name: Option<String>,
        /// The lens.
        lens: Lens,
        source: Source,
        none: Vec<f64>,
        zones: Vec<Lens>,
        pair: [f32; 2],
        words: Vec<String>,
        choice: Choice,
    }

    /// What is in front.
    #[derive(Serialize, JsonSchema, Clone, Copy)]
    struct Lens {
        /// Its opening, degrees.
        fov_deg: f64,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Source {
        /// A device.
        Device(Device),
        /// A file.
        File {
            /// Its name.
            name: String,
        },
    }

    #[derive(Serialize, JsonSchema)]
    struct Device {
        /// Its number.
        name: i64,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "alternatives that are not chosen")]
    enum Choice {
        /// This one.
        First,
        Second,
    }

    fn everything(source: Source) -> Vec<Declared> {
        let lens = Lens { fov_deg: 60.0 };
        of_config(&Everything {
            on: true,
            gain: 0.1,
            small: 7,
            name: None,
            lens,
            source,
            none: Vec::new(),
            zones: vec![lens, Lens { fov_deg: 7.0 }],
            pair: [1.0, 2.5],
            words: vec!["a".into()],
            choice: Choice::First,
        })
    }

    #[test]
    fn settings_of_every_form_become_parameters() {
        let all = everything(Source::File { name: "x".into() });
        let found: Vec<Parameter> = all
            .iter()
            .map(|one| Parameter { name: one.descriptor.name.clone(), value: one.value.clone() })
            .collect();
        let one = |name: &str, value| Parameter { name: name.to_owned(), value };
        for expected in [
            one("on", bool_value(true)),
            one("gain", double_value(0.1)),
            one("small", integer_value(7)),
            one("name", not_set()),
            one("lens.fov_deg", double_value(60.0)),
            one("source.kind", string_value("file")),
            one("source.name", string_value("x")),
            one("none", doubles_value(vec![])),
            one("zones.0.fov_deg", double_value(60.0)),
            one("zones.1.fov_deg", double_value(7.0)),
            one("pair", doubles_value(vec![1.0, 2.5])),
            one("words", strings_value(vec!["a".into()])),
            one("choice", string_value("first")),
        ] {
            assert!(found.contains(&expected), "{expected:?} is not in {found:#?}");
        }
        let held = |name: &str| {
            let one = all.iter().find(|one| one.descriptor.name == name).expect("declared");
            one.descriptor.additional_constraints.as_str()
        };
        assert_eq!(held("choice"), "one of first, second");
        assert_eq!(held("source.kind"), "one of device, file");
        assert_eq!(held("source.name"), "");
        assert_eq!(found.len(), 13);
    }

    #[test]
    fn their_documentation_is_their_description_and_the_tag_chooses_which() {
        let of = |all: &[Declared], name: &str| {
            all.iter().find(|one| one.descriptor.name == name).expect("declared").descriptor.clone()
        };
        let all = everything(Source::File { name: "x".into() });
        assert_eq!(of(&all, "gain").description, "A number.");
        assert_eq!(of(&all, "lens.fov_deg").description, "Its opening, degrees.");
        assert_eq!(of(&all, "source.name").description, "Its name.");
        let name = of(&all, "name");
        assert_eq!(
            (name.r#type, name.description.as_str()),
            (ParameterType::PARAMETER_STRING, "Perhaps a name.")
        );
        assert_eq!(of(&all, "small").integer_range, [IntegerRange { from_value: 0, to_value: 255, step: 0 }]);
        assert!(all.iter().all(|one| one.descriptor.read_only));
        let all = everything(Source::Device(Device { name: 3 }));
        let name = of(&all, "source.name");
        assert_eq!(
            (name.r#type, name.description.as_str()),
            (ParameterType::PARAMETER_INTEGER, "Its number.")
        );
    }

    #[test]
    fn every_kinds_settings_have_descriptions() {
        let of = |all: Vec<Declared>| {
            assert!(!all.is_empty());
            for one in all {
                assert!(!one.descriptor.description.is_empty(), "{} is not described", one.descriptor.name);
            }
        };
        of(of_config(&troika_driver_state::config::Config::default()));
        of(of_config(&troika_gesture::config::Config::default()));
        of(of_config(&troika_monitor::Config::default()));
        of(of_config(&troika_vehicle::Config::default()));
        of(of_config(&troika_template::Config::default()));
        let drowsiness: troika_drowsiness::Config = toml::from_str("").expect("all have defaults");
        of(of_config(&drowsiness));
    }
}
