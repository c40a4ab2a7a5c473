//! The HTML of the class's pages. Visitors' text goes through [`escape`], always; what the book says is HTML already.

use std::fmt::Write;

use press::PageOutline;
pub(super) use press::escape;

use super::{
    Class, name_of,
    room::{Ballot, Counting, Member, Progress, Room},
    stream::Parts,
};
use crate::labs::{Entry, LABS};

/// A whole page of the stage. `events` is the stream that keeps its parts new, and the parts as they are.
pub(super) fn page(title: &str, class: &str, events: Option<(&str, &Parts)>, content: &str) -> String {
    let (events, script, store) = match events {
        Some((events, parts)) => (
            format!(" data-events=\"{events}\""),
            "<script type=\"module\" src=\"/class/-/parts.js\"></script>\n",
            format!("<p class=\"class-store\" id=\"store\" role=\"status\">{}</p>\n", parts.html("store")),
        ),
        None => (String::new(), "", String::new()),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · Beyond fetch</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/live/-/stage.css\">\n{script}</head>\n\
         <body class=\"stage {class}\"{events}>\n{store}{content}\
         <p class=\"class-said\" id=\"said\" role=\"status\"></p>\n</body>\n</html>\n"
    )
}

/// A page that says one thing.
pub(super) fn notice(title: &str, words: &str) -> String {
    let content = format!(
        "{HEAD}<main class=\"stage-main\">\n<h1>{title}</h1>\n<p class=\"stage-lede\">{}</p>\n</main>\n",
        escape(words)
    );
    page(title, "class-notice", None, &content)
}

pub(super) const HEAD: &str = "<header class=\"stage-head\">\n<a class=\"stage-home\" href=\"/en/\">Beyond fetch</a>\n\
     <a href=\"/live/\">The labs, live</a>\n<a href=\"/class\">The class</a>\n</header>\n";

/// A form that works without a script: one button.
pub(super) fn button(id: &str, action: &str, fields: &[(&str, &str)], class: &str, words: &str) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value)))
        .collect();
    format!(
        "<form method=\"post\" action=\"{action}\">{fields}<button id=\"{id}\" class=\"{class}\">{words}</button></form>"
    )
}

/// A share as a bar. A style would need a policy that allows it; an attribute of SVG does not.
pub(super) fn bar(part: usize, whole: usize) -> String {
    let width = (part * 1_000).checked_div(whole).unwrap_or(0);
    let (units, tenths) = (width / 10, width % 10);
    format!(
        "<svg class=\"class-bar\" aria-hidden=\"true\"><rect width=\"{units}.{tenths}%\" height=\"100%\"/></svg>"
    )
}

fn counted(number: usize, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {more}") }
}

/// The open question: with its votes, and what is right, as far as `shown` says.
pub(super) fn question(class: &Class, ballot: &Ballot, shown: Counting) -> String {
    let (page, question) = class.asked(ballot.asked);
    let (counts, votes) = (ballot.counts(), ballot.votes());
    let most = counts.iter().copied().max().unwrap_or(0);
    let mut answers = String::new();
    for (answer, count) in question.answers.iter().zip(counts) {
        let is_right = shown == Counting::Revealed && answer.right;
        let mark = if is_right { " data-right" } else { "" };
        let word = if is_right { "<strong class=\"class-right\">✓ Right</strong> " } else { "" };
        let figures = match shown {
            Counting::Open => String::new(),
            // The longest bar is the width's measure, and the numbers say what it is worth.
            _ => format!("{}<b class=\"class-count\">{count}</b>", bar(count, most)),
        };
        let _ = write!(
            answers,
            "<li{mark}><span class=\"class-answer\">{word}{}</span>{figures}</li>",
            answer.text
        );
    }
    let state = match ballot.stage {
        Counting::Open => "open for votes",
        Counting::Shown => "votes shown, still open",
        Counting::Revealed => "votes are closed",
    };
    format!(
        "<p class=\"eyebrow\">{} · {state} · {}</p><div class=\"class-asked\">{}</div><ol class=\"class-answers\">{answers}</ol>",
        escape(&page.title),
        counted(votes, "vote", "votes"),
        question.text
    )
}

/// What everyone together has done, lab by lab.
pub(super) fn labs(room: &Room) -> String {
    let members = room.members();
    let rows: String = LABS
        .iter()
        .filter_map(|lab| {
            let at_it: Vec<&Progress> = members.iter().filter_map(|member| member.labs.get(&lab.number)).collect();
            let done = at_it.iter().filter(|progress| progress.is_done()).count();
            (!at_it.is_empty()).then(|| {
                format!(
                    "<li data-technique=\"{}\"><span class=\"class-lab\">Lab {} · {}</span>{}<b class=\"class-count\">{done} of {}</b></li>",
                    lab.technique.mark(), lab.number, lab.title, bar(done, at_it.len()), at_it.len()
                )
            })
        })
        .collect();
    if rows.is_empty() {
        return "<p class=\"stage-hint\">Nobody has graded a lab yet. After <code>cargo lab join</code>, each <code>cargo test -p lab1</code> says here how far it is, and nothing of the code.</p>".to_owned();
    }
    format!("<h2>Labs finished</h2><ol class=\"class-labs\">{rows}</ol>")
}

/// The names, each with its progress. With `removable`, each has a button for the console.
pub(super) fn members(room: &Room, removable: bool) -> String {
    let members = room.members();
    let heading = match members.len() {
        0 => "<h2>Nobody has joined yet</h2>".to_owned(),
        1 => "<h2>1 has joined</h2>".to_owned(),
        many => format!("<h2>{many} have joined</h2>"),
    };
    let cards: String = members.iter().map(|member| card(member, removable)).collect();
    format!("{heading}<ul class=\"class-members\">{cards}</ul>")
}

fn card(member: &Member, removable: bool) -> String {
    let name = escape(member.name.as_str());
    let (finished, begun): (Vec<_>, Vec<_>) =
        member.labs.iter().partition(|(_, progress)| progress.is_done());
    // A lab that is finished needs no row of its own: a whole class fits on the screen.
    let finished: String = finished.iter().map(|(number, _)| finished_lab(**number)).collect();
    let finished = match finished.as_str() {
        "" => finished,
        _ => format!("<div class=\"class-finished\">{finished}</div>"),
    };
    let labs: String = begun.iter().map(|(number, progress)| progress_of(**number, progress)).collect();
    let remove = if removable {
        let number = member.number.to_string();
        let words = format!("Remove<span class=\"visually-hidden\"> {name}</span>");
        button(&format!("remove-{number}"), "/instructor/class/remove", &[("number", &number)], "", &words)
    } else {
        String::new()
    };
    format!("<li class=\"class-member\"><bdi class=\"class-name\">{name}</bdi>{remove}{finished}{labs}</li>")
}

fn mark(number: u8) -> &'static str {
    LABS.iter().find(|lab| lab.number == number).map_or("", |lab| lab.technique.mark())
}

fn finished_lab(number: u8) -> String {
    format!(
        "<span data-technique=\"{}\">Lab {number} ✓<span class=\"visually-hidden\"> all done</span></span> ",
        mark(number)
    )
}

fn progress_of(number: u8, progress: &Progress) -> String {
    let mark = mark(number);
    let (done, total) = (progress.done(), progress.total());
    let open: Vec<String> = (1..)
        .zip(progress.todos())
        .filter(|(_, done)| *done != Some(true))
        .map(|(todo, _): (usize, _)| todo.to_string())
        .collect();
    let words = match open.as_slice() {
        [] => "all done".to_owned(),
        [one] => format!("open is TODO {one}"),
        several => format!("open are TODOs {}", several.join(", ")),
    };
    let todos: String = progress
        .todos()
        .map(|todo| match todo {
            Some(true) => "<i data-todo=\"done\"></i>",
            Some(false) => "<i data-todo=\"open\"></i>",
            None => "<i></i>",
        })
        .collect();
    format!(
        "<div class=\"class-progress\" data-technique=\"{mark}\"><span>Lab {number}</span>\
         <span class=\"class-todos\" role=\"img\" aria-label=\"{words}\">{todos}</span><b>{done} of {total}</b></div>"
    )
}

/// The open question as a form for one person.
pub(super) fn vote(class: &Class, room: &Room, token: &str) -> String {
    let Some(ballot) = room.ballot() else {
        return "<p class=\"stage-hint\">No question is open now. When the instructor asks one, it stands here and on its page of the book.</p>".to_owned();
    };
    let mine = room.vote_of(token);
    if ballot.stage == Counting::Revealed {
        let said = match mine {
            Some(answer) if class.asked(ballot.asked).1.answers[answer].right => "<p>You were right.</p>",
            Some(_) => "<p>You chose another answer.</p>",
            None => "",
        };
        return question(class, ballot, Counting::Revealed) + said;
    }
    let (page, asked) = class.asked(ballot.asked);
    let choices: String = (1..)
        .zip(&asked.answers)
        .map(|(number, answer): (usize, _)| {
            let checked = if mine == Some(number - 1) { " checked" } else { "" };
            format!(
                "<label class=\"class-choice\"><input type=\"radio\" name=\"answer\" value=\"{number}\" id=\"answer-{number}\" required{checked}> <span>{}</span></label>",
                answer.text
            )
        })
        .collect();
    let (word, hint) = match mine {
        None => ("Vote", ""),
        Some(_) => (
            "Vote anew",
            "<p class=\"stage-hint\">Your vote is counted. You may change it until the answer is told.</p>",
        ),
    };
    format!(
        "<form method=\"post\" action=\"/class/vote\"><input type=\"hidden\" name=\"question\" value=\"{}\">\
         <fieldset><legend class=\"class-asked\">{}</legend>{choices}</fieldset>\
         <button id=\"vote\" class=\"primary\">{word}</button></form>{hint}",
        escape(&name_of(page, asked)),
        asked.text
    )
}

/// The pages that everyone can be asked to: the groups, and in each the address of a page and its name.
fn groups(class: &Class) -> [(&'static str, Vec<(String, String)>); 3] {
    let chapter = |page: &PageOutline| (format!("/en/{}", page.file), page.title.clone());
    let lab = |lab: &Entry| {
        (format!("/live/lab{}/", lab.number), format!("Lab {} live · {}", lab.number, lab.title))
    };
    let others =
        [("/race", "The race"), ("/class/me", "Vote: the class’s own page"), ("/class", "The board")];
    [
        ("Chapters", class.pages.iter().map(chapter).collect()),
        ("Labs", LABS.iter().map(lab).collect()),
        ("Besides", others.map(|(path, name)| (path.to_owned(), name.to_owned())).into()),
    ]
}

/// These pages as options.
pub(super) fn places(class: &Class) -> String {
    let option = |(path, name): &(String, String)| {
        format!("<option value=\"{}\">{}</option>", escape(path), escape(name))
    };
    let group = |(title, places): &(&str, Vec<_>)| {
        format!("<optgroup label=\"{title}\">{}</optgroup>", places.iter().map(option).collect::<String>())
    };
    groups(class).iter().map(group).collect()
}

/// A link to where everyone is asked, by its name where it has one.
pub(super) fn link(class: &Class, path: &str) -> String {
    let page = path.split('#').next().unwrap_or_default();
    let places = groups(class).into_iter().flat_map(|(_, places)| places);
    let name = places.into_iter().find_map(|(place, name)| (place == page).then_some(name));
    let name = name.unwrap_or_else(|| path.to_owned());
    format!("<a href=\"{}\">{}</a>", escape(path), escape(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert!(notice("Title", "<script>").contains("<p class=\"stage-lede\">&lt;script&gt;</p>"));
    }

    #[test]
    fn a_bar_s_width_is_a_share_and_needs_no_style() {
        assert!(bar(1, 3).contains("width=\"33.3%\""));
        assert!(bar(0, 0).contains("width=\"0.0%\""));
        assert!(bar(7, 7).contains("width=\"100.0%\""));
    }
}
