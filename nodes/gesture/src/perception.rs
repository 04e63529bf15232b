//! One frame through the large networks: the palm detector while there is no hand to follow, else the hand landmarks. Never
//! both in one frame: together they would not fit a frame's time. The palm detector alone nearly fills it, so it runs in pieces, one
//! a frame ([`Network::run_part`]), on the picture of the frame that it began with.
//!
//! The networks are behind [`Network`], so this file is plain control flow and geometry. All memory is taken in
//! [`Perception::new`]; after that this code allocates nothing (the networks' engine may).

use troika_frame::{
    image::ImageView,
    roi::Roi,
    warp::{Affine, Border, Fill},
};
use troika_kit::Fault;

use crate::{config::Config, hand, hand::Hand, palm, palm::Palm, region, store::Network};

/// What one frame showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sight {
    /// There is no hand to follow, and it is not this frame's turn to look for one, or the palm detector is not through yet.
    NotLooked,
    /// Looked for a hand: there is none.
    Nothing,
    /// A palm was found; the next frame looks at its hand.
    Found(Palm),
    /// What was followed is no hand, or is one no more.
    Lost,
    /// The hand that is followed was looked at with the first half of its network; the next frame gives the answer, of this one.
    Halfway,
    /// The hand that is followed.
    Followed(Hand),
}

#[derive(Debug, Clone, Copy)]
enum Next {
    /// Begin to look for a palm after this many frames.
    Search(u32),
    /// Go on to look for a palm in the picture that was taken so many frames ago through this map, of a frame of this size.
    Detect(u32, Affine, [usize; 2]),
    /// Look here for a hand.
    Follow(Roi),
    /// Go on with the hand that was pictured through this map, of a frame of this size.
    Finish(Affine, [usize; 2]),
}

/// The perception of one camera.
pub struct Perception {
    palm: Box<dyn Network>,
    hand: Box<dyn Network>,
    min_palm: f32,
    min_presence: f32,
    search_every: u32,
    decoder: palm::Decoder,
    next: Next,
    /// Where the hand was looked at last.
    region: Roi,
    picture: Vec<f32>,
    regressors: Vec<f32>,
    scores: Vec<f32>,
    points: Vec<f32>,
}

impl Perception {
    /// Takes all memory that it will need.
    pub fn new(config: &Config, palm: Box<dyn Network>, hand: Box<dyn Network>) -> Perception {
        Perception {
            palm,
            hand,
            min_palm: config.min_palm,
            min_presence: config.min_presence,
            search_every: config.search_every,
            decoder: palm::Decoder::default(),
            next: Next::Search(0),
            region: Roi::square([0.0; 2], 0.0, 0.0),
            picture: vec![0.0; hand::SIDE * hand::SIDE * 3],
            regressors: vec![0.0; palm::ANCHORS * palm::COORDINATES],
            scores: vec![0.0; palm::ANCHORS],
            points: vec![0.0; hand::POINTS * 3],
        }
    }

    /// Looks at a frame.
    ///
    /// # Errors
    /// [`Fault::Model`] when a network failed; a hand is then looked for anew.
    pub fn look(&mut self, view: &ImageView<'_>) -> Result<Sight, Fault> {
        self.look_with(view, false)
    }

    /// The same; with `halves` the hand's network is spread over two frames: half the time in each, and half the answers.
    ///
    /// # Errors
    /// As [`Perception::look`].
    pub fn look_with(&mut self, view: &ImageView<'_>, halves: bool) -> Result<Sight, Fault> {
        let size = [view.width(), view.height()];
        // What a failing network leaves behind.
        let next = core::mem::replace(&mut self.next, Next::Search(0));
        match next {
            Next::Follow(roi) if roi.usable(view.width(), view.height()) => {
                self.hand.restart();
                let map = self.photograph_hand(view, &roi);
                self.read(map, size, halves)
            }
            Next::Follow(_) => Ok(Sight::Lost),
            Next::Finish(map, of) if of == size => self.read(map, size, false),
            // Another camera since.
            Next::Finish(..) => Ok(Sight::Lost),
            Next::Search(0) => {
                self.palm.restart();
                let map = self.photograph(view);
                self.search(view, 1, map)
            }
            Next::Detect(frames, map, of) if of == size => self.search(view, frames + 1, map),
            // Another camera since.
            Next::Detect(..) => Ok(Sight::NotLooked),
            Next::Search(frames) => {
                self.next = Next::Search(frames - 1);
                Ok(Sight::NotLooked)
            }
        }
    }

    fn photograph(&mut self, view: &ImageView<'_>) -> Affine {
        let side = palm::SIDE;
        let map = Roi::letterbox(view.width(), view.height()).map(side, side);
        // One sample a pixel: MediaPipe's own way, and its detector was trained on it.
        let fill = Fill { width: side, height: side, range: (0.0, 1.0), border: Border::Black, taps: 1 };
        view.warp_rgb(&map, &fill, &mut self.picture[..side * side * 3]);
        map
    }

    /// Runs the next piece of the palm detector, in the `frames`-th frame since it began.
    fn search(&mut self, view: &ImageView<'_>, frames: u32, map: Affine) -> Result<Sight, Fault> {
        let picture = &self.picture[..palm::SIDE * palm::SIDE * 3];
        if !self.palm.run_part(picture, &mut [&mut self.regressors, &mut self.scores])? {
            self.next = Next::Detect(frames, map, [view.width(), view.height()]);
            return Ok(Sight::NotLooked);
        }
        let palm = self.decoder.decode(&self.regressors, &self.scores, &map, self.min_palm);
        let Some(palm) = palm.filter(|palm| palm.roi().usable(view.width(), view.height())) else {
            self.next = Next::Search(self.search_every.saturating_sub(frames));
            return Ok(Sight::Nothing);
        };
        self.next = Next::Follow(region::of_grid(&palm.roi()));
        Ok(Sight::Found(palm))
    }

    fn photograph_hand(&mut self, view: &ImageView<'_>, roi: &Roi) -> Affine {
        let side = hand::SIDE;
        let map = roi.map(side, side);
        let fill = Fill { width: side, height: side, range: (0.0, 1.0), border: Border::Black, taps: 1 };
        view.warp_rgb(&map, &fill, &mut self.picture[..side * side * 3]);
        self.region = *roi;
        map
    }

    /// Runs the hand's network to its end, or with `half` its next piece.
    fn read(&mut self, map: Affine, size: [usize; 2], half: bool) -> Result<Sight, Fault> {
        let picture = &self.picture[..hand::SIDE * hand::SIDE * 3];
        let (mut presence, mut right) = ([0.0], [0.0]);
        while !self.hand.run_part(picture, &mut [&mut self.points, &mut presence, &mut right])? {
            if half {
                self.next = Next::Finish(map, size);
                return Ok(Sight::Halfway);
            }
        }
        let hand = Hand::decode(&self.points, presence[0], right[0], &map);
        let Some(hand) = hand.filter(|hand| hand.presence >= self.min_presence) else {
            return Ok(Sight::Lost);
        };
        self.next = Next::Follow(region::settle(&self.region, &hand.roi()));
        Ok(Sight::Followed(hand))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A network that counts its runs and sees a palm or a hand in the middle of its picture, or nothing.
    struct Fake {
        runs: Arc<Mutex<Vec<&'static str>>>,
        name: &'static str,
        sees: Arc<Mutex<bool>>,
        part: usize,
    }
    impl Network for Fake {
        fn run_part(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<bool, Fault> {
            self.part = (self.part + 1) % if self.name == "palm" { 3 } else { 2 };
            if self.part == 0 {
                return self.run(input, outputs).map(|()| true);
            }
            self.runs.lock().expect("one thread").push(if self.name == "palm" { "part" } else { "half" });
            Ok(false)
        }

        fn restart(&mut self) {
            self.part = 0;
        }

        fn run(&mut self, _: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
            self.runs.lock().expect("one thread").push(self.name);
            let sees = *self.sees.lock().expect("one thread");
            outputs.iter_mut().for_each(|output| output.fill(0.0));
            if self.name == "palm" {
                outputs[1].fill(-100.0);
                if sees {
                    // The anchor of the middle cell: a palm of 40 pixels, its wrist below, its middle finger above.
                    let anchor = 2 * (12 * 24 + 12);
                    outputs[1][anchor] = 5.0;
                    let numbers = &mut outputs[0][anchor * palm::COORDINATES..];
                    (numbers[2], numbers[3], numbers[5], numbers[9]) = (40.0, 40.0, 20.0, -20.0);
                }
            } else {
                // A hand that fills its region as MediaPipe's fill theirs, so that the next region is the same.
                for (i, point) in outputs[0].chunks_exact_mut(3).enumerate() {
                    let finger = (i as f32 - 1.0) / 4.0;
                    (point[0], point[1]) =
                        if i == 0 { (112.0, 179.2) } else { (72.0 + 20.0 * finger.floor(), 67.2) };
                }
                outputs[1][0] = if sees { 0.99 } else { 0.1 };
            }
            Ok(())
        }
    }

    struct Bench {
        perception: Perception,
        runs: Arc<Mutex<Vec<&'static str>>>,
        palm: Arc<Mutex<bool>>,
        hand: Arc<Mutex<bool>>,
    }

    impl Bench {
        fn new() -> Bench {
            Bench::with(&Config::default())
        }

        fn with(config: &Config) -> Bench {
            let (runs, palm, hand) = (Arc::default(), Arc::default(), Arc::default());
            let fake = |name, sees: &Arc<Mutex<bool>>| {
                Box::new(Fake { runs: Arc::clone(&runs), name, sees: Arc::clone(sees), part: 0 })
            };
            let perception = Perception::new(config, fake("palm", &palm), fake("hand", &hand));
            Bench { perception, runs, palm, hand }
        }

        fn frame(&mut self) -> (Sight, Vec<&'static str>) {
            self.frame_in(false)
        }

        fn frame_in(&mut self, halves: bool) -> (Sight, Vec<&'static str>) {
            let data = vec![100; 320 * 240];
            let view = ImageView::new("mono8", 320, 240, 320, &data).expect("a sound image");
            let sight = self.perception.look_with(&view, halves).expect("no network fails");
            (sight, std::mem::take(&mut *self.runs.lock().expect("one thread")))
        }

        fn sees(&self, palm: bool, hand: bool) {
            *self.palm.lock().expect("one thread") = palm;
            *self.hand.lock().expect("one thread") = hand;
        }
    }

    #[test]
    fn without_a_hand_each_frame_runs_one_piece_of_the_palm_detector() {
        let mut bench = Bench::new();
        let runs: Vec<_> = (0..7).flat_map(|_| bench.frame().1).collect();
        assert_eq!(runs, ["part", "part", "palm", "part", "part", "palm", "part"]);
    }

    #[test]
    fn a_search_may_pause_after_it_found_nothing() {
        let config = Config { search_every: 5, ..Config::default() };
        let mut bench = Bench::with(&config);
        let runs: Vec<usize> = (0..10).map(|_| bench.frame().1.len()).collect();
        assert_eq!(runs, [1, 1, 1, 0, 0, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn a_hand_that_is_followed_needs_no_palm_detector_and_no_frame_runs_both() {
        let mut bench = Bench::new();
        bench.sees(true, true);
        assert_eq!(bench.frame(), (Sight::NotLooked, vec!["part"]));
        assert_eq!(bench.frame(), (Sight::NotLooked, vec!["part"]));
        let (sight, runs) = bench.frame();
        assert!(matches!(sight, Sight::Found(_)), "{sight:?}");
        assert_eq!(runs, ["palm"]);
        for _ in 0..20 {
            let (sight, runs) = bench.frame();
            assert!(matches!(sight, Sight::Followed(_)), "{sight:?}");
            assert_eq!(runs, ["half", "hand"]);
        }
    }

    #[test]
    fn in_halves_a_hand_is_looked_at_over_two_frames() {
        let mut bench = Bench::new();
        bench.sees(true, true);
        for _ in 0..3 {
            bench.frame();
        }
        for _ in 0..3 {
            assert_eq!(bench.frame_in(true), (Sight::Halfway, vec!["half"]));
            let (sight, runs) = bench.frame_in(true);
            assert!(matches!(sight, Sight::Followed(_)), "{sight:?}");
            assert_eq!(runs, ["hand"]);
        }
        // What was begun in halves is ended, and then whole again.
        bench.frame_in(true);
        assert_eq!(bench.frame().1, ["hand"]);
        assert_eq!(bench.frame().1, ["half", "hand"]);
        bench.sees(true, false);
        bench.frame_in(true);
        assert_eq!(bench.frame_in(true).0, Sight::Lost);
    }

    #[test]
    fn a_lost_hand_is_looked_for_at_once() {
        let mut bench = Bench::new();
        bench.sees(true, true);
        for _ in 0..4 {
            bench.frame();
        }
        bench.sees(true, false);
        assert_eq!(bench.frame(), (Sight::Lost, vec!["half", "hand"]));
        let runs: Vec<_> = (0..3).flat_map(|_| bench.frame().1).collect();
        assert_eq!(runs, ["part", "part", "palm"]);
    }

    #[test]
    fn a_camera_of_another_size_is_not_searched_with_the_old_ones_picture() {
        let mut bench = Bench::new();
        bench.sees(true, true);
        bench.frame();
        bench.frame();
        let data = vec![100; 160 * 120];
        let view = ImageView::new("mono8", 160, 120, 160, &data).expect("a sound image");
        assert_eq!(bench.perception.look(&view), Ok(Sight::NotLooked));
        assert!(bench.runs.lock().expect("one thread").is_empty());
        let runs: Vec<_> = (0..3).flat_map(|_| bench.frame().1).collect();
        assert_eq!(runs, ["part", "part", "palm"], "begun anew");
    }

    #[test]
    fn a_palm_that_is_no_hand_is_lost_again() {
        let mut bench = Bench::new();
        bench.sees(true, false);
        bench.frame();
        bench.frame();
        assert!(matches!(bench.frame().0, Sight::Found(_)));
        assert_eq!(bench.frame().0, Sight::Lost);
    }
}
