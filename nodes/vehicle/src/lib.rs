//! Vehicle signals out, vehicle commands carried out, behind a trait for the body.
