//! Model passports and inference. No network.
