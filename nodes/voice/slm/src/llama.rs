//! The model by llama.cpp: a context for each task, in whose cache its beginning stays; greedy; held to a grammar.
//!
//! What the grammar makes follow in any case is not asked of the model: it is read together with what comes next, in one pass. At a
//! choice the model's probabilities of the allowed tokens are taken as shares of their sum. Tokens of which one begins another say the
//! same so far, so they count together.

use std::{num::NonZeroU32, path::Path};

use llama_cpp_2::{
    LogOptions,
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::{LlamaLoraAdapter, LlamaModel, params::LlamaModelParams},
    sampling::LlamaSampler,
    send_logs_to_tracing,
    token::{LlamaToken, data::LlamaTokenData, data_array::LlamaTokenDataArray},
};

use crate::{
    engine::{Engine, EngineError, Piece, Progress, Prompt, Task},
    kept::Kept,
    prompt::Prompts,
};

/// Tokens of one pass while a request is read: a pass is what a deadline or a cancel waits for.
pub(crate) const CHUNK: usize = 32;
/// Room behind a beginning: a request with 512 bytes of text and as many of context, and the answer.
const ROOM: u32 = 512;
/// Of that, what an answer may take.
const ANSWER: usize = 192;
/// Room of an answer that goes on: what tools told and what was said already stand before it.
const ROOM_TO_GO_ON: u32 = 1_792;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// llama.cpp does not take it.
    #[error("language model {path}: {why}")]
    Load {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// It was to stop meanwhile.
    #[error("stopped while the model was loaded")]
    Stopped,
}

/// A model's weights.
pub struct Weights {
    backend: LlamaBackend,
    model: LlamaModel,
    adapter: Option<std::sync::Mutex<LlamaLoraAdapter>>,
    path: String,
    files: Vec<std::path::PathBuf>,
    kept: Kept,
}

impl Weights {
    /// Maps a GGUF file, and an adapter for it.
    ///
    /// # Errors
    /// When a file is not there or is none of a model that llama.cpp knows.
    pub fn load(path: &Path, adapter: Option<&Path>) -> Result<Weights, LoadError> {
        let told = |path: &Path, why: &str| LoadError::Load {
            path: path.display().to_string(),
            why: why.to_owned(),
        };
        // llama.cpp looks at nothing before it opens, and the crate holds it to debug assertions.
        for file in [Some(path), adapter].into_iter().flatten() {
            if !file.is_file() {
                return Err(told(file, "there is no such file"));
            }
        }
        send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
        let backend = LlamaBackend::init().map_err(|error| told(path, &error.to_string()))?;
        let mut model = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default())
            .map_err(|error| told(path, &error.to_string()))?;
        let files = [Some(path), adapter].into_iter().flatten().map(Path::to_owned).collect();
        let adapter = match adapter {
            None => None,
            Some(file) => {
                let adapter =
                    model.lora_adapter_init(file).map_err(|error| told(file, &error.to_string()))?;
                Some(std::sync::Mutex::new(adapter))
            }
        };
        Ok(Weights {
            backend,
            model,
            adapter,
            path: path.display().to_string(),
            files,
            kept: Kept::nothing(),
        })
    }

    /// What the model makes of the tasks' beginnings is kept in this folder from one start to the next.
    pub fn keeping(self, folder: &Path) -> Weights {
        let files: Vec<&Path> = self.files.iter().map(std::path::PathBuf::as_path).collect();
        let kept = Kept::new(folder, &files);
        Weights { kept, ..self }
    }

    pub(crate) fn told(&self, why: impl ToString) -> LoadError {
        LoadError::Load { path: self.path.clone(), why: why.to_string() }
    }

    /// A context of so many tokens.
    pub(crate) fn context(&self, tokens: u32, threads: u8) -> Result<LlamaContext<'_>, LoadError> {
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(tokens))
            .with_n_batch(CHUNK as u32)
            .with_n_ubatch(CHUNK as u32)
            .with_n_threads(i32::from(threads.max(1)))
            .with_n_threads_batch(i32::from(threads.max(1)));
        let mut context = self.model.new_context(&self.backend, params).map_err(|error| self.told(error))?;
        if let Some(adapter) = &self.adapter {
            let mut adapter = adapter.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            context.lora_adapter_set(&mut adapter, 1.0).map_err(|error| self.told(error))?;
        }
        Ok(context)
    }

    /// What these pieces are to the model: control tokens are ours alone.
    pub(crate) fn tokens(&self, pieces: &[Piece]) -> Vec<LlamaToken> {
        troika_safety::fulfils![SR_VOI_018];
        let vocabulary = self.model.vocab();
        let of = |piece: &Piece| match piece {
            Piece::Ours(text) => vocabulary.tokenize(text.as_bytes(), false, true),
            Piece::Theirs(text) => vocabulary.tokenize(text.as_bytes(), false, false),
        };
        pieces.iter().flat_map(of).collect()
    }

    pub(crate) fn bytes(&self, token: LlamaToken) -> Vec<u8> {
        piece(&self.model, token)
    }

    pub(crate) fn is_end(&self, token: LlamaToken) -> bool {
        self.model.vocab().is_eog(token)
    }

    /// How a dialogue is written for the model, as its file says (Jinja).
    pub(crate) fn template(&self) -> Option<String> {
        self.model.chat_template(None).ok()?.to_string().ok()
    }
}

/// A model that is ready: every task's beginning is evaluated.
pub struct Llama<'w> {
    weights: &'w Weights,
    desks: Vec<Room<'w>>,
    /// Each token's bytes.
    pieces: Vec<Vec<u8>>,
    run: Option<Run>,
}

/// A task's context.
struct Room<'w> {
    context: LlamaContext<'w>,
    /// Tokens of the beginning.
    beginning: usize,
    /// Tokens behind it that the model has seen: of the last request, and of the answer to it.
    seen: Vec<LlamaToken>,
    /// Tokens that there is room for behind the beginning.
    room: usize,
}

/// A request in work.
struct Run {
    task: Task,
    grammar: Option<LlamaSampler>,
    /// Tokens that the model has not seen yet.
    pending: Vec<LlamaToken>,
    /// What the grammar allows next; none without one.
    allowed: Option<Vec<LlamaToken>>,
    /// Bytes that make no letter yet.
    bytes: Vec<u8>,
    /// Nothing follows.
    over: bool,
    /// It is read and nothing is said.
    read_only: bool,
}

impl<'w> Llama<'w> {
    /// Evaluates the beginnings (seconds), unless they are kept. `stop` is asked between two passes.
    ///
    /// # Errors
    /// When the model fails, or `stop` says so.
    pub fn new(
        weights: &'w Weights,
        prompts: &Prompts,
        threads: u8,
        stop: &dyn Fn() -> bool,
    ) -> Result<Llama<'w>, LoadError> {
        let told = |why: String| LoadError::Load { path: weights.path.clone(), why };
        let vocabulary = weights.model.vocab();
        let pieces = vocabulary.tokens().map(|token| piece(&weights.model, token)).collect();
        let mut desks = Vec::new();
        for task in Task::ALL {
            let beginning = vocabulary.tokenize(prompts.beginning(task).as_bytes(), true, true);
            let room = if task == Task::Continue { ROOM_TO_GO_ON } else { ROOM };
            let all = u32::try_from(beginning.len()).map_err(|error| told(error.to_string()))? + room;
            let mut context = weights.context(all, threads)?;
            if !weights.kept.restore(task.name(), &beginning, &mut context) {
                for (index, chunk) in beginning.chunks(CHUNK).enumerate() {
                    if stop() {
                        return Err(LoadError::Stopped);
                    }
                    read(&mut context, chunk, index * CHUNK, false)
                        .map_err(|error| told(error.to_string()))?;
                }
                weights.kept.keep(task.name(), &beginning, &context);
            }
            desks.push(Room { context, beginning: beginning.len(), seen: Vec::new(), room: room as usize });
        }
        Ok(Llama { weights, desks, pieces, run: None })
    }

    /// Tokens of the beginnings, and of a text.
    pub fn tokens(&self, text: &str) -> (usize, usize) {
        let beginnings = self.desks.iter().map(|room| room.beginning).sum();
        (beginnings, self.weights.model.vocab().tokenize(text.as_bytes(), false, false).len())
    }

    fn bytes(&self, token: LlamaToken) -> &[u8] {
        usize::try_from(token.0).ok().and_then(|index| self.pieces.get(index)).map_or(&[], Vec::as_slice)
    }

    fn is_end(&self, token: LlamaToken) -> bool {
        self.weights.is_end(token)
    }

    /// What the grammar allows now.
    fn allowed(&self, grammar: &mut LlamaSampler) -> Vec<LlamaToken> {
        let all = (0..self.pieces.len() as i32).map(|id| LlamaTokenData::new(LlamaToken(id), 0.0, 0.0));
        let mut all = LlamaTokenDataArray::from_iter(all, false);
        grammar.apply(&mut all);
        all.data.iter().filter(|one| one.logit() > f32::NEG_INFINITY).map(LlamaTokenData::id).collect()
    }

    /// Takes what must follow into `pending`, and finds what may follow then. Gives the bytes that it took.
    fn follow(&self, run: &mut Run) -> Vec<u8> {
        let mut taken = Vec::new();
        let Some(mut grammar) = run.grammar.take() else { return taken };
        loop {
            let allowed = self.allowed(&mut grammar);
            if allowed.iter().all(|token| self.is_end(*token)) {
                run.over = true;
                break;
            }
            // All of them begin the longest one: it must follow.
            let longest = allowed.iter().copied().max_by_key(|token| self.bytes(*token).len());
            let Some(longest) = longest.filter(|longest| {
                allowed.iter().all(|one| self.bytes(*longest).starts_with(self.bytes(*one)))
            }) else {
                run.allowed = Some(allowed);
                break;
            };
            taken.extend_from_slice(self.bytes(longest));
            grammar.accept(longest);
            run.pending.push(longest);
        }
        run.grammar = Some(grammar);
        taken
    }

    /// The likeliest of what is allowed, its share of that, and how much that is of all.
    fn choose(&self, logits: &[f32], allowed: Option<&[LlamaToken]>) -> Option<(LlamaToken, f64, f64)> {
        let value = |token: &LlamaToken| logits.get(usize::try_from(token.0).ok()?).copied();
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| f64::from(logit - most).exp();
        let all: f64 = logits.iter().map(|logit| weight(*logit)).sum();
        let Some(allowed) = allowed else {
            let (best, logit) = logits.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
            return Some((LlamaToken(i32::try_from(best).ok()?), weight(*logit) / all, 1.0));
        };
        let weighed = || allowed.iter().filter_map(|token| Some((*token, value(token)?)));
        let (best, _) = weighed().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let bytes = self.bytes(best);
        let alike = |token: LlamaToken| {
            let other = self.bytes(token);
            other.starts_with(bytes) || bytes.starts_with(other)
        };
        let sum: f64 = weighed().map(|(_, logit)| weight(logit)).sum();
        let ours: f64 = weighed().filter(|(token, _)| alike(*token)).map(|(_, logit)| weight(logit)).sum();
        Some((best, ours / sum, sum / all))
    }
}

impl Engine for Llama<'_> {
    fn begin(&mut self, prompt: &Prompt) -> Result<(), EngineError> {
        self.run = None;
        let pending = self.weights.tokens(&prompt.pieces);
        let room = self.desks[prompt.task as usize].room - ANSWER;
        if pending.len() > room {
            return Err(EngineError::TooLong { tokens: pending.len(), room });
        }
        let grammar = match &prompt.grammar {
            None => None,
            Some(text) => Some(
                LlamaSampler::grammar(&self.weights.model, text, "root")
                    .map_err(|error| EngineError::Grammar(error.to_string()))?,
            ),
        };
        let task = prompt.task;
        let desk = &mut self.desks[task as usize];
        // What it has seen already need not be read again; the last token must be, for what follows it.
        let alike = desk.seen.iter().zip(&pending).take_while(|(a, b)| a == b).count();
        let kept = alike.min(if prompt.read_only { pending.len() } else { pending.len().saturating_sub(1) });
        let from =
            u32::try_from(desk.beginning + kept).map_err(|error| EngineError::Run(error.to_string()))?;
        desk.context
            .kv_cache_seq_rm(0, Some(from), None)
            .map_err(|error| EngineError::Run(error.to_string()))?;
        desk.seen.truncate(kept);
        let pending = pending[kept..].to_vec();
        let read_only = prompt.read_only;
        let mut run =
            Run { task, grammar, pending, allowed: None, bytes: Vec::new(), over: false, read_only };
        run.bytes = self.follow(&mut run);
        self.run = Some(run);
        Ok(())
    }

    fn advance(&mut self) -> Result<Progress, EngineError> {
        let Some(mut run) = self.run.take() else { return Ok(Progress::End) };
        if run.over {
            let text = letters(&mut run.bytes);
            if text.is_empty() {
                return Ok(Progress::End);
            }
            // Nothing was left to the model.
            self.run = Some(run);
            return Ok(Progress::Text { text, probability: 1.0, allowed: 1.0 });
        }
        let desk = &mut self.desks[run.task as usize];
        if run.pending.is_empty() {
            // All of it was read before.
            return Ok(Progress::End);
        }
        let tokens = desk.seen.len() + run.pending.len();
        if tokens >= desk.room {
            return Err(EngineError::TooLong { tokens, room: desk.room });
        }
        let chunk: Vec<LlamaToken> = run.pending.drain(..run.pending.len().min(CHUNK)).collect();
        let says = run.pending.is_empty() && !run.read_only;
        read(&mut desk.context, &chunk, desk.beginning + desk.seen.len(), says)
            .map_err(|error| EngineError::Run(error.to_string()))?;
        desk.seen.extend(chunk);
        if run.pending.is_empty() && run.read_only {
            return Ok(Progress::End);
        }
        if !run.pending.is_empty() {
            self.run = Some(run);
            return Ok(Progress::Reading);
        }
        let logits = self.desks[run.task as usize].context.get_logits();
        let (token, probability, allowed) = self
            .choose(logits, run.allowed.as_deref())
            .ok_or_else(|| EngineError::Run("no token is allowed".to_owned()))?;
        if self.is_end(token) {
            return Ok(Progress::End);
        }
        run.bytes.extend_from_slice(self.bytes(token));
        run.pending.push(token);
        if let Some(grammar) = &mut run.grammar {
            grammar.accept(token);
        }
        let forced = self.follow(&mut run);
        run.bytes.extend(forced);
        let text = letters(&mut run.bytes);
        self.run = Some(run);
        Ok(Progress::Text { text, probability, allowed })
    }
}

/// One forward pass over `tokens`, the first of which is at `from`.
pub(crate) fn read(
    context: &mut LlamaContext<'_>,
    tokens: &[LlamaToken],
    from: usize,
    logits: bool,
) -> anyhow::Result<()> {
    let mut batch = LlamaBatch::new(tokens.len(), 1);
    for (index, token) in tokens.iter().enumerate() {
        let last = index + 1 == tokens.len();
        batch.add(*token, i32::try_from(from + index)?, &[0], logits && last)?;
    }
    context.decode(&mut batch)?;
    Ok(())
}

/// A token's bytes; control tokens have none, so that they can be no part of an answer.
fn piece(model: &LlamaModel, token: LlamaToken) -> Vec<u8> {
    model.vocab().token_to_piece(token, false, None)
}

/// The whole letters at the beginning of these bytes, which are taken out.
pub(crate) fn letters(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    loop {
        match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                bytes.clear();
                return text;
            }
            Err(error) => {
                let good = error.valid_up_to();
                text.push_str(&String::from_utf8_lossy(&bytes[..good]));
                match error.error_len() {
                    // A letter that goes on in the next token.
                    None => {
                        bytes.drain(..good);
                        return text;
                    }
                    Some(bad) => {
                        bytes.drain(..good + bad);
                        text.push(char::REPLACEMENT_CHARACTER);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_whole() {
        let mut bytes = "né".as_bytes()[..2].to_vec();
        assert_eq!((letters(&mut bytes).as_str(), bytes.len()), ("n", 1));
        bytes.push("é".as_bytes()[1]);
        assert_eq!((letters(&mut bytes).as_str(), bytes.len()), ("é", 0));
        assert_eq!(letters(&mut vec![b'a', 0xff, b'b']), "a\u{fffd}b");
    }

    #[test]
    fn a_file_that_is_not_there_is_told_by_name() {
        let error = Weights::load(Path::new("not-there.gguf"), None).err().map(|error| error.to_string());
        assert!(error.unwrap_or_default().contains("not-there.gguf"));
    }
}
