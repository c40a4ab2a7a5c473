//! What the recorded moments of a workload say of the page and of the server.

use grader::wire::{Moment, Place, What};

/// For how long a page has shown what is out of date, over a stretch of time.
///
/// From the moment at which a price moves until the page shows the new one, or a newer one, it is behind: at first by
/// nothing, a second later by a second. Times are in milliseconds.
pub(super) struct Behind {
    lasted: u64,
    /// What it was behind by: from so much to so much, each value for as long as any other.
    spells: Vec<(u64, u64)>,
    /// Until when it was behind the updates so far.
    until: u64,
}

impl Behind {
    /// Over a stretch that begins at 0.
    pub(super) fn new(lasted: u64) -> Self {
        Self { lasted, spells: Vec::new(), until: 0 }
    }

    /// The next update, and when it or a newer one was shown.
    pub(super) fn of_update(&mut self, published: u64, known: u64) {
        // Behind an older update already: by more than this one says.
        let begins = published.max(self.until);
        let ends = known.min(self.lasted);
        if begins < ends {
            self.spells.push((begins - published, ends - published));
            self.until = ends;
        }
    }

    /// For how long it was behind, at most, in so many of a hundred moments.
    pub(super) fn longest_of(&self, percent: u64) -> u64 {
        let behind: u64 = self.spells.iter().map(|(from, to)| to - from).sum();
        let up_to_date = self.lasted.saturating_sub(behind);
        let wanted = self.lasted * percent / 100;
        let within = |longest: u64| {
            let part = self.spells.iter().map(|(from, to)| longest.clamp(*from, *to) - from).sum::<u64>();
            up_to_date + part >= wanted
        };
        let (mut low, mut high) = (0, self.spells.iter().map(|(_, to)| *to).max().unwrap_or(0));
        while low < high {
            let middle = (low + high) / 2;
            if within(middle) { high = middle } else { low = middle + 1 }
        }
        low
    }
}

/// How often the server sent something: heads of answers (most with their bodies), events, messages, heartbeats.
pub(super) fn server_writes<'a>(moments: impl Iterator<Item = &'a Moment>) -> u64 {
    let sent = moments.filter(|moment| {
        moment.place == Place::ToClient
            && matches!(
                moment.what,
                What::Response { .. } | What::Event { .. } | What::Comment | What::Message(_) | What::Ping
            )
    });
    sent.count() as u64
}

/// For how long requests were open from 0 to `lasted`, all together.
pub(super) fn held(moments: &[Moment], clock: impl Fn(&Moment) -> u64, lasted: u64) -> u64 {
    let mut open: Vec<(Option<u32>, u64)> = Vec::new();
    let mut held = 0;
    let mut close = |began: u64, ended: u64| held += ended.min(lasted).saturating_sub(began);
    for moment in moments {
        let ends = match &moment.what {
            What::Request { .. } => {
                open.push((moment.exchange, clock(moment)));
                false
            }
            // An answer comes with all of its body, and is over, unless it is a stream or the door to one.
            What::Response { status, content_type, .. } => {
                *status != 101 && content_type.as_deref() != Some("text/event-stream")
            }
            What::End | What::Abort | What::Cut => true,
            _ => false,
        };
        if ends && let Some(at) = open.iter().position(|(exchange, _)| *exchange == moment.exchange) {
            close(open.swap_remove(at).1, clock(moment));
        }
    }
    for (_, began) in open {
        close(began, lasted);
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use grader::wire::Transcript;

    #[test]
    fn a_page_is_behind_from_the_first_update_that_it_does_not_know() {
        let mut behind = Behind::new(1_000);
        assert_eq!(behind.longest_of(99), 0);
        // Two updates, both known at 500: behind from 100 to 500, by up to 400.
        behind.of_update(100, 500);
        behind.of_update(300, 500);
        // Up to date for 600 of 1 000.
        assert_eq!([50, 60, 80, 90, 100].map(|percent| behind.longest_of(percent)), [0, 0, 200, 300, 400]);
        // Not known before the end.
        behind.of_update(900, 5_000);
        assert_eq!(behind.longest_of(50), 0);
        assert_eq!(behind.longest_of(100), 400);
    }

    #[test]
    fn an_update_that_overtakes_is_counted_once() {
        let mut behind = Behind::new(100);
        behind.of_update(10, 40);
        // It came while the page was behind, and took longer.
        behind.of_update(30, 60);
        // By 0 to 30, and then from 10 to 30: 50 of 100 in all.
        assert_eq!([50, 60, 70, 100].map(|percent| behind.longest_of(percent)), [0, 10, 15, 30]);
    }

    const TOLD: &str = "\
     0 ms  client → server  #1 GET /a
    10 ms  server → client  #1 304
    20 ms  client → server  #2 GET /stream
    30 ms  server → client  #2 200 text/event-stream
    40 ms  server → client  #2 event message · \"x\"
    50 ms  server → client  #2 comment
    60 ms  network          #2 cut
    80 ms  client → server  #3 GET /floor
    90 ms  server → client  #3 101
    95 ms  server → client  #3 message {}
";

    #[test]
    fn what_a_server_holds_and_sends_is_counted() {
        let told: Transcript = TOLD.parse().unwrap();
        let clock = |moment: &Moment| match moment.when {
            grader::wire::When::At(at) | grader::wire::When::Within(at, _) => at,
        };
        assert_eq!(server_writes(told.moments.iter()), 6);
        assert_eq!(held(&told.moments, clock, 100), 10 + 40 + 20);
        assert_eq!(held(&told.moments, clock, 50), 10 + 30);
    }
}
