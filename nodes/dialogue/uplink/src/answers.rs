//! What the gateway's word on a batch means for each of it, and for what goes next.

use serde::Deserialize;
use troika_dialogue::Fault;
use troika_kit::Duration;
use troika_outbox::Outcome;

/// A gateway whose inbox is full waits for somebody to fetch: asking each second does not help.
const FULL_WAIT: Duration = Duration::from_secs(60);

/// What goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More.
    GoOn,
    /// Fewer at once: one of them is wrong.
    Fewer,
    /// Nothing for a while, and not before what the gateway asked for.
    Pause(Option<Duration>),
    /// Nothing for long: somebody has to mend something.
    Trouble,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// For each of the batch, in its order.
    pub outcomes: Vec<Outcome>,
    /// What goes next.
    pub then: Then,
    /// What is wrong, in words; empty: nothing.
    pub told: String,
}

#[derive(Deserialize)]
struct Took {
    accepted: Vec<String>,
    known: Vec<String>,
    full: Vec<String>,
}

/// The gateway's own name for why it refused, from [`Fault::Refused`].
#[derive(Deserialize)]
struct Refusal {
    error: Named,
}

#[derive(Deserialize)]
struct Named {
    code: String,
}

/// Whether the gateway itself, and nothing else at that address, says that what was sent is wrong and always will be.
fn is_wrong(status: u16, said: &str) -> bool {
    let code = serde_json::from_str::<Refusal>(said).map(|refusal| refusal.error.code).unwrap_or_default();
    matches!((status, code.as_str()), (400, "bad_request") | (413, "too_large"))
}

/// What this answer means for a batch of these keys.
pub fn meaning(keys: &[&str], answer: &Result<String, Fault>) -> Meaning {
    let all = |outcome: Outcome, then: Then, told: String| Meaning {
        outcomes: vec![outcome; keys.len()],
        then,
        told,
    };
    let fault = match answer {
        Ok(said) => match serde_json::from_str::<Took>(said) {
            Ok(took) => return taken(keys, &took),
            Err(error) => &Fault::Malformed(format!("no gateway's word on deliveries ({error})")),
        },
        Err(fault) => fault,
    };
    let told = fault.to_string();
    match fault {
        Fault::Refused { status, said } if is_wrong(*status, said) => match keys.len() {
            1 => all(Outcome::Hopeless, Then::GoOn, told),
            _ => all(Outcome::Again, Then::Fewer, told),
        },
        Fault::RateLimited { .. } | Fault::Server { .. } => {
            let wait = fault.retry_after();
            all(Outcome::Failed(wait), Then::Pause(wait), told)
        }
        Fault::Dns
        | Fault::Connect(_)
        | Fault::ConnectTimeout(_)
        | Fault::Reset(_)
        | Fault::Timeout(_)
        | Fault::Truncated
        | Fault::Files(_)
        | Fault::Cancelled => all(Outcome::Failed(None), Then::Pause(None), told),
        Fault::Tls(_)
        | Fault::Malformed(_)
        | Fault::TooLarge { .. }
        | Fault::PaymentRequired
        | Fault::Unauthorized(_)
        | Fault::Refused { .. } => all(Outcome::Failed(None), Then::Trouble, told),
    }
}

/// Accepted and known are delivered; full and what is not spoken of are tried again.
fn taken(keys: &[&str], took: &Took) -> Meaning {
    let has = |list: &[String], key: &str| list.iter().any(|one| one == key);
    let outcomes: Vec<_> = keys
        .iter()
        .map(|key| match () {
            () if has(&took.accepted, key) || has(&took.known, key) => Outcome::Delivered,
            () if has(&took.full, key) => Outcome::Failed(Some(FULL_WAIT)),
            () => Outcome::Failed(None),
        })
        .collect();
    let full = outcomes.contains(&Outcome::Failed(Some(FULL_WAIT)));
    match outcomes.iter().all(|one| *one == Outcome::Delivered) {
        true => Meaning { outcomes, then: Then::GoOn, told: String::new() },
        false if full => {
            let told = "the gateway's inbox is full: somebody has to fetch what is in it".to_owned();
            Meaning { outcomes, then: Then::Pause(Some(FULL_WAIT)), told }
        }
        false => {
            let told = "the gateway does not speak of all that it was sent".to_owned();
            Meaning { outcomes, then: Then::Pause(None), told }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str], answer: Result<&str, Fault>) -> (Vec<Outcome>, Then) {
        let meaning = meaning(keys, &answer.map(str::to_owned));
        (meaning.outcomes, meaning.then)
    }

    fn refused(status: u16, code: &str) -> Fault {
        let said = format!(r#"{{"error":{{"message":"m","type":"gateway_error","code":"{code}"}}}}"#);
        Fault::Refused { status, said }
    }

    #[test]
    fn accepted_and_known_are_delivered_and_the_rest_is_tried_again() {
        let said = r#"{"accepted":["a","of somebody else"],"known":["b"],"full":["c"]}"#;
        let (outcomes, then) = of(&["a", "b", "c", "d"], Ok(said));
        let again = Outcome::Failed(Some(FULL_WAIT));
        assert_eq!(outcomes, [Outcome::Delivered, Outcome::Delivered, again, Outcome::Failed(None)]);
        assert_eq!(then, Then::Pause(Some(FULL_WAIT)));
        let all = of(&["a"], Ok(r#"{"accepted":["a"],"known":[],"full":[]}"#));
        assert_eq!(all, (vec![Outcome::Delivered], Then::GoOn));
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_and_nothing_is_given_up() {
        let wait = Some(Duration::from_secs(30));
        for fault in
            [Fault::RateLimited { retry_after: wait }, Fault::Server { status: 503, retry_after: wait }]
        {
            assert_eq!(of(&["a"], Err(fault)), (vec![Outcome::Failed(wait)], Then::Pause(wait)));
        }
        let late = of(&["a"], Err(Fault::Timeout("the answer's head")));
        assert_eq!(late, (vec![Outcome::Failed(None)], Then::Pause(None)));
    }

    #[test]
    fn of_several_that_are_refused_each_has_its_chance_and_one_alone_can_never_go() {
        for fault in [refused(400, "bad_request"), refused(413, "too_large")] {
            assert_eq!(of(&["a", "b"], Err(fault.clone())), (vec![Outcome::Again; 2], Then::Fewer));
            assert_eq!(of(&["a"], Err(fault)), (vec![Outcome::Hopeless], Then::GoOn));
        }
    }

    #[test]
    fn what_is_not_the_items_own_fault_gives_nothing_up() {
        for fault in [
            Fault::Unauthorized(401),
            Fault::Unauthorized(403),
            Fault::PaymentRequired,
            Fault::Tls("a foreign certificate".into()),
            refused(404, "path"),
            // A proxy on the way, a service that is no gateway.
            Fault::Refused { status: 400, said: "<html>Bad Request".into() },
        ] {
            assert_eq!(of(&["a"], Err(fault)), (vec![Outcome::Failed(None)], Then::Trouble));
        }
        for said in ["", "<html>sign in", "{}", r#"{"accepted":"a"}"#] {
            assert_eq!(of(&["a"], Ok(said)), (vec![Outcome::Failed(None)], Then::Trouble), "{said}");
        }
    }
}
