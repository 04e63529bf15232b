//! What is said where no model answers.

/// Sentences that no model makes.
#[derive(Debug, Clone)]
pub struct Sentences {
    /// Nobody can answer.
    pub nobody: String,
    /// It is for the vehicle itself.
    pub command: String,
    /// It may not leave the vehicle, and nobody in it can answer.
    pub private: String,
    /// The cloud's answer broke off and nobody goes on.
    pub broken: String,
    /// The vehicle's own did.
    pub unfinished: String,
}

impl Default for Sentences {
    fn default() -> Self {
        Sentences {
            nobody: "I cannot answer that right now.".into(),
            command: "Please say that as a command to the car.".into(),
            private: "That is private, so it stays in the car, and I cannot answer it here.".into(),
            broken: "Sorry, I lost the connection and cannot finish that.".into(),
            unfinished: "Sorry, I cannot finish that.".into(),
        }
    }
}
