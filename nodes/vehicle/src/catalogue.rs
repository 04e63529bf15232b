//! The catalogue of vehicle functions: what may be called, with which slots, behind which gate. Pure.
//!
//! One file is the source (`nodes/voice/vehicle-functions.toml`, built in); a fault in it is told with its line. A
//! [`Call`] is checked against it before anything else looks at it, and comes out in canonical form: every slot in the
//! file's order, what was unsaid filled in, numbers written in one way.

mod gate;
mod read;
mod slot;

use std::sync::OnceLock;

pub use gate::{Gate, GateRule, Refusal, Situation, Source, Verdict};
pub use slot::{SlotSpec, SlotType, TEXT_BYTES, With, WrongValue};

/// All vehicle functions.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    functions: Vec<Function>,
}

/// One vehicle function, for example `climate.set_temperature`.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its name, `group.act`.
    pub name: String,
    /// Its slots in the file's order.
    pub slots: Vec<SlotSpec>,
    /// Its gates: all rules that match a call hold; none means always.
    pub gates: Vec<GateRule>,
}

/// A function with its slots' values, as said, matched or received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// The function's name.
    pub function: String,
    /// Slot names and values.
    pub slots: Vec<(String, String)>,
}

/// A catalogue file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct CatalogueError {
    /// Where, from 1.
    pub line: usize,
    /// Why, for a person.
    pub reason: String,
}

/// A call that is none of the catalogue's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such function.
    #[error("there is no vehicle function '{0}'")]
    UnknownFunction(String),
    /// The function has no such slot.
    #[error("{function} has no slot '{slot}'")]
    UnknownSlot {
        /// The function.
        function: String,
        /// The slot.
        slot: String,
    },
    /// The slot is given twice.
    #[error("{function} is given '{slot}' twice")]
    SlotTwice {
        /// The function.
        function: String,
        /// The slot.
        slot: String,
    },
    /// The slot has no value and there is none for when it is unsaid.
    #[error("{function} needs '{slot}'")]
    MissingSlot {
        /// The function.
        function: String,
        /// The slot.
        slot: String,
    },
    /// The slot belongs to another value of the function (`percent` is for `set` alone).
    #[error("{function} takes '{slot}' only with {with}")]
    SlotNotNow {
        /// The function.
        function: String,
        /// The slot.
        slot: String,
        /// The value that it belongs to.
        with: String,
    },
    /// The slot's value is none of its type.
    #[error("{function}: '{slot}' {why}")]
    WrongValue {
        /// The function.
        function: String,
        /// The slot.
        slot: String,
        /// What is wrong with it.
        why: WrongValue,
    },
}

impl Catalogue {
    /// The project's own catalogue.
    pub fn built_in() -> &'static Catalogue {
        static BUILT_IN: OnceLock<Catalogue> = OnceLock::new();
        BUILT_IN.get_or_init(|| match Catalogue::parse(include_str!("../../voice/vehicle-functions.toml")) {
            Ok(catalogue) => catalogue,
            // The file is compiled in and a test reads it: this cannot be met at run time.
            Err(error) => unreachable!("vehicle-functions.toml: {error}"),
        })
    }

    /// Reads a catalogue file.
    ///
    /// # Errors
    /// The first fault, with its line: bad TOML, an unknown key, a name given twice, a slot or gate that says nothing
    /// known.
    pub fn parse(text: &str) -> Result<Catalogue, CatalogueError> {
        read::catalogue(text)
    }

    /// All functions, in the file's order.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function of that name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// Checks a call and gives it in canonical form.
    ///
    /// # Errors
    /// The first fault, in the order function, slots as given, slots missing.
    pub fn validate(&self, call: &Call) -> Result<Call, CallError> {
        let function = self
            .function(&call.function)
            .ok_or_else(|| CallError::UnknownFunction(slot::shorten(&call.function)))?;
        function.validate(call)
    }

    /// What the gates say of a call that [`Catalogue::validate`] gave, in a situation. A function that is not in the
    /// catalogue is refused.
    pub fn gate(&self, call: &Call, situation: &Situation) -> Verdict {
        match self.function(&call.function) {
            Some(function) => function.gate(call, situation),
            None => Verdict::Refuse(Refusal::Unknown),
        }
    }
}

impl Function {
    /// The slot of that name.
    pub fn slot(&self, name: &str) -> Option<&SlotSpec> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    /// What the gates say of a call: the strictest of the rules that match it.
    pub fn gate(&self, call: &Call, situation: &Situation) -> Verdict {
        self.gates
            .iter()
            .filter(|rule| rule.matches(call))
            .map(|rule| rule.gate.decide(situation))
            .max_by_key(Verdict::strictness)
            .unwrap_or(Verdict::Execute)
    }

    fn validate(&self, call: &Call) -> Result<Call, CallError> {
        let function = || self.name.clone();
        for (index, (name, _)) in call.slots.iter().enumerate() {
            if self.slot(name).is_none() {
                return Err(CallError::UnknownSlot { function: function(), slot: slot::shorten(name) });
            }
            if call.slots[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(CallError::SlotTwice { function: function(), slot: name.clone() });
            }
        }
        let mut canonical = Call { function: function(), slots: Vec::with_capacity(self.slots.len()) };
        for slot in &self.slots {
            let Some(value) = call.slot(&slot.name).or(slot.unsaid.as_deref()) else { continue };
            let value = slot.ty.canonical(value).map_err(|why| CallError::WrongValue {
                function: function(),
                slot: slot.name.clone(),
                why,
            })?;
            canonical.slots.push((slot.name.clone(), value));
        }
        // Whether a slot belongs to the call is known only once all values are.
        for slot in &self.slots {
            let given = canonical.slot(&slot.name).is_some();
            let with = slot.with.as_ref().filter(|with| canonical.slot(&with.slot) != Some(&with.value));
            match with {
                Some(with) if call.slot(&slot.name).is_some() => {
                    return Err(CallError::SlotNotNow {
                        function: function(),
                        slot: slot.name.clone(),
                        with: with.value.clone(),
                    });
                }
                Some(_) => canonical.slots.retain(|(name, _)| *name != slot.name),
                None if !given => {
                    return Err(CallError::MissingSlot { function: function(), slot: slot.name.clone() });
                }
                None => {}
            }
        }
        Ok(canonical)
    }
}

impl Call {
    /// A call from its parts.
    pub fn new(function: &str, slots: &[(&str, &str)]) -> Call {
        Call {
            function: function.to_owned(),
            slots: slots.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// The value given for a slot.
    pub fn slot(&self, name: &str) -> Option<&str> {
        self.slots.iter().find(|(slot, _)| slot == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests;
