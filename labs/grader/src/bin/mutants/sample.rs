//! A part of the mutants, drawn from a seed that is said, so that it can be drawn again.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many are drawn, and from what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    number: usize,
    /// The seed.
    pub(crate) seed: u64,
}

impl Sample {
    /// So many, from this seed or from the time.
    pub(crate) fn new(number: usize, seed: Option<u64>) -> Self {
        let now = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            // Short enough to be typed.
            since.as_millis() as u64 % 1_000_000
        };
        Self { number, seed: seed.unwrap_or_else(now) }
    }

    /// The places that are drawn, of so many.
    pub(crate) fn draw(self, of: usize) -> BTreeSet<usize> {
        let mut state = self.seed;
        let mut places: Vec<_> = (0..of).collect();
        // Fisher and Yates, as far as is needed.
        for at in 0..self.number.min(of) {
            let other = at + (splitmix(&mut state) % (of - at) as u64) as usize;
            places.swap(at, other);
        }
        places.into_iter().take(self.number).collect()
    }
}

/// SplitMix64.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| Sample::new(20, Some(seed)).draw(1000);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8), "another seed draws others");
        assert_eq!(draw(7).len(), 20, "each once");
        assert_eq!(Sample::new(20, Some(7)).draw(3), BTreeSet::from([0, 1, 2]), "or all there are");
    }
}
