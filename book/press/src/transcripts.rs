//! Transcripts: a fence with the notation in it becomes a drawing, its caption, and the same as a list.

use crate::facts::TECHNIQUES;
use crate::fences::{Fence, Info, listed};
use crate::labels::Labels;
use crate::markdown;
use wire::draw::{self, Drawing};
use wire::{Transcript, What};

/// What may stand behind a `transcript` fence. `file` is written by press, not by authors.
pub(crate) const OPTIONS: [&str; 8] =
    ["title", "id", "from", "technique", "lines", "scene", "player", "file"];

/// The fewest moments that are worth playing.
const WORTH_PLAYING: usize = 3;

/// A transcript, or the part of one that is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) info: Info,
    pub(crate) transcript: Transcript,
}

/// Reads the fence.
///
/// # Errors
/// The line, counted from the opening fence, and a sentence.
pub(crate) fn read(fence: &Fence) -> Result<Shown, (usize, String)> {
    let info = Info::read(&fence.info, &OPTIONS).map_err(|what| (0, what))?;
    if let Some(technique) = info.get("technique")
        && !TECHNIQUES.contains(&technique)
    {
        return Err((0, format!("there is no technique `{technique}`; there are {}.", listed(&TECHNIQUES))));
    }
    if info.get("player").is_some_and(|player| player != "no") {
        return Err((0, "a transcript can be played by itself; `player=\"no\"` leaves that out.".to_owned()));
    }
    let (skipped, text) = without_header(&fence.body);
    let (skipped, text) = match info.get("lines") {
        None => (skipped, text),
        Some(range) => {
            let (from, to) = range
                .split_once('-')
                .and_then(|(from, to)| Some((from.trim().parse().ok()?, to.trim().parse().ok()?)))
                .filter(|(from, to): &(usize, usize)| 1 <= *from && from <= to && *to <= text.len())
                .ok_or_else(|| {
                    let count = text.len();
                    (0, format!("`lines=\"{range}\"` is not a range of this transcript's {count} lines; write `lines=\"3-9\"`."))
                })?;
            (skipped + from - 1, &text[from - 1..to])
        }
    };
    let joined = text.join("\n");
    let mut transcript = Transcript::parse(&joined).map_err(|error| {
        (
            skipped + error.line,
            format!("this is not a transcript, at column {}: {}", error.column, error.message),
        )
    })?;
    if let Some(words) = info.get("scene") {
        transcript.moments = scene(transcript.moments, words).map_err(|what| (0, what))?;
    }
    if transcript.moments.is_empty() {
        return Err((0, "the transcript is empty.".to_owned()));
    }
    Ok(Shown { info, transcript })
}

/// The lines behind insta's header (`---`, some lines, `---`) and empty ones, and how many were left out.
fn without_header(lines: &[String]) -> (usize, &[String]) {
    let mut start = 0;
    let is_rule = |line: &String| line.trim_end() == "---";
    if lines.first().is_some_and(is_rule)
        && let Some(end) = lines.iter().skip(1).position(is_rule)
    {
        start = end + 2;
    }
    while lines.get(start).is_some_and(|line| line.trim().is_empty()) {
        start += 1;
    }
    (start, &lines[start..])
}

/// The moments after the note with these words, up to the next note.
fn scene(moments: Vec<wire::Moment>, words: &str) -> Result<Vec<wire::Moment>, String> {
    let note = |moment: &wire::Moment| match &moment.what {
        What::Note(note) => Some(note.clone()),
        _ => None,
    };
    let Some(start) = moments.iter().position(|moment| note(moment).as_deref() == Some(words)) else {
        let notes: Vec<String> = moments.iter().filter_map(note).collect();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        return Err(format!("no note in the transcript reads `{words}`; its notes: {}.", listed(&notes)));
    };
    Ok(moments.into_iter().skip(start + 1).take_while(|moment| note(moment).is_none()).collect())
}

/// The figure, on one line. `name` tells it apart from every other one in the book.
pub(crate) fn draw(shown: &Shown, name: &str, labels: &Labels) -> String {
    let id = shown.info.get("id").map(|id| format!(" id=\"{}\"", markdown::escape(id))).unwrap_or_default();
    let technique = shown.info.get("technique").map(|technique| format!(" {technique}")).unwrap_or_default();
    let title = shown.info.get("title").map(markdown::inline);
    let from = match (shown.info.get("from"), shown.info.get("file")) {
        (Some(from), _) => Some(markdown::inline(from)),
        (None, Some(file)) => Some(format!("{} <code>{}</code>", labels.drawn_from, markdown::escape(file))),
        (None, None) => None,
    };
    let from = from.map(|from| format!("<span class=\"from\">{from}</span>"));
    let caption: Vec<String> = [title.clone(), from].into_iter().flatten().collect();
    let caption = match caption.is_empty() {
        true => String::new(),
        false => format!("<figcaption>{}</figcaption>", caption.join(" ")),
    };
    let drawing = Drawing {
        id: name.to_owned(),
        title: title.map_or_else(|| labels.exchange.to_owned(), |title| markdown::words(&title)),
        ..Drawing::default()
    };
    let svg = draw::svg(&shown.transcript, &drawing).replace('\n', " ");
    let list = draw::list(&shown.transcript, &drawing.labels).replace('\n', " ");
    let mut drawing = format!("<div class=\"drawing\">{svg}</div>");
    if shown.transcript.moments.len() >= WORTH_PLAYING && shown.info.get("player").is_none() {
        let score = markdown::escape(&widgets::score(&shown.transcript));
        drawing = format!("<wire-player score=\"{score}\">{drawing}</wire-player>");
    }
    format!(
        "<figure class=\"exchange{technique}\"{id}>{drawing}{caption}<details class=\"in-words\"><summary>{}</summary>{list}</details></figure>",
        labels.in_words
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fences::scan;
    use crate::labels::ENGLISH;

    const TEXT: &str = "     0 ms  client → server  #1 GET /prices/stream
                               accept: text/event-stream
    10 ms  server → client  #1 200 text/event-stream
   900 ms  note             the way back
  1500 ms  network          #1 cut
  1505 ms  page             status: reconnecting
  2000 ms  note             the end
 30010 ms  server → client  #1 204";

    fn shown(options: &str, text: &str) -> Result<Shown, (usize, String)> {
        let fence = format!("~~~transcript {options}\n{text}\n~~~");
        read(&scan(&fence.lines().collect::<Vec<_>>())[0])
    }

    #[test]
    fn the_header_of_a_snapshot_is_left_out() {
        let with = format!("---\nsource: tests/grade.rs\nexpression: played\n---\n{TEXT}");
        assert_eq!(shown("", &with).unwrap().transcript, Transcript::parse(TEXT).unwrap());
    }

    #[test]
    fn lines_choose_a_part() {
        let part = shown("lines=\"3-5\"", TEXT).unwrap().transcript;
        assert_eq!(part.moments, Transcript::parse(TEXT).unwrap().moments[1..4]);
    }

    #[test]
    fn a_scene_lies_between_two_notes() {
        let part = shown("scene=\"the way back\"", TEXT).unwrap().transcript;
        assert_eq!(part.moments, Transcript::parse(TEXT).unwrap().moments[3..5]);
    }

    #[test]
    fn a_drawing_comes_with_caption_and_list() {
        let shown =
            shown("title=\"A cut, and `204`\" id=\"cut\" technique=\"poll\" file=\"labs/x.snap\"", TEXT)
                .unwrap();
        let figure = draw(&shown, "chapter-1", &ENGLISH);
        // How a transcript is drawn is `wire`'s affair, and tested there.
        let drawing =
            Drawing { id: "chapter-1".into(), title: "A cut, and 204".into(), ..Drawing::default() };
        let svg = draw::svg(&shown.transcript, &drawing).replace('\n', " ");
        let list = draw::list(&shown.transcript, &drawing.labels).replace('\n', " ");
        let score = markdown::escape(&widgets::score(&shown.transcript));
        insta::assert_snapshot!(
            figure.replace(&svg, "(the drawing)").replace(&list, "(the list)").replace(&score, "(the score)")
        );
    }

    #[test]
    fn a_drawing_can_be_played_unless_it_is_short_or_the_author_says_no() {
        let is_played = |options: &str, text: &str| {
            draw(&shown(options, text).unwrap(), "chapter-1", &ENGLISH).contains("<wire-player")
        };
        assert!(is_played("", TEXT));
        assert!(!is_played("player=\"no\"", TEXT));
        assert!(!is_played("lines=\"3-4\"", TEXT));
    }

    #[test]
    fn what_cannot_be_drawn_is_told_with_its_line() {
        let odd = format!("---\nsource: x\n---\n{TEXT}\n   3 parsecs");
        insta::assert_debug_snapshot!([
            shown("", &odd).unwrap_err(),
            shown("lines=\"3-90\"", TEXT).unwrap_err(),
            shown("scene=\"nowhere\"", TEXT).unwrap_err(),
            shown("", "").unwrap_err(),
            shown("size=\"big\"", TEXT).unwrap_err(),
            shown("technique=\"pigeon\"", TEXT).unwrap_err(),
            shown("player=\"yes\"", TEXT).unwrap_err(),
        ]);
    }
}
