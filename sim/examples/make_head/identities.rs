//! The faces: mixtures of the source package's morph targets.

pub(crate) struct Identity {
    pub(crate) name: &'static str,
    pub(crate) targets: &'static [(&'static str, f32)],
}

/// The first eight are for training and the scored scenarios, the last four are kept for held-out scenarios.
pub(crate) const IDENTITIES: [Identity; 12] = [
    Identity { name: "ada", targets: &[("macrodetails/caucasian-female-young", 1.0)] },
    Identity {
        name: "ben",
        targets: &[("macrodetails/caucasian-male-young", 1.0), ("chin/chin-width-incr", 0.4)],
    },
    Identity { name: "chi", targets: &[("macrodetails/asian-female-young", 1.0)] },
    Identity {
        name: "dai",
        targets: &[("macrodetails/asian-male-young", 0.5), ("macrodetails/asian-male-old", 0.5)],
    },
    Identity { name: "efe", targets: &[("macrodetails/african-male-young", 1.0)] },
    Identity {
        name: "fola",
        targets: &[("macrodetails/african-female-young", 0.5), ("macrodetails/african-female-old", 0.5)],
    },
    Identity {
        name: "gus",
        targets: &[
            ("macrodetails/caucasian-male-young", 0.3),
            ("macrodetails/caucasian-male-old", 0.7),
            ("nose/nose-hump-incr", 0.5),
        ],
    },
    Identity {
        name: "hana",
        targets: &[
            ("macrodetails/caucasian-female-young", 0.5),
            ("macrodetails/asian-female-young", 0.5),
            ("head/head-round", 0.5),
        ],
    },
    Identity {
        name: "ivo",
        targets: &[
            ("macrodetails/caucasian-male-young", 0.7),
            ("macrodetails/african-male-young", 0.3),
            ("head/head-rectangular", 0.6),
            ("nose/nose-scale-horiz-incr", 0.4),
        ],
    },
    Identity {
        name: "juno",
        targets: &[
            ("macrodetails/african-female-young", 0.5),
            ("macrodetails/caucasian-female-young", 0.5),
            ("head/head-oval", 0.7),
            ("mouth/mouth-scale-horiz-incr", 0.4),
        ],
    },
    Identity {
        name: "kofi",
        targets: &[
            ("macrodetails/african-male-old", 0.6),
            ("macrodetails/african-male-young", 0.4),
            ("head/head-fat-incr", 0.5),
            ("nose/nose-curve-concave", 0.5),
        ],
    },
    Identity {
        name: "lena",
        targets: &[
            ("macrodetails/caucasian-female-old", 0.7),
            ("macrodetails/asian-female-old", 0.3),
            ("head/head-invertedtriangular", 0.5),
            ("eyes/l-eye-eyefold-down", 0.5),
            ("eyes/r-eye-eyefold-down", 0.5),
        ],
    },
];
