//! Where the hand network looks next. Pure.
//!
//! What the network says of a hand depends a little on where its picture was taken, and the next picture is taken where it said the hand
//! is. Without more that loop is chaotic, also for a hand at rest: a difference in the last decimal of a coordinate grew about twofold with
//! each frame, to ten pixels within a second; the points of a resting hand wandered by as much, and whether a quick hand was lost was
//! chance. So the region stays where it is while the hand is well within it, and when it has to move it goes to a place of a grid: a
//! difference much smaller than the grid's is forgotten there, not handed on.

use core::f32::consts::{PI, TAU};

use troika_frame::roi::{self, Roi};

/// The region stays while the hand's own one is centred within this share of its side, …
const OFF_CENTRE: f32 = 1.0 / 40.0;
/// … is this many times as large at most, or that much smaller, …
const LARGER: f32 = 1.045;
/// … and is turned by no more than this, radians (2.2 degrees).
const TURNED: f32 = 0.0385;

/// Sides that are looked at: so many in each doubling. The nearest is off by 3 % at most.
const SIDES: f32 = 12.0;
/// Places of a centre, in each direction, within one side.
const PLACES: f32 = 32.0;
/// Angles in a whole turn.
const ANGLES: f32 = 144.0;

/// The region of the next frame: `last` where that will do for a hand whose own region is `wanted`, else one of the grid.
pub fn settle(last: &Roi, wanted: &Roi) -> Roi {
    if holds(last, wanted) { *last } else { of_grid(wanted) }
}

/// The region of the grid that is nearest.
pub fn of_grid(wanted: &Roi) -> Roi {
    let side = ((wanted.size[0].log2() * SIDES).round() / SIDES).exp2();
    let (step, turn) = (side / PLACES, TAU / ANGLES);
    let centre = wanted.centre.map(|n| (n / step).round() * step);
    Roi::square(centre, side, (wanted.angle / turn).round() * turn)
}

/// Whether `last` will do for `wanted`; not when that is no number.
fn holds(last: &Roi, wanted: &Roi) -> bool {
    let larger = wanted.size[0] / last.size[0];
    let turned = (wanted.angle - last.angle).rem_euclid(TAU);
    roi::distance(last.centre, wanted.centre) <= OFF_CENTRE * last.size[0]
        && (1.0 / LARGER..=LARGER).contains(&larger)
        && PI - (turned - PI).abs() <= TURNED
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rois() -> impl Strategy<Value = Roi> {
        ((0.0..640.0_f32, 0.0..480.0_f32), 30.0..900.0_f32, -PI..PI)
            .prop_map(|((x, y), side, angle)| Roi::square([x, y], side, angle))
    }

    #[test]
    fn the_region_of_a_resting_hand_stays_and_that_of_a_moving_one_goes_with_it() {
        let first = of_grid(&Roi::square([300.0, 200.0], 260.0, 0.2));
        let mut region = first;
        for frame in 0..60_u8 {
            let off = f32::from(frame % 7) / 6.0 - 0.5;
            region =
                settle(&region, &Roi::square([300.0 + off, 200.0 - off], 260.0 + off, 0.2 + off / 100.0));
        }
        assert_eq!(region, first);
        for frame in 0..60_u8 {
            let hand = Roi::square([300.0 + 4.0 * f32::from(frame), 200.0], 260.0, 0.2);
            region = settle(&region, &hand);
            assert!(roi::distance(region.centre, hand.centre) <= 0.05 * 260.0, "{frame}: {region:?}");
        }
    }

    #[test]
    fn a_turn_over_the_end_of_the_circle_is_a_small_one() {
        let last = Roi::square([300.0, 200.0], 260.0, PI - 0.01);
        assert_eq!(settle(&last, &Roi { angle: 0.01 - PI, ..last }), last);
        assert_ne!(settle(&last, &Roi { angle: 0.3 - PI, ..last }), last);
    }

    #[test]
    fn what_is_no_number_is_no_region() {
        let last = Roi::square([300.0, 200.0], 260.0, 0.0);
        for wanted in [
            Roi { centre: [f32::NAN, 200.0], ..last },
            Roi::square([300.0, 200.0], f32::NAN, 0.0),
            Roi::square([300.0, 200.0], 0.0, 0.0),
            Roi { angle: f32::NAN, ..last },
        ] {
            assert!(!settle(&last, &wanted).usable(640, 480), "{wanted:?}");
        }
    }

    #[test]
    fn hands_a_thousandth_of_a_pixel_apart_are_looked_at_in_one_place_but_for_one_in_a_thousand() {
        let mut apart = 0;
        for i in 0..10_000_u16 {
            let part = |prime: f32| (f32::from(i) * prime).fract();
            let hand = Roi::square(
                [640.0 * part(0.618_03), 480.0 * part(0.414_21)],
                100.0 + 300.0 * part(0.732_05),
                6.0 * part(0.236_07) - 3.0,
            );
            let other = Roi { centre: hand.centre.map(|n| n + 1e-3), ..hand };
            apart += u16::from(of_grid(&hand) != of_grid(&other));
        }
        assert!(apart <= 10, "{apart} of 10000");
    }

    proptest! {
        #[test]
        fn a_region_of_the_grid_holds_for_what_it_was_made_of(hand in rois()) {
            prop_assert!(holds(&of_grid(&hand), &hand));
        }

        #[test]
        fn a_region_is_never_far_from_the_hand(last in rois(), hand in rois()) {
            prop_assert!(holds(&settle(&last, &hand), &hand));
        }
    }
}
