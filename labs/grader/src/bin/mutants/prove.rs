//! Makes the mutants of each lab, plays them, and prints what survived.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use crate::builds::Builder;
use crate::cargo::Cargo;
use crate::list::{self, List};
use crate::paint::{Color, Paint, print, say};
use crate::play::{self, Outcome, Play};
use crate::repo::{Files, Lab, Repo};
use crate::sample::Sample;
use crate::sentence::{Result, Sentence};
use crate::source::{Mutant, mutants};
use crate::tree::Tree;

/// What was asked for.
pub(crate) struct Options<'a> {
    /// Only mutants whose name contains this.
    pub(crate) only: Option<&'a str>,
    /// Only so many.
    pub(crate) sample: Option<Sample>,
    /// Show what only another TODO's check notices.
    pub(crate) elsewhere: bool,
    pub(crate) paint: Paint,
}

/// A lab's mutants.
struct Made {
    lab: Lab,
    solution: Files,
    list: List,
    /// Whether every mutant of the lab is among the two below.
    is_whole: bool,
    client: Vec<Mutant>,
    server: Vec<Mutant>,
}

/// What holds and what does not, as far as it was counted.
#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Proves the labs, printing a table on the way. Gives whether everything held.
pub(crate) fn prove(repo: &Repo, labs: &[Lab], options: &Options<'_>) -> Result<bool> {
    let paint = options.paint;
    let mut count = Count::default();
    let mut all = labs.iter().map(|lab| make(lab, &mut count, paint)).collect::<Result<Vec<_>>>()?;
    if let Some(only) = options.only {
        for made in &mut all {
            made.retain(|mutant| mutant.name.to_string().contains(only));
        }
    }
    if let Some(sample) = options.sample {
        let of = all.iter().map(|made| made.client.len() + made.server.len()).sum();
        let drawn = sample.draw(of);
        say!("{} of {of} mutants, drawn with --seed {}", drawn.len(), sample.seed);
        let mut at = 0;
        for made in &mut all {
            made.retain(|_| {
                at += 1;
                drawn.contains(&(at - 1))
            });
        }
    }
    let tree = Tree::new(repo)?;
    for made in all.iter().filter(|made| !made.client.is_empty() || !made.server.is_empty()) {
        say!("{}", paint.bold(format!("lab {} · {}", made.lab.number, made.lab.name)));
        Prover { repo, tree: &tree, made, options }.prove(&mut count)?;
    }
    say!("\n{} passed, {} failed", count.passed, count.failed);
    Ok(count.failed == 0)
}

/// Makes a lab's mutants, and looks for entries of its list that name none of them.
fn make(lab: &Lab, count: &mut Count, paint: Paint) -> Result<Made> {
    let solution = crate::repo::files(&lab.solution)?;
    let mut made = Made {
        lab: lab.clone(),
        list: List::read(lab)?,
        solution,
        is_whole: true,
        client: Vec::new(),
        server: Vec::new(),
    };
    for (name, bytes) in &made.solution {
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        let half = if name.ends_with(".rs") { &mut made.server } else { &mut made.client };
        half.extend(mutants(name, text));
    }
    let names: HashSet<_> = made.client.iter().chain(&made.server).map(|mutant| &mutant.name).collect();
    for name in made.list.names().filter(|name| !names.contains(*name)) {
        count.failed += 1;
        say!(
            "{}",
            paint.bad(format!("lab {}: {} lists what is no mutant of the solution:", lab.number, list::FILE))
        );
        indent(name);
    }
    Ok(made)
}

impl Made {
    fn retain(&mut self, mut keep: impl FnMut(&Mutant) -> bool) {
        let before = self.client.len() + self.server.len();
        self.client.retain(&mut keep);
        self.server.retain(&mut keep);
        self.is_whole &= self.client.len() + self.server.len() == before;
    }
}

/// Plays one lab's mutants.
struct Prover<'a> {
    repo: &'a Repo,
    tree: &'a Tree,
    made: &'a Made,
    options: &'a Options<'a>,
}

impl Prover<'_> {
    fn prove(&self, count: &mut Count) -> Result<()> {
        let Made { lab, solution, client, server, .. } = self.made;
        let cargo =
            Cargo { root: self.tree.root(), target: &self.repo.target, paint: Paint::new(Color::Never) };
        let copy = self.tree.solution(lab);
        self.tree.put(&copy, solution)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let folders = (0..cores)
            .map(|number| self.tree.aside(lab, &format!("mutants-{number}")))
            .collect::<Result<Vec<_>>>()?;

        let build = cargo.grade(&lab.solution_package(), false)?;
        let binary = build.binary().map_err(Sentence::new)?;
        let binary = self.tree.keep(&format!("{}-mutants", lab.solution_package()), binary)?;
        if let Some(check) = play::run(&binary, &folders[0], 1, None)?.caught_by() {
            return Err(Sentence::new(format!("The solution itself does not pass {check}.")));
        }
        std::thread::scope(|scope| {
            let from = Instant::now();
            let mut builder = Builder { lab, tree: self.tree, cargo, solution, kept: 0 };
            let building = scope.spawn(move || (builder.all(server), from.elapsed()));
            if !client.is_empty() {
                print(format_args!("  client  "));
                let plays: Vec<_> = client.iter().map(|mutant| self.client(mutant, &binary)).collect();
                let outcomes = play::all(&plays, &folders)?;
                self.tell(&plays, &outcomes, from, None, count);
            }
            if server.is_empty() {
                return Ok(());
            }
            print(format_args!("  server  "));
            let (built, building) = building.join().expect("the builder does not panic");
            let built = built?;
            let from = Instant::now().checked_sub(building).unwrap_or(from);
            let mut plays: Vec<_> = built
                .iter()
                .flat_map(|built| {
                    built.numbers.iter().map(|&number| Play {
                        mutant: &server[number - 1],
                        binary: built.binary.clone(),
                        active: built.several.then_some(number),
                        file: None,
                    })
                })
                .collect();
            plays.sort_by_key(|play| play.mutant.edit.range.start);
            let outcomes = play::all(&plays, &folders)?;
            self.tell(&plays, &outcomes, from, Some(server.len() - plays.len()), count);
            built.iter().try_for_each(|built| self.tree.forget(&built.binary))
        })?;
        self.tree.forget(&binary)
    }

    fn client<'a>(&self, mutant: &'a Mutant, binary: &Path) -> Play<'a> {
        let file = &mutant.name.file;
        let text = String::from_utf8_lossy(&self.made.solution[file]);
        Play {
            mutant,
            binary: binary.to_path_buf(),
            active: None,
            file: Some((file.clone(), mutant.edit.apply(&text))),
        }
    }

    /// The row of one half, and what is wrong below it.
    fn tell(
        &self,
        plays: &[Play<'_>],
        outcomes: &[Outcome],
        from: Instant,
        left_out: Option<usize>,
        count: &mut Count,
    ) {
        let (mut stopped, mut listed) = (0, 0);
        let (mut unlisted, mut stale, mut elsewhere) = (Vec::new(), Vec::new(), Vec::new());
        for (play, outcome) in plays.iter().zip(outcomes) {
            let name = &play.mutant.name;
            let is_listed = self.made.list.has(name);
            match outcome.caught_by() {
                None if is_listed => listed += 1,
                None => unlisted.push(name),
                Some(check) => {
                    if is_listed {
                        stale.push((name, check));
                    }
                    if !check.starts_with(&format!("todo_{}_", name.todo)) {
                        elsewhere.push((name, check));
                    }
                    stopped += usize::from(matches!(outcome, Outcome::Stopped(_)));
                }
            }
        }
        let killed = plays.len() - listed - unlisted.len();
        let bad = unlisted.len() + stale.len();
        let verdict =
            if bad == 0 { self.options.paint.good("passed") } else { self.options.paint.bad("FAILED") };
        let time = self.options.paint.dim(format!("{:>6.1} s", from.elapsed().as_secs_f32()));
        let left_out = left_out.map_or_else(String::new, |number| format!(", {number} more do not compile"));
        say!(
            "{verdict}  {time}  {:>4} made, {killed} killed ({} only by another TODO's check, {stopped} \
             stopped), {listed} listed, {} not listed{left_out}",
            plays.len(),
            elsewhere.len(),
            unlisted.len()
        );
        if !unlisted.is_empty() {
            say!("    No check notices these. Close the hole, or list them in {} with a reason:", list::FILE);
            unlisted.iter().for_each(indent);
        }
        for (name, check) in &stale {
            say!("    {} lists this one, and {check} catches it:", list::FILE);
            indent(name);
        }
        for (name, check) in elsewhere.iter().filter(|_| self.options.elsewhere) {
            say!("    Only {check} notices this one:");
            indent(name);
        }
        count.passed += plays.len() - bad;
        count.failed += bad;
    }
}

fn indent(words: impl std::fmt::Display) {
    for line in words.to_string().lines() {
        say!("      {line}");
    }
    say!("");
}
