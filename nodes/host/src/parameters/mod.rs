//! A node's parameters as ROS 2 has them: what each is and may be ([`store`], pure), and the services and events that every ROS 2
//! node has for them ([`serve`]).

mod serve;
mod store;

pub(crate) use serve::{Accept, ParameterServer};
pub use store::{Change, Declared, Parameters, type_name};

use troika_msgs::rcl_interfaces::{ParameterType, ParameterValue};

/// A value that is not set.
pub fn not_set() -> ParameterValue {
    ParameterValue::default()
}

/// A switch.
pub fn bool_value(value: bool) -> ParameterValue {
    ParameterValue { r#type: ParameterType::PARAMETER_BOOL, bool_value: value, ..ParameterValue::default() }
}

/// A whole number.
pub fn integer_value(value: i64) -> ParameterValue {
    ParameterValue {
        r#type: ParameterType::PARAMETER_INTEGER,
        integer_value: value,
        ..ParameterValue::default()
    }
}

/// A number.
pub fn double_value(value: f64) -> ParameterValue {
    ParameterValue {
        r#type: ParameterType::PARAMETER_DOUBLE,
        double_value: value,
        ..ParameterValue::default()
    }
}

/// A text.
pub fn string_value(value: impl Into<String>) -> ParameterValue {
    ParameterValue {
        r#type: ParameterType::PARAMETER_STRING,
        string_value: value.into(),
        ..ParameterValue::default()
    }
}

/// Switches.
pub fn bools_value(value: Vec<bool>) -> ParameterValue {
    ParameterValue {
        r#type: ParameterType::PARAMETER_BOOL_ARRAY,
        bool_array_value: value,
        ..ParameterValue::default()
    }
}

/// Whole numbers.
pub fn integers_value(value: Vec<i64>) -> ParameterValue {
    ParameterValue {
        r#type: ParameterType::PARAMETER_INTEGER_ARRAY,
        integer_array_value: value,
        ..ParameterValue::default()
    }
}

/// Numbers.
pub fn doubles_value(value: Vec<f64>) -> ParameterValue {
    ParameterValue {
        r#type: ParameterType::PARAMETER_DOUBLE_ARRAY,
        double_array_value: value,
        ..ParameterValue::default()
    }
}

/// Texts.
pub fn strings_value(value: Vec<String>) -> ParameterValue {
    ParameterValue {
        r#type: ParameterType::PARAMETER_STRING_ARRAY,
        string_array_value: value,
        ..ParameterValue::default()
    }
}
