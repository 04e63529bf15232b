//! What a node's parameters are, and what may become of them. Pure. Answers are those of rclpy where it and rclcpp differ: an
//! unknown parameter is one that is not set, and the rest of the request is answered.

use std::collections::{BTreeMap, BTreeSet};

use troika_msgs::rcl_interfaces::{
    ListParametersResult, Parameter, ParameterDescriptor, ParameterType, ParameterValue, SetParametersResult,
};

use super::not_set;

/// Between the parts of a name.
const SEPARATOR: char = '.';

/// A parameter with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// What it is and may be.
    pub descriptor: ParameterDescriptor,
    /// What it is set to.
    pub value: ParameterValue,
}

impl Declared {
    /// One that is fixed while its node runs.
    pub fn fixed(name: impl Into<String>, description: impl Into<String>, value: ParameterValue) -> Declared {
        let descriptor = ParameterDescriptor {
            name: name.into(),
            r#type: value.r#type,
            description: description.into(),
            read_only: true,
            ..ParameterDescriptor::default()
        };
        Declared { descriptor, value }
    }
}

/// Parameters that were set: for the event.
pub type Change = Vec<Parameter>;

/// A node's parameters, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, Declared>);

impl Parameters {
    /// Of two with one name, the later one.
    pub fn new(declared: impl IntoIterator<Item = Declared>) -> Parameters {
        Parameters(declared.into_iter().map(|one| (one.descriptor.name.clone(), one)).collect())
    }

    /// All of them, with their values.
    pub fn all(&self) -> impl Iterator<Item = Parameter> {
        self.0.iter().map(|(name, one)| Parameter { name: name.clone(), value: one.value.clone() })
    }

    /// The names under `prefixes` (none: all), at most `depth` parts deep under each (0: however deep), and what they share.
    pub fn list(&self, prefixes: &[String], depth: u64) -> ListParametersResult {
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        let within = |rest: &str| depth == 0 || rest.matches(SEPARATOR).count() < depth;
        let wanted = |name: &str| {
            let under = |prefix: &String| {
                let rest = name.strip_prefix(prefix.as_str())?;
                if rest.is_empty() { Some("") } else { rest.strip_prefix(SEPARATOR) }
            };
            match prefixes {
                [] => within(name),
                _ => prefixes.iter().filter_map(under).any(within),
            }
        };
        let names: Vec<String> = self.0.keys().filter(|name| wanted(name)).cloned().collect();
        let shared: BTreeSet<String> = names
            .iter()
            .filter_map(|name| name.rsplit_once(SEPARATOR))
            .map(|(shared, _)| shared.to_owned())
            .collect();
        ListParametersResult { names, prefixes: shared.into_iter().collect() }
    }

    /// Their values, in the order asked.
    pub fn get(&self, names: &[String]) -> Vec<ParameterValue> {
        names.iter().map(|name| self.0.get(name).map_or_else(not_set, |one| one.value.clone())).collect()
    }

    /// Their types, in the order asked.
    pub fn types(&self, names: &[String]) -> Vec<u8> {
        names
            .iter()
            .map(|name| {
                self.0.get(name).map_or(ParameterType::PARAMETER_NOT_SET, |one| one.descriptor.r#type)
            })
            .collect()
    }

    /// What they are, in the order asked.
    pub fn describe(&self, names: &[String]) -> Vec<ParameterDescriptor> {
        let unknown =
            |name: &String| ParameterDescriptor { name: name.clone(), ..ParameterDescriptor::default() };
        names
            .iter()
            .map(|name| self.0.get(name).map_or_else(|| unknown(name), |one| one.descriptor.clone()))
            .collect()
    }

    /// Sets them, each for itself; `accept` is the node's own say.
    pub fn set(
        &mut self,
        parameters: &[Parameter],
        mut accept: impl FnMut(&Parameter) -> Result<(), String>,
    ) -> (Vec<SetParametersResult>, Change) {
        let mut changed = Change::new();
        let results = parameters.iter().map(|one| {
            let set = self.check(one).and_then(|()| accept(one));
            if set.is_ok() {
                self.take(one);
                changed.push(one.clone());
            }
            result(set)
        });
        (results.collect(), changed)
    }

    /// Sets all of them or none. What `accept` has taken before it refused another, it is given back as it was.
    pub fn set_atomically(
        &mut self,
        parameters: &[Parameter],
        mut accept: impl FnMut(&Parameter) -> Result<(), String>,
    ) -> (SetParametersResult, Change) {
        let set = parameters.iter().try_for_each(|one| self.check(one)).and_then(|()| {
            for (count, one) in parameters.iter().enumerate() {
                if let Err(why) = accept(one) {
                    for taken in parameters[..count].iter().rev() {
                        let value = self.get(std::slice::from_ref(&taken.name)).remove(0);
                        let _was_accepted_before = accept(&Parameter { name: taken.name.clone(), value });
                    }
                    return Err(why);
                }
            }
            Ok(())
        });
        if set.is_err() {
            return (result(set), Change::new());
        }
        parameters.iter().for_each(|one| self.take(one));
        (result(set), parameters.to_vec())
    }

    fn take(&mut self, one: &Parameter) {
        if let Some(declared) = self.0.get_mut(&one.name) {
            declared.value = one.value.clone();
        }
    }

    /// Whether it may be set so, by its descriptor.
    fn check(&self, wanted: &Parameter) -> Result<(), String> {
        let Some(declared) = self.0.get(&wanted.name) else {
            return Err(format!("there is no parameter `{}`", wanted.name));
        };
        let (descriptor, found) = (&declared.descriptor, wanted.value.r#type);
        if descriptor.read_only {
            return Err(format!(
                "`{}` is fixed while the node runs: give it at the start (a parameter file, `-p`, or the system file)",
                wanted.name
            ));
        }
        if found == ParameterType::PARAMETER_NOT_SET {
            return Err(format!("`{}` cannot be deleted", wanted.name));
        }
        if !descriptor.dynamic_typing && found != descriptor.r#type {
            let (asked, given) = (type_name(descriptor.r#type), type_name(found));
            return Err(format!("`{}` is {asked}, and no {given}", wanted.name));
        }
        for range in &descriptor.floating_point_range {
            let value = wanted.value.double_value;
            let steps = (value - range.from_value) / range.step;
            let on_step =
                range.step <= 0.0 || (steps - steps.round()).abs() < 1e-9 || value == range.to_value;
            // Written so that no number at all is outside.
            if !(value >= range.from_value && value <= range.to_value && on_step) {
                return Err(outside(&wanted.name, range.from_value, range.to_value, range.step));
            }
        }
        for range in &descriptor.integer_range {
            let value = wanted.value.integer_value;
            let off = i128::from(value) - i128::from(range.from_value);
            let on_step = range.step == 0 || off % i128::from(range.step) == 0 || value == range.to_value;
            if !((range.from_value..=range.to_value).contains(&value) && on_step) {
                return Err(outside(&wanted.name, range.from_value, range.to_value, range.step));
            }
        }
        Ok(())
    }
}

fn outside<T: std::fmt::Display + PartialEq + Default, S: std::fmt::Display + PartialEq + Default>(
    name: &str,
    from: T,
    to: T,
    step: S,
) -> String {
    let steps = if step == S::default() { String::new() } else { format!(", in steps of {step}") };
    format!("`{name}` is from {from} to {to}{steps}")
}

fn result(set: Result<(), String>) -> SetParametersResult {
    SetParametersResult { successful: set.is_ok(), reason: set.err().unwrap_or_default() }
}

/// A type's name, as `ros2 param describe` tells it.
pub fn type_name(of: u8) -> &'static str {
    match of {
        ParameterType::PARAMETER_BOOL => "boolean",
        ParameterType::PARAMETER_INTEGER => "integer",
        ParameterType::PARAMETER_DOUBLE => "double",
        ParameterType::PARAMETER_STRING => "string",
        ParameterType::PARAMETER_BYTE_ARRAY => "byte array",
        ParameterType::PARAMETER_BOOL_ARRAY => "boolean array",
        ParameterType::PARAMETER_INTEGER_ARRAY => "integer array",
        ParameterType::PARAMETER_DOUBLE_ARRAY => "double array",
        ParameterType::PARAMETER_STRING_ARRAY => "string array",
        _ => "not set",
    }
}

#[cfg(test)]
mod tests {
    use troika_msgs::rcl_interfaces::{FloatingPointRange, IntegerRange};

    use super::{
        super::{double_value, integer_value, string_value},
        *,
    };

    fn live(name: &str, value: ParameterValue) -> Declared {
        let mut one = Declared::fixed(name, "", value);
        one.descriptor.read_only = false;
        one
    }

    fn some() -> Parameters {
        let mut rate = live("rate", integer_value(30));
        rate.descriptor.integer_range = vec![IntegerRange { from_value: 10, to_value: 65, step: 10 }];
        let mut gain = live("camera.gain", double_value(1.0));
        gain.descriptor.floating_point_range =
            vec![FloatingPointRange { from_value: 0.0, to_value: 4.0, step: 0.0 }];
        Parameters::new([
            rate,
            gain,
            live("camera.lens.name", string_value("wide")),
            Declared::fixed("serial", "of the device", string_value("X1")),
        ])
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn one(name: &str, value: ParameterValue) -> Parameter {
        Parameter { name: name.to_owned(), value }
    }

    #[test]
    fn names_are_listed_by_prefix_and_depth_as_ros_does() {
        let list = |prefixes: &[&str], depth| some().list(&names(prefixes), depth).names;
        assert_eq!(list(&[], 0), ["camera.gain", "camera.lens.name", "rate", "serial"]);
        assert_eq!(list(&[], 1), ["rate", "serial"]);
        assert_eq!(list(&[], 2), ["camera.gain", "rate", "serial"]);
        assert_eq!(list(&["camera"], 0), ["camera.gain", "camera.lens.name"]);
        assert_eq!(list(&["camera"], 1), ["camera.gain"]);
        assert_eq!(list(&["rate", "camera.lens"], 1), ["camera.lens.name", "rate"]);
        assert_eq!(list(&["cam"], 0), [""; 0]);
        assert_eq!(some().list(&[], 0).prefixes, ["camera", "camera.lens"]);
    }

    #[test]
    fn what_is_unknown_is_not_set_and_the_rest_is_answered() {
        let asked = names(&["nothing", "rate"]);
        assert_eq!(some().get(&asked), [not_set(), integer_value(30)]);
        assert_eq!(some().types(&asked), [0, ParameterType::PARAMETER_INTEGER]);
        let described = some().describe(&asked);
        assert_eq!((described[0].name.as_str(), described[0].r#type), ("nothing", 0));
        assert_eq!(described[1].integer_range.len(), 1);
    }

    #[test]
    fn a_parameter_is_set_within_its_type_and_range_and_no_further() {
        let refusal = |name: &str, value| {
            let mut parameters = some();
            let (results, changed) = parameters.set(&[one(name, value)], |_| Ok(()));
            assert_eq!((results[0].successful, changed.len()), (false, 0));
            assert_eq!(parameters, some());
            results[0].reason.clone()
        };
        assert!(refusal("nothing", integer_value(1)).contains("no parameter `nothing`"));
        assert!(refusal("serial", string_value("X2")).contains("fixed"));
        assert_eq!(refusal("rate", double_value(20.0)), "`rate` is integer, and no double");
        assert_eq!(refusal("rate", not_set()), "`rate` cannot be deleted");
        for wrong in [0, 9, 15, 66] {
            assert_eq!(refusal("rate", integer_value(wrong)), "`rate` is from 10 to 65, in steps of 10");
        }
        for wrong in [-0.1, 4.1, f64::NAN, f64::INFINITY] {
            assert_eq!(refusal("camera.gain", double_value(wrong)), "`camera.gain` is from 0 to 4");
        }
        for right in [10, 60, 65] {
            let mut parameters = some();
            let (results, changed) = parameters.set(&[one("rate", integer_value(right))], |_| Ok(()));
            assert!(results[0].successful && changed.len() == 1, "{results:?}");
            assert_eq!(parameters.get(&names(&["rate"])), [integer_value(right)]);
        }
    }

    #[test]
    fn each_is_set_for_itself_or_all_or_none() {
        let both = [one("rate", integer_value(20)), one("camera.gain", double_value(9.0))];
        let mut each = some();
        let (results, changed) = each.set(&both, |_| Ok(()));
        assert_eq!(results.iter().map(|one| one.successful).collect::<Vec<_>>(), [true, false]);
        assert_eq!(changed, both[..1]);
        let mut all = some();
        let (result, changed) = all.set_atomically(&both, |_| Ok(()));
        assert!(!result.successful && changed.is_empty());
        assert_eq!(all, some());
    }

    #[test]
    fn what_the_node_took_before_it_refused_another_is_given_back() {
        let both = [one("rate", integer_value(20)), one("camera.gain", double_value(2.0))];
        let (mut parameters, mut taken) = (some(), Vec::new());
        let (result, _) = parameters.set_atomically(&both, |one| match one.name.as_str() {
            "rate" => {
                taken.push(one.value.integer_value);
                Ok(())
            }
            _ => Err("not now".to_owned()),
        });
        assert_eq!((result.successful, result.reason.as_str()), (false, "not now"));
        assert_eq!(taken, [20, 30]);
        assert_eq!(parameters, some());
    }
}
