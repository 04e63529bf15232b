//! The dialogue on the stage: the real router, link estimator and bridge; simulated are the link, how fast the cloud's stand-in is, and the
//! vehicle's model.

use std::sync::Arc;

use anyhow::Context as _;
use troika_bridge::{BridgeConfig, process::with_service, step::BridgeStep};
use troika_dialogue::Situation;
use troika_expert::Expert;
use troika_link::{Coverage, LinkNode};
use troika_router::simulate::{Air, Like, Outcome, Pace, Trace};
use troika_trial::{LinkPlan, case::LinkLike};
use troika_world::{
    air::{AirEdge, Clock},
    cloud::{Service, Sky},
    model::ModelStandIn,
};

use super::stage::Stage;

/// Three in the afternoon, where the vehicle is.
const MINUTE_OF_DAY: u32 = 15 * 60;

/// Starts router, link, bridge and model. What left for the cloud is kept by what is returned.
pub(super) fn start(stage: &mut Stage<'_>, plan: &LinkPlan) -> anyhow::Result<Sky> {
    let outcome = Outcome::built_in();
    let air = air(plan, &outcome, stage.case.drive.seed, stage.case.seconds());
    let (now, begin) = (stage.simulation.reader(), stage.start);
    let clock: Clock = Arc::new(move || now().since(begin).as_secs_f64());
    let link: troika_link::Config = stage.systems.params("link")?;
    stage.spawn(LinkNode::new(&link, Coverage::new(0), AirEdge::new(air.clone(), clock.clone()))?, "link")?;
    stage.start("router")?;
    let [cloud, local] = outcome.asked();
    let pace = |name: &str| outcome.pace(name).with_context(|| format!("the model {name}"));
    stage.spawn(ModelStandIn::new(pace(local)?, &plan.model_answers, &plan.model_goes_on), "model")?;

    let (sky, paced) = (Sky::default(), pace(cloud)?);
    let config: BridgeConfig = stage.systems.params("bridge")?;
    let service = Service {
        sky: sky.clone(),
        air,
        pace: Pace { tokens_per_s: plan.cloud_tokens_per_s.unwrap_or(paced.tokens_per_s), ..paced },
        chance: fastrand::Rng::with_seed(stage.case.drive.seed),
        expert: Expert::default(),
    };
    let here = Situation { east_m: config.east_m, north_m: config.north_m, minute_of_day: MINUTE_OF_DAY };
    let bridge = with_service(&config, service, here, "scripted", 0)?;
    let heard = sky.clone();
    let step = BridgeStep::new(bridge, here, move |_| {
        let now = clock();
        heard.set(now);
        heard.take(now).into_iter().map(|due| (due.stream, due.what, due.traffic)).collect()
    });
    stage.spawn(step, "bridge")?;
    Ok(sky)
}

fn air(plan: &LinkPlan, outcome: &Outcome, seed: u64, seconds: f64) -> Air {
    let like = |like: LinkLike| match like {
        LinkLike::Bus => Like::Bus,
        LinkLike::Ferry => Like::Ferry,
        LinkLike::Metro => Like::Metro,
        LinkLike::Tram => Like::Tram,
    };
    let trace = match (plan.like, plan.mbit) {
        (Some(is), _) => Trace::made(like(is), seed, seconds + 60.0),
        (None, mbit) => Trace::steady(mbit.unwrap_or(1.0)),
    };
    Air::cut(&trace, outcome, plan.cuts_s.iter().map(|[from, to]| (*from, *to)).collect())
}
