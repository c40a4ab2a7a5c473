//! `cargo lab compare 3`: the student's files beside the solution's.

use diffy::{DiffOptions, Line};

use crate::paint::{self, Paint, say};
use crate::repo::{Lab, Repo, plain};
use crate::report::Report;
use crate::sentence::{Result, Sentence};

/// Each side needs this many columns to be read with ease.
const NARROWEST: usize = 40;

/// Prints the differences, once the lab passes or with `spoil`.
pub(crate) fn compare(repo: &Repo, lab: &Lab, spoil: bool, paint: Paint) -> Result<()> {
    if !spoil {
        refuse_before_passing(repo, lab)?;
    }
    let yours = plain(&lab.files()?);
    let solved = lab.solved()?;
    let columns = paint::columns();
    let mut same = Vec::new();
    for (name, theirs) in &solved {
        let Some(yours) = yours.get(name) else {
            say!("{}", paint.bold(name));
            say!("  only the solution has this file\n");
            continue;
        };
        if yours == theirs {
            same.push(name.as_str());
            continue;
        }
        say!("{}", paint.bold(name));
        match (std::str::from_utf8(yours), std::str::from_utf8(theirs)) {
            (Ok(yours), Ok(theirs)) => match columns {
                Some(columns) if columns >= 2 * NARROWEST + 3 => {
                    paint::print(side_by_side(yours, theirs, columns, paint));
                }
                _ => paint::print(unified(yours, theirs, name, paint)),
            },
            _ => say!("  these are not text, and differ"),
        }
        say!("");
    }
    for name in yours.keys().filter(|name| !solved.contains_key(*name)) {
        say!("{}", paint.bold(name));
        say!("  only you have this file\n");
    }
    if !same.is_empty() {
        say!("{}", paint.dim(format!("the same: {}", same.join(", "))));
    }
    Ok(())
}

fn refuse_before_passing(repo: &Repo, lab: &Lab) -> Result<()> {
    let number = lab.number;
    let instead = format!(
        "`cargo lab hint {number}.1` helps without giving it away; `cargo lab compare {number} \
         --spoil` shows the solution now."
    );
    match Report::read(&repo.report(lab)) {
        Some(report) if report.passes() => Ok(()),
        Some(report) => Err(Sentence::new(format!(
            "Lab {number} is not done yet ({} of {}), and a solution can be seen for the first \
             time only once. {instead}",
            report.done, report.total
        ))),
        None => Err(Sentence::new(format!(
            "Lab {number} has not been graded yet: `cargo test -p {}` does it. {instead}",
            lab.package()
        ))),
    }
}

fn unified(yours: &str, theirs: &str, name: &str, paint: Paint) -> String {
    let diff = crate::diff::unified(yours, theirs, &format!("yours/{name}"), &format!("solution/{name}"));
    let mut text = String::new();
    for line in diff.lines() {
        let line = match line.as_bytes().first() {
            Some(b'-') => paint.bad(line),
            Some(b'+') => paint.good(line),
            Some(b'@') => paint.dim(line),
            _ => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The differing parts in two columns: yours to the left, the solution's to the right.
fn side_by_side(yours: &str, theirs: &str, columns: usize, paint: Paint) -> String {
    let width = (columns - 3) / 2;
    let mut text = String::new();
    let mut row = |left: &str, mark: char, right: &str| {
        let left = fold(left, width);
        let right = fold(right, width);
        for line in 0..left.len().max(right.len()) {
            let left = format!("{:<width$}", left.get(line).map_or("", String::as_str));
            let right = right.get(line).map_or("", String::as_str);
            let line = match mark {
                ' ' => format!("{left} {} {right}", paint.dim('│')),
                _ => format!("{} {mark} {}", paint.bad(left), paint.good(right)),
            };
            text.push_str(line.trim_end());
            text.push('\n');
        }
    };
    row("yours", ' ', "the solution");
    let patch = DiffOptions::new().set_context_len(3).create_patch(yours, theirs);
    for hunk in patch.hunks() {
        row(
            &format!("─ line {} ", hunk.old_range().start()),
            ' ',
            &format!("─ line {} ", hunk.new_range().start()),
        );
        // Removed and added lines of one place stand beside each other.
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for line in hunk.lines().iter().copied().map(Some).chain([None]) {
            match line {
                Some(Line::Delete(line)) => left.push(line),
                Some(Line::Insert(line)) => right.push(line),
                same => {
                    for place in 0..left.len().max(right.len()) {
                        match (left.get(place), right.get(place)) {
                            (Some(left), Some(right)) => row(left, '|', right),
                            (Some(left), None) => row(left, '<', ""),
                            (None, Some(right)) => row("", '>', right),
                            (None, None) => {}
                        }
                    }
                    left.clear();
                    right.clear();
                    if let Some(Line::Context(line)) = same {
                        row(line, ' ', line);
                    }
                }
            }
        }
    }
    text
}

/// A line in pieces of a width, broken after a blank where there is one, so that nothing is cut off.
fn fold(line: &str, width: usize) -> Vec<String> {
    let line = line.trim_end_matches(['\n', '\r']).replace('\t', "    ");
    let characters: Vec<char> = line.chars().collect();
    let mut rest = characters.as_slice();
    let mut pieces = Vec::new();
    while rest.len() > width {
        let blank = rest[width / 2..width].iter().rposition(|&c| c == ' ');
        let (piece, after) = rest.split_at(blank.map_or(width, |place| width / 2 + place + 1));
        pieces.push(piece.iter().collect());
        rest = after;
    }
    pieces.push(rest.iter().collect());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_by_side_keeps_to_the_width_and_shows_every_character() {
        let long = "x".repeat(130);
        let text = side_by_side(
            &format!("a\nmine\n{long}\n"),
            &format!("a\ntheirs\n{long}\nmore\n"),
            100,
            Paint::new(crate::paint::Color::Never),
        );
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?} columns in\n{text}");
        assert_eq!(text.matches('x').count(), 260, "nothing is cut:\n{text}");
        let changed = text.lines().find(|line| line.starts_with("mine"));
        assert!(
            changed.is_some_and(|line| line.ends_with("| theirs")),
            "a changed line stands beside its other:\n{text}"
        );
    }
}
