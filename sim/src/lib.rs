//! A rendered driver with ground truth, and scenarios.
