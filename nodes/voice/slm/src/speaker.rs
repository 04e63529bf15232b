//! The model in a dialogue: one context, in which what a dialogue begins with is kept from one question to the next.

use llama_cpp_2::{context::LlamaContext, sampling::LlamaSampler, token::LlamaToken};

use crate::{
    chat::{self, Ask, Reason},
    engine::Piece,
    llama::{self, CHUNK, LoadError, Weights},
    talk::{Begun, Said, Speak},
};

/// Tokens of a dialogue and its answer together where nothing else is said: some 45 MiB of cache. The model was trained on 8,192.
pub const CONTEXT: u32 = 2_048;

/// It.
pub struct Speaker<'w> {
    weights: &'w Weights,
    context: LlamaContext<'w>,
    /// Tokens that the model has seen.
    seen: Vec<LlamaToken>,
    room: usize,
    run: Option<Run>,
}

struct Run {
    pending: Vec<LlamaToken>,
    sampler: LlamaSampler,
    /// Bytes that make no letter yet.
    bytes: Vec<u8>,
    /// Tokens of the answer that may still come.
    left: usize,
}

impl<'w> Speaker<'w> {
    /// With this much room, in tokens.
    ///
    /// # Errors
    /// Where llama.cpp makes no context (memory), or the model was tuned on another template than [`chat`] writes.
    pub fn new(weights: &'w Weights, room: u32, threads: u8) -> Result<Speaker<'w>, LoadError> {
        if !weights.template().is_some_and(|template| template.contains("<|im_start|>")) {
            return Err(weights.told(
                "its chat template is not ChatML (<|im_start|>), which is what a dialogue is written in",
            ));
        }
        let context = weights.context(room, threads)?;
        Ok(Speaker { weights, context, seen: Vec::new(), room: room as usize, run: None })
    }

    /// Tokens that there is room for.
    pub fn room(&self) -> usize {
        self.room
    }

    fn tokens(&self, pieces: &[Piece]) -> Vec<LlamaToken> {
        self.weights.tokens(pieces)
    }

    /// What it knows is not what it thinks it knows any more.
    fn forget(&mut self) {
        self.context.clear_kv_cache();
        self.seen.clear();
    }

    fn pass(&mut self, run: &mut Run) -> Result<Said, String> {
        if run.left == 0 {
            return Ok(Said::Over(Reason::Length));
        }
        let chunk: Vec<LlamaToken> = run.pending.drain(..run.pending.len().min(CHUNK)).collect();
        let says = run.pending.is_empty();
        llama::read(&mut self.context, &chunk, self.seen.len(), says).map_err(|error| error.to_string())?;
        self.seen.extend(chunk);
        if !says {
            return Ok(Said::Reading);
        }
        let token = run.sampler.sample(&self.context, -1);
        if self.weights.is_end(token) {
            return Ok(Said::Over(Reason::Stop));
        }
        run.left -= 1;
        run.bytes.extend(self.weights.bytes(token));
        run.pending.push(token);
        Ok(Said::Text(llama::letters(&mut run.bytes)))
    }
}

impl Speak for Speaker<'_> {
    fn begin(&mut self, ask: &Ask) -> Result<Begun, String> {
        self.run = None;
        let tail = self.tokens(&[chat::answer_begins()]);
        let turns: Vec<_> = ask.turns().iter().map(|turn| (turn.role, self.tokens(&turn.pieces))).collect();
        // An answer may have a quarter of the room; a longer one has what the dialogue leaves.
        let answer = (ask.max_tokens as usize).min(self.room / 4);
        let room = self.room.saturating_sub(answer + tail.len());
        let lengths: Vec<_> = turns.iter().map(|(role, tokens)| (*role, tokens.len())).collect();
        let Some(kept) = chat::kept(&lengths, room) else {
            let asked = lengths.last().map_or(0, |(_, tokens)| *tokens);
            return Err(format!(
                "the last message ({asked} tokens) and the system's have no room: there are {room} tokens beside the answer's {answer}"
            ));
        };
        let dropped_messages = turns.len() - kept.len();
        let mut pending: Vec<LlamaToken> = kept.iter().flat_map(|at| turns[*at].1.iter().copied()).collect();
        pending.extend(tail);
        let prompt_tokens = pending.len();
        // What it has seen already need not be read again; the last token must be, for what follows it.
        let alike = self.seen.iter().zip(&pending).take_while(|(a, b)| a == b).count();
        let known = alike.min(prompt_tokens.saturating_sub(1));
        let from = u32::try_from(known).map_err(|error| error.to_string())?;
        self.context.kv_cache_seq_rm(0, Some(from), None).map_err(|error| error.to_string())?;
        self.seen.truncate(known);
        let sampler = if ask.temperature > 0.0 {
            LlamaSampler::chain_simple([
                LlamaSampler::top_p(ask.top_p, 1),
                LlamaSampler::temp(ask.temperature),
                LlamaSampler::dist(ask.seed),
            ])
        } else {
            LlamaSampler::greedy()
        };
        // The last token that is said need not be read.
        let left = (ask.max_tokens as usize).min(self.room + 1 - prompt_tokens);
        self.run = Some(Run { pending: pending.split_off(known), sampler, bytes: Vec::new(), left });
        Ok(Begun { prompt_tokens, dropped_messages })
    }

    fn advance(&mut self) -> Result<Said, String> {
        let Some(mut run) = self.run.take() else { return Ok(Said::Over(Reason::Stop)) };
        match self.pass(&mut run) {
            Ok(over @ Said::Over(_)) => Ok(over),
            Ok(said) => {
                self.run = Some(run);
                Ok(said)
            }
            Err(why) => {
                self.forget();
                Err(why)
            }
        }
    }
}
