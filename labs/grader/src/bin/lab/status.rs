//! `cargo lab`: how far along each lab is, from its last grading. Builds and runs nothing.

use crate::paint::{Paint, say};
use crate::repo::{Lab, Repo};
use crate::report::Report;
use crate::sentence::Result;

/// Prints one line a lab.
pub(crate) fn status(repo: &Repo, paint: Paint) -> Result<()> {
    let labs = repo.labs()?;
    if labs.is_empty() {
        say!("There are no labs in {} yet.", repo.show(&repo.root.join("labs")));
        return Ok(());
    }
    let rows: Vec<(Lab, String, String, String)> = labs
        .into_iter()
        .map(|lab| {
            let title = lab.title().unwrap_or_default();
            let (done, next) = progress(repo, &lab);
            (lab, title, done, next)
        })
        .collect();
    let names = rows.iter().map(|row| row.0.name.chars().count()).max();
    let titles = rows.iter().map(|row| row.1.chars().count()).max();
    let dones = rows.iter().map(|row| row.2.chars().count()).max();
    for (lab, title, done, next) in &rows {
        let name = format!("{:<1$}", lab.name, names.unwrap_or(0));
        let title = format!("{title:<0$}", titles.unwrap_or(0));
        let done = format!("{done:<0$}", dones.unwrap_or(0));
        let done = match Report::read(&repo.report(lab)) {
            Some(report) if report.passes() => paint.good(done),
            _ => done,
        };
        say!("{}  {title}  {done}  {next}", paint.bold(name));
    }
    Ok(())
}

/// How much of a lab is done, and what to do next.
fn progress(repo: &Repo, lab: &Lab) -> (String, String) {
    let path = repo.report(lab);
    let Some(report) = Report::read(&path) else {
        let next = format!("not graded yet: cargo test -p {}", lab.package());
        return ("-".to_owned(), next);
    };
    let done = format!("{} of {}", report.done, report.total);
    let graded = path.metadata().and_then(|data| data.modified()).ok();
    let next = match report.next() {
        None => format!("done · cargo lab compare {}", lab.number),
        Some(check) => format!("next: {}", check.step()),
    };
    let next = if lab.edited() > graded {
        format!("{next} · edited since: cargo test -p {}", lab.package())
    } else {
        next
    };
    (done, next)
}
