//! Transcripts drawn for the page, with the one drawing there is.

use grader::{
    align,
    wire::{
        Moment, Transcript, When,
        draw::{self, Drawing},
    },
};
use serde::Serialize;

use crate::rooms::Room;

/// More moments than these are neither compared nor drawn: a storm has thousands.
const LONGEST: usize = 400;
/// Of two transcripts, what is shown before the first difference and from there on, in rows.
const BEFORE: usize = 8;
const FROM_THERE: usize = 24;

/// A transcript, drawn.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// The drawing, an `svg` element.
    pub svg: String,
    /// The same in words, an `ol` element.
    pub list: String,
}

/// Two transcripts of the same scene.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// What should have happened.
    pub expected: Drawn,
    /// What did.
    pub yours: Drawn,
    /// What a `<wire-player>` plays: a line for each row, with the milliseconds between which it happens and its words.
    pub score: String,
    /// A line for each row: the index of its moment in either drawing, or `-`.
    pub rows: String,
    /// How many rows before these are left out: both transcripts have them.
    pub before: usize,
    /// How many rows after these are left out.
    pub after: usize,
}

/// Draws a transcript. `id` begins the `id`s in the drawing, `title` is its name.
///
/// # Errors
/// A sentence, where the text is no transcript.
pub fn picture(text: &str, id: &str, title: &str) -> Result<Drawn, String> {
    Ok(drawn(&read(text)?, id, title))
}

/// Draws two transcripts around the first place where they part.
///
/// # Errors
/// A sentence, where a text is no transcript.
pub fn pair(expected: &str, yours: &str, id: &str) -> Result<Pair, String> {
    let (expected, yours) = (read(expected)?, read(yours)?);
    let all = align(&expected.moments, &yours.moments);
    let first = all.iter().position(|row| row.0.is_none() || row.1.is_none()).unwrap_or(all.len());
    let before = first.saturating_sub(BEFORE);
    let shown = &all[before..all.len().min(first + FROM_THERE)];
    let part = |moments: &[Moment], indexes: Vec<usize>| match indexes[..] {
        [first, .., last] => Transcript { moments: moments[first..=last].to_vec() },
        [only] => Transcript { moments: vec![moments[only].clone()] },
        [] => Transcript::default(),
    };
    let expected = part(&expected.moments, shown.iter().filter_map(|row| row.0).collect());
    let yours = part(&yours.moments, shown.iter().filter_map(|row| row.1).collect());
    let words = [&expected, &yours].map(|transcript| draw::words(transcript, &draw::Labels::default()));
    let (mut score, mut rows) = (Vec::new(), Vec::new());
    let (mut l, mut r) = (0, 0);
    for row in shown {
        let (moment, says) = match row {
            (Some(_), Some(_)) => (&yours.moments[r], words[1][r].clone()),
            (Some(_), None) => (&expected.moments[l], format!("Expected only: {}", words[0][l])),
            (None, _) => (&yours.moments[r], format!("Yours only: {}", words[1][r])),
        };
        let (from, to) = match moment.when {
            When::At(time) => (time, time),
            When::Within(from, to) => (from, to),
        };
        // Backticks mark code in a score.
        score.push(format!("{from} {to} {}", says.replace('`', "'")));
        let index = |is_there: bool, next: &mut usize| {
            *next += usize::from(is_there);
            if is_there { (*next - 1).to_string() } else { "-".to_owned() }
        };
        rows.push(format!("{} {}", index(row.0.is_some(), &mut l), index(row.1.is_some(), &mut r)));
    }
    Ok(Pair {
        expected: drawn(&expected, &format!("{id}-expected"), "Expected"),
        yours: drawn(&yours, &format!("{id}-yours"), "Yours"),
        score: score.join("\n"),
        rows: rows.join("\n"),
        before,
        after: all.len() - before - shown.len(),
    })
}

/// The client of a lab's solution.
///
/// # Errors
/// A sentence, where there is no such lab.
pub fn solution(lab: &str) -> Result<&'static str, String> {
    Ok(Room::named(lab)?.client)
}

fn read(text: &str) -> Result<Transcript, String> {
    let mut transcript =
        Transcript::parse(text).map_err(|error| format!("What is to be drawn is no transcript: {error}."))?;
    transcript.moments.truncate(LONGEST);
    Ok(transcript)
}

fn drawn(transcript: &Transcript, id: &str, title: &str) -> Drawn {
    let drawing = Drawing { id: id.to_owned(), title: title.to_owned(), ..Drawing::default() };
    Drawn { svg: draw::svg(transcript, &drawing), list: draw::list(transcript, &drawing.labels) }
}
