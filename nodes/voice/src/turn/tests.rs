use super::*;

const FRAME: Duration = Duration::from_millis(32);

/// A speaker, frame by frame, with a decoder that takes its time and hears the number of the frame that it was asked at.
struct Room {
    turn: Turn<u64>,
    frame: u64,
    silent: usize,
    patience: usize,
    takes: u64,
    progress: Progress,
    decoding: VecDeque<(u64, u64)>,
    free_at: u64,
    said: Vec<(u64, Act<u64>)>,
}

impl Room {
    fn new(takes: u64, progress: Progress) -> Room {
        let turn = Turn::new(Pace::default());
        let patience = Pace::default().usual;
        Room {
            turn,
            frame: 0,
            silent: 0,
            patience,
            takes,
            progress,
            decoding: VecDeque::new(),
            free_at: 0,
            said: Vec::new(),
        }
    }

    fn now(&self) -> Time {
        Time::from_nanos(self.frame * FRAME.as_nanos() as u64)
    }

    fn act(&mut self, acts: Vec<Act<u64>>) {
        for act in acts {
            match act {
                Act::Decode(id) => {
                    self.free_at = self.free_at.max(self.frame) + self.takes;
                    self.decoding.push_back((id, self.free_at));
                }
                Act::Cancel(id) => {
                    self.decoding.retain(|(other, _)| *other != id);
                    self.free_at = self.decoding.back().map_or(self.frame, |last| last.1);
                }
                Act::Patience(frames) => self.patience = frames,
                Act::Partial(_) | Act::Final(_) | Act::Lost => self.said.push((self.frame, act)),
            }
        }
    }

    fn step(&mut self, seen: Option<bool>) {
        self.frame += 1;
        while let Some((id, at)) = self.decoding.front().copied().filter(|(_, at)| *at <= self.frame) {
            self.decoding.pop_front();
            let took = FRAME * u32::try_from(self.takes).expect("small");
            let acts = self.turn.heard(self.now(), id, at - self.takes, took, self.progress);
            self.act(acts);
        }
        let Some(voice) = seen else { return };
        self.silent = if voice { 0 } else { self.silent + 1 };
        let over = self.silent >= self.patience;
        let seen = Seen { speaking: !over, silent_frames: self.silent, over };
        let acts = self.turn.frame(self.now(), seen);
        self.act(acts);
        if over {
            self.silent = 0;
        }
    }

    /// Speaks for so many frames, and then nothing until the utterance is over; gives the frames of silence that it took.
    fn says(&mut self, frames: u64) -> u64 {
        (0..frames).for_each(|_| self.step(Some(true)));
        self.pause()
    }

    fn pause(&mut self) -> u64 {
        let begin = self.frame;
        loop {
            self.step(Some(false));
            if self.silent == 0 {
                return self.frame - begin;
            }
        }
    }

    fn quiet(&mut self, frames: u64) {
        (0..frames).for_each(|_| self.step(None));
    }

    fn finals(&self) -> Vec<u64> {
        self.said.iter().filter_map(|(at, act)| matches!(act, Act::Final(_)).then_some(*at)).collect()
    }

    fn partials(&self) -> usize {
        self.said.iter().filter(|(_, act)| matches!(act, Act::Partial(_))).count()
    }
}

#[test]
fn the_words_come_so_long_after_the_first_pause_as_decoding_takes() {
    // 20 frames of work: 640 ms. One after the other it would be 13 + 20.
    let mut room = Room::new(20, Progress::Whole);
    room.says(15);
    room.quiet(30);
    assert_eq!(room.finals(), [15 + 6 + 20]);
}

#[test]
fn a_whole_command_ends_early_and_a_sentence_that_breaks_off_gets_time() {
    for (progress, frames) in [(Progress::Whole, 10), (Progress::Open, 13), (Progress::BrokenOff, 22)] {
        let mut room = Room::new(2, progress);
        assert_eq!(room.says(15), frames, "{progress:?}");
        assert_eq!(room.finals(), [15 + frames]);
    }
}

#[test]
fn words_that_are_there_at_once_do_not_take_an_older_utterances_place() {
    let mut turn = Turn::new(Pace::default());
    let over = Seen { speaking: false, silent_frames: 0, over: true };
    let decoded = |acts: &[Act<&str>]| {
        acts.iter().find_map(|act| if let Act::Decode(id) = act { Some(*id) } else { None }).expect("decoded")
    };
    let at = |frames: u32| Time::ZERO + FRAME * frames;
    let none = Duration::ZERO;
    // The driver's, whose decoding takes long.
    turn.frame(at(1), Seen { speaking: true, silent_frames: 0, over: false });
    let first = decoded(&turn.frame(at(2), over));
    // Somebody else's, of which nothing is decoded: its words, none, are there before it is over.
    turn.frame(at(3), Seen { speaking: true, silent_frames: 0, over: false });
    let pause = Pace::default().guess;
    let second = decoded(&turn.frame(at(4), Seen { speaking: true, silent_frames: pause, over: false }));
    turn.heard(at(5), second, "", none, Progress::Whole);
    assert!(!turn.frame(at(6), over).iter().any(|act| matches!(act, Act::Final(_))));
    let finals = turn.heard(at(40), first, "open the window", none, Progress::Whole);
    assert_eq!(finals, [Act::Final("open the window"), Act::Final("")]);
}

#[test]
fn whoever_goes_on_after_a_pause_is_heard_to_the_end() {
    let mut room = Room::new(4, Progress::BrokenOff);
    (0..15).for_each(|_| room.step(Some(true)));
    (0..12).for_each(|_| room.step(Some(false)));
    (0..15).for_each(|_| room.step(Some(true)));
    room.pause();
    let finals: Vec<_> = room.said.iter().filter(|(_, act)| matches!(act, Act::Final(_))).collect();
    // Decoded anew at the second pause, with all of it.
    assert_eq!(finals.len(), 1);
    assert_eq!(finals[0].1, Act::Final(15 + 12 + 15 + 6));
}

#[test]
fn partials_come_while_somebody_speaks_and_never_hold_up_the_final() {
    let with = |every| {
        let mut room = Room::new(20, Progress::Whole);
        room.turn.pace.partial_every = every;
        room.says(100);
        room.quiet(40);
        (room.partials(), room.finals())
    };
    let (some, finals) = with(Some(Duration::from_millis(700)));
    let (none, without) = with(None);
    assert!(some >= 2, "{some}");
    assert_eq!(none, 0);
    assert_eq!(finals, without);
}

#[test]
fn a_slow_core_gets_fewer_partials() {
    let partials = |takes| {
        let mut room = Room::new(takes, Progress::Open);
        room.says(300);
        room.partials()
    };
    assert!(partials(60) < partials(5) / 2, "{} {}", partials(60), partials(5));
}

#[test]
fn utterances_that_come_faster_than_they_are_decoded_keep_their_order_and_what_is_too_much_is_lost() {
    let mut room = Room::new(100, Progress::Whole);
    let spoken = 12;
    for _ in 0..spoken {
        room.says(10);
    }
    room.quiet(2_000);
    let lost = room.said.iter().filter(|(_, act)| *act == Act::Lost).count();
    let heard: Vec<u64> = room
        .said
        .iter()
        .filter_map(|(_, act)| if let Act::Final(at) = act { Some(*at) } else { None })
        .collect();
    assert_eq!(heard.len() + lost, spoken);
    assert!(heard.len() >= MOST_WAITING && lost > 0, "{} {lost}", heard.len());
    assert!(heard.is_sorted());
}

#[test]
fn words_tell_how_far_a_sentence_has_come() {
    let progress = |text| super::progress(Matcher::english(), text);
    assert_eq!(progress("Open the window."), Progress::Whole);
    assert_eq!(progress("Yes."), Progress::Whole);
    assert_eq!(progress("Open the window and"), Progress::BrokenOff);
    assert_eq!(progress("Navigate to"), Progress::BrokenOff);
    assert_eq!(progress("Set the..."), Progress::BrokenOff);
    assert_eq!(progress("What is the capital of France?"), Progress::Open);
    assert_eq!(progress(""), Progress::Open);
}
