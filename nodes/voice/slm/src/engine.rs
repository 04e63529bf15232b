//! The seam to the model: an answer comes a forward pass at a time, so that whoever asks can look at the clock and at what else was
//! asked in between.

/// What the model is asked to do. Each has a beginning of its own that is evaluated once and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// An utterance to vehicle functions.
    Interpret,
    /// A follow-up, with what was before, to vehicle functions.
    Rewrite,
    /// A question to a sentence or two.
    Answer,
    /// The beginning of an answer that somebody else gave, to its end.
    Continue,
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 4] = [Task::Interpret, Task::Rewrite, Task::Answer, Task::Continue];

    /// A name.
    pub const fn name(self) -> &'static str {
        match self {
            Task::Interpret => "interpret",
            Task::Rewrite => "rewrite",
            Task::Answer => "answer",
            Task::Continue => "continue",
        }
    }
}

/// A piece of what stands before the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Ours; may name the model's control tokens.
    Ours(String),
    /// Somebody's words: whatever they are, they are words and no control tokens.
    Theirs(String),
}

/// One request, ready for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Whose beginning stands before it.
    pub task: Task,
    /// What follows that beginning.
    pub pieces: Vec<Piece>,
    /// GBNF with the root `root`; without one anything may be answered.
    pub grammar: Option<String>,
    /// It is read and nothing is said: what goes on from it later begins at once.
    pub read_only: bool,
}

/// What one step of the model gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// It still reads.
    Reading,
    /// More of the answer.
    Text {
        /// The words or parts of words; with what the grammar makes follow in any case.
        text: String,
        /// How probable this was, 0..1, among what the grammar allowed; 1 where it left no choice.
        probability: f64,
        /// How much probability the model itself gave to all that the grammar allowed, 0..1.
        allowed: f64,
    },
    /// The answer is complete.
    End,
}

/// Why the model gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The request does not fit.
    #[error("the request has {tokens} tokens, and there is room for {room}")]
    TooLong {
        /// Of the request.
        tokens: usize,
        /// For it, and for the answer.
        room: usize,
    },
    /// llama.cpp refuses the grammar.
    #[error("the grammar is not accepted: {0}")]
    Grammar(String),
    /// A run failed.
    #[error("the model failed: {0}")]
    Run(String),
}

/// A model that answers.
#[cfg_attr(test, mockall::automock)]
pub trait Engine {
    /// Begins a request; what went before is forgotten, but for what this one begins with too. Nothing is evaluated yet.
    ///
    /// # Errors
    /// When it does not fit, or its grammar is none.
    fn begin(&mut self, prompt: &Prompt) -> Result<(), EngineError>;

    /// Goes on by at most one forward pass.
    ///
    /// # Errors
    /// When the model fails; the request is over then.
    fn advance(&mut self) -> Result<Progress, EngineError>;
}
