//! Who decides what leaves the vehicle.

use troika_kit::Duration;
use troika_msgs::{
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest, RoutingDecision, SafetyState},
};

use super::{Car, Plan, QUESTION, done, event};
use crate::class::{Dice, Ground, Off, Verdict};

/// What is private by its class alone, and by its words; and the words that must not be found outside.
const PRIVATE: [(&str, u8, &str); 4] = [
    ("What is on the list for tomorrow by Okonkwo", DialogueRequest::MESSAGES, "Okonkwo"),
    ("How far is it to the place that Okonkwo told me of", DialogueRequest::CONTACTS, "Okonkwo"),
    ("Describe the long day that Okonkwo had in this seat", DialogueRequest::DRIVER_STATE, "Okonkwo"),
    (
        "What does the last text message of Okonkwo say about the lighthouse",
        DialogueRequest::PUBLIC,
        "Okonkwo",
    ),
];

fn plain_answer() -> Plan {
    Box::new(|_| {
        let at = Duration::from_millis(300);
        vec![(at, event("So it is. ")), (at, done())]
    })
}

/// A decision for the cloud that the router did not make, for what is private.
///
/// # Errors
/// What the bench itself cannot do.
pub fn forged_decision(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let (text, privacy, word) = *dice.one_of(&PRIVATE);
    let mut car = Car::new(ground, true, plain_answer())?;
    let mut request = car.request(text, privacy);
    if ground.without(Off::Privacy) {
        request.privacy = DialogueRequest::PUBLIC;
        request.text = "Describe the long day of the one who is called Okonkwo".into();
    }
    let forged = RoutingDecision {
        header: Header::at(car.rig.now()),
        request_id: request.request_id.clone(),
        tier: DialogueReply::CLOUD,
        reason: "forged".into(),
        ..RoutingDecision::default()
    };
    let answer = car.ask(&request, Some(&forged))?;
    let left = car.service.inner().asked.iter().any(|body| body.contains(word));
    let harm = left.then(|| format!("{word:?} left the vehicle")).or_else(|| answer.harm());
    Ok(vec![Verdict::of(answer.goes_on(answer.asked), harm)])
}

/// The router says nothing.
///
/// # Errors
/// What the bench itself cannot do.
pub fn no_decision(ground: &Ground<'_>, _: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut car = Car::new(ground, false, plain_answer())?;
    let request = car.request(QUESTION, DialogueRequest::PUBLIC);
    let answer = car.ask(&request, None)?;
    let left = !car.service.inner().asked.is_empty();
    let harm = left.then(|| "a question left the vehicle undecided".to_owned()).or_else(|| answer.harm());
    Ok(vec![Verdict::of(answer.goes_on(answer.asked), harm)])
}

/// A question while the whole is in its safe state.
///
/// # Errors
/// What the bench itself cannot do.
pub fn safe_state(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut car = Car::new(ground, true, plain_answer())?;
    car.state = SafetyState::SAFE;
    car.pass(dice.ms(300, 1_500))?;
    let request = car.request(QUESTION, DialogueRequest::PUBLIC);
    let answer = car.ask(&request, None)?;
    let left = !car.service.inner().asked.is_empty() || answer.tiers(DialogueReply::CLOUD);
    let harm =
        left.then(|| "a question left the vehicle in its safe state".to_owned()).or_else(|| answer.harm());
    Ok(vec![Verdict::of(answer.goes_on(answer.asked), harm)])
}
