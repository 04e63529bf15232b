//! What end-to-end protection finds out by itself, type by type.

use troika_safety as sr;

use crate::{class::Class, seals, sensing::AT_ONCE};

/// What the classes of this message share, and the first of them.
const HEARTBEAT: Class = Class {
    name: "heartbeat.sealed.bits",
    fault: "1 to 4 bits of the CDR turned",
    reaction: "the end-to-end check, with the message itself",
    harm: "a dead node looks alive",
    requirement: sr::SR_SUP_004,
    limit: AT_ONCE,
    gap: None,
    times: 1,
    inject: seals::heartbeat_bits,
};

/// What the classes of this message share, and the first of them.
const COMMAND: Class = Class {
    name: "command.sealed.bits",
    fault: "1 to 4 bits of the CDR turned",
    reaction: "the end-to-end check, with the message itself",
    harm: "another function than was ordered",
    requirement: sr::SR_DAT_003,
    limit: AT_ONCE,
    gap: None,
    times: 1,
    inject: seals::command_bits,
};

/// What the classes of this message share, and the first of them.
const SAFETY_STATE: Class = Class {
    name: "safety_state.sealed.bits",
    fault: "1 to 4 bits of the CDR turned",
    reaction: "the end-to-end check, with the message itself",
    harm: "a limit is lifted",
    requirement: sr::SR_SUP_009,
    limit: AT_ONCE,
    gap: None,
    times: 1,
    inject: seals::state_bits,
};

/// What the classes of this message share, and the first of them.
const DRIVER_ALERT: Class = Class {
    name: "driver_alert.sealed.bits",
    fault: "1 to 4 bits of the CDR turned",
    reaction: "the end-to-end check, with the message itself",
    harm: "an alert is cleared, or another is told",
    requirement: sr::SR_DAT_003,
    limit: AT_ONCE,
    gap: None,
    times: 1,
    inject: seals::alert_bits,
};

/// What the classes of this message share, and the first of them.
const DRIVER_STATE: Class = Class {
    name: "driver_state.sealed.bits",
    fault: "1 to 4 bits of the CDR turned",
    reaction: "the end-to-end check, with the message itself",
    harm: "a sleeper looks awake",
    requirement: sr::SR_DAT_009,
    limit: AT_ONCE,
    gap: None,
    times: 1,
    inject: seals::seen_bits,
};

/// What the classes of this message share, and the first of them.
const SIGNALS: Class = Class {
    name: "signals.sealed.bits",
    fault: "1 to 4 bits of the CDR turned",
    reaction: "the end-to-end check, with the message itself",
    harm: "a vehicle that moves is taken to stand",
    requirement: sr::SR_DAT_009,
    limit: AT_ONCE,
    gap: None,
    times: 1,
    inject: seals::signals_bits,
};

/// See the table of the room's README.
pub(super) const CLASSES: &[Class] = &[
    HEARTBEAT,
    Class {
        name: "heartbeat.sealed.field",
        fault: "a decoded value changed under its protection",
        inject: seals::heartbeat_field,
        ..HEARTBEAT
    },
    Class {
        name: "heartbeat.sealed.cut",
        fault: "the CDR cut short",
        inject: seals::heartbeat_cut,
        ..HEARTBEAT
    },
    Class {
        name: "heartbeat.sealed.repeated",
        fault: "the message before comes again",
        inject: seals::heartbeat_repeated,
        ..HEARTBEAT
    },
    Class {
        name: "heartbeat.sealed.reordered",
        fault: "an older message after a newer one",
        inject: seals::heartbeat_reordered,
        ..HEARTBEAT
    },
    Class {
        name: "heartbeat.sealed.lost",
        fault: "5 to 24 messages lost in a row",
        inject: seals::heartbeat_lost,
        ..HEARTBEAT
    },
    Class {
        name: "heartbeat.sealed.foreign",
        fault: "protected by another sender",
        inject: seals::heartbeat_foreign,
        ..HEARTBEAT
    },
    Class {
        name: "heartbeat.sealed.bare",
        fault: "without protection",
        inject: seals::heartbeat_bare,
        ..HEARTBEAT
    },
    COMMAND,
    Class {
        name: "command.sealed.field",
        fault: "a decoded value changed under its protection",
        inject: seals::command_field,
        ..COMMAND
    },
    Class { name: "command.sealed.cut", fault: "the CDR cut short", inject: seals::command_cut, ..COMMAND },
    Class {
        name: "command.sealed.foreign",
        fault: "protected by another sender",
        inject: seals::command_foreign,
        ..COMMAND
    },
    SAFETY_STATE,
    Class {
        name: "safety_state.sealed.field",
        fault: "a decoded value changed under its protection",
        inject: seals::state_field,
        ..SAFETY_STATE
    },
    Class {
        name: "safety_state.sealed.repeated",
        fault: "the message before comes again",
        inject: seals::state_repeated,
        ..SAFETY_STATE
    },
    Class {
        name: "safety_state.sealed.foreign",
        fault: "protected by another sender",
        inject: seals::state_foreign,
        ..SAFETY_STATE
    },
    DRIVER_ALERT,
    Class {
        name: "driver_alert.sealed.field",
        fault: "a decoded value changed under its protection",
        inject: seals::alert_field,
        ..DRIVER_ALERT
    },
    Class {
        name: "driver_alert.sealed.repeated",
        fault: "the message before comes again",
        inject: seals::alert_repeated,
        ..DRIVER_ALERT
    },
    Class {
        name: "driver_alert.sealed.lost",
        fault: "5 to 24 messages lost in a row",
        inject: seals::alert_lost,
        ..DRIVER_ALERT
    },
    DRIVER_STATE,
    Class {
        name: "driver_state.sealed.field",
        fault: "a decoded value changed under its protection",
        inject: seals::seen_field,
        ..DRIVER_STATE
    },
    Class {
        name: "driver_state.sealed.repeated",
        fault: "the message before comes again",
        inject: seals::seen_repeated,
        ..DRIVER_STATE
    },
    Class {
        name: "driver_state.sealed.foreign",
        fault: "protected by another sender",
        inject: seals::seen_foreign,
        ..DRIVER_STATE
    },
    SIGNALS,
    Class {
        name: "signals.sealed.field",
        fault: "a decoded value changed under its protection",
        inject: seals::signals_field,
        ..SIGNALS
    },
    Class {
        name: "signals.sealed.repeated",
        fault: "the message before comes again",
        inject: seals::signals_repeated,
        ..SIGNALS
    },
    Class {
        name: "signals.sealed.foreign",
        fault: "protected by another sender",
        inject: seals::signals_foreign,
        ..SIGNALS
    },
];
