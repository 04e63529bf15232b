//! Contracts at the edges of their numbers.

use std::time::Duration;

use troika_kit::{Class, Contract, ContractSpec, Wake, contract::ContractError};

const CAMERA: Contract = Contract::new(ContractSpec {
    node: "driver_state",
    wake: Wake::Input("image"),
    period: Duration::from_millis(33),
    deadline: Duration::from_millis(33),
    budget: Duration::from_millis(25),
    class: Class::Hard,
    requirements: &[troika_safety::SR_TIM_001],
});

#[test]
fn each_number_may_become_smaller_or_stay_and_no_more() {
    troika_safety::verifies![SR_TIM_016];
    let ms = Duration::from_millis;
    let over = |number: u64| ms(number) + Duration::from_nanos(1);
    for (tightened, number) in [
        (CAMERA.tighten(Some(over(33)), None, None), "period"),
        (CAMERA.tighten(None, Some(over(33)), None), "deadline"),
        (CAMERA.tighten(None, None, Some(over(25))), "budget"),
    ] {
        assert_eq!(tightened.err(), Some(ContractError::Loosened(number)));
    }
    let same = CAMERA.tighten(Some(ms(33)), Some(ms(33)), Some(ms(25))).expect("the same");
    assert_eq!((same.spec().period, same.spec().deadline, same.spec().budget), (ms(33), ms(33), ms(25)));
    assert_eq!((same.spec().node, same.spec().wake), ("driver_state", Wake::Input("image")));
    let all = CAMERA.tighten(Some(ms(20)), Some(ms(20)), Some(ms(20))).expect("all of it at most");
    assert_eq!((all.spec().period, all.spec().deadline, all.spec().budget), (ms(20), ms(20), ms(20)));
}

#[test]
fn a_contract_without_time_to_work_or_with_a_deadline_behind_its_period_is_unsound() {
    troika_safety::verifies![SR_TIM_001];
    let ms = Duration::from_millis;
    for unsound in [
        CAMERA.tighten(None, None, Some(Duration::ZERO)),
        CAMERA.tighten(Some(ms(30)), None, None),
        CAMERA.tighten(None, Some(ms(24)), None),
    ] {
        assert_eq!(unsound.err(), Some(ContractError::Unsound));
    }
}

#[test]
fn lateness_is_bounded_whatever_the_period() {
    troika_safety::verifies![SR_TIM_002];
    let of = |ms: u64| {
        let time = Duration::from_millis(ms);
        let contract =
            Contract::new(ContractSpec { period: time, deadline: time, budget: time, ..*CAMERA.spec() });
        (contract.late_after().as_millis(), contract.too_late_after().as_millis())
    };
    assert_eq!([10, 25, 100, 1_000].map(of), [(2, 10), (5, 25), (5, 50), (5, 50)]);
}
