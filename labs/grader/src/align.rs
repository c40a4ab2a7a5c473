//! Where two transcripts agree, and where they part.

use wire::{Moment, When};

/// How many moments of two lists come before they meet again, the fewest in all; nothing if they never do.
pub(crate) fn meet(left: &[Moment], right: &[Moment]) -> Option<(usize, usize)> {
    (0..left.len() + right.len())
        .flat_map(|sum| (0..=sum).map(move |from_left| (from_left, sum - from_left)))
        .find(|&(l, r)| l < left.len() && r < right.len() && left[l] == right[r])
}

/// Two transcripts side by side: pairs of moments that are the same, and between them, in the order of their times,
/// moments that only one of them has. Each moment is told by its index.
pub fn align(left: &[Moment], right: &[Moment]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut rows = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        let (from_left, from_right) =
            meet(&left[l..], &right[r..]).unwrap_or((left.len() - l, right.len() - r));
        let (until_left, until_right) = (l + from_left, r + from_right);
        while l < until_left || r < until_right {
            let is_left = r == until_right || l < until_left && begins(&left[l]) <= begins(&right[r]);
            if is_left {
                rows.push((Some(l), None));
                l += 1;
            } else {
                rows.push((None, Some(r)));
                r += 1;
            }
        }
        if l < left.len() && r < right.len() {
            rows.push((Some(l), Some(r)));
            l += 1;
            r += 1;
        }
    }
    rows
}

fn begins(moment: &Moment) -> u64 {
    match moment.when {
        When::At(time) | When::Within(time, _) => time,
    }
}

#[cfg(test)]
mod tests {
    use wire::Transcript;

    use super::*;

    fn rows(left: &str, right: &str) -> Vec<(Option<usize>, Option<usize>)> {
        let moments = |words: &str| {
            let lines = words.split_whitespace().map(|word| {
                let (time, note) = word.split_once(':').unwrap();
                format!("{time:>6} ms  note             {note}\n")
            });
            Transcript::parse(&lines.collect::<String>()).unwrap().moments
        };
        align(&moments(left), &moments(right))
    }

    #[test]
    fn what_is_the_same_stands_side_by_side() {
        assert_eq!(rows("1:a 2:b", "1:a 2:b"), [(Some(0), Some(0)), (Some(1), Some(1))]);
        assert_eq!(rows("", ""), []);
    }

    #[test]
    fn what_is_missing_or_too_much_stands_alone_and_they_meet_again() {
        assert_eq!(
            rows("1:a 2:b 3:c", "1:a 3:c 4:d"),
            [(Some(0), Some(0)), (Some(1), None), (Some(2), Some(1)), (None, Some(2))]
        );
    }

    #[test]
    fn where_they_never_meet_again_the_earlier_comes_first() {
        assert_eq!(
            rows("1:a 5:b 9:c", "1:a 4:b 7:c"),
            [(Some(0), Some(0)), (None, Some(1)), (Some(1), None), (None, Some(2)), (Some(2), None)]
        );
    }
}
