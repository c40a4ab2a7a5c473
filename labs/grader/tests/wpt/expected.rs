// `expected.txt`: what is expected to fail, how often at most, and why.

/// What a failure means for a student.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A student could meet it and would be misled; it stays, for the reason that is given.
    A = 0,
    /// It is missing, and the page says so by name.
    B = 1,
    /// No client of the labs can meet it.
    C = 2,
}

/// A line of the list.
pub(crate) struct Rule {
    pub(crate) kind: Kind,
    pub(crate) most: usize,
    /// A file, or how the paths of files begin.
    pub(crate) prefix: String,
    /// A part of the subtests' names; empty for all of them.
    part: String,
}

impl Rule {
    pub(crate) fn covers(&self, path: &str, name: &str) -> bool {
        path.starts_with(&self.prefix) && name.contains(&self.part)
    }
}

/// Reads the list: `kind most prefix [“part of a name”] reason`, one a line.
pub(crate) fn read() -> Vec<Rule> {
    let lines =
        include_str!("expected.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.splitn(4, ' ');
            let mut next = || fields.next().unwrap_or_else(|| panic!("expected.txt: {line}"));
            let kind = match next() {
                "a" => Kind::A,
                "b" => Kind::B,
                "c" => Kind::C,
                _ => panic!("expected.txt: {line}"),
            };
            let most = next().parse().unwrap_or_else(|_| panic!("expected.txt: {line}"));
            let prefix = next().to_owned();
            let rest = next();
            let (part, reason) = match rest.strip_prefix('“').and_then(|rest| rest.split_once('”')) {
                Some((part, reason)) => (part.to_owned(), reason),
                None => (String::new(), rest),
            };
            assert!(!reason.trim().is_empty(), "expected.txt: {line} needs a reason");
            Rule { kind, most, prefix, part }
        })
        .collect()
}
