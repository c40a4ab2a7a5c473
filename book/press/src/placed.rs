//! Directives that stand alone on their line and become several lines.

use crate::fault::Reporter;
use crate::includes;
use crate::notes::Unwrapped;

/// Puts into a chapter what `make` makes of each directive `name`, in its place.
pub(crate) fn place(
    chapter: Unwrapped,
    name: &str,
    make: impl Fn(&str) -> Result<Vec<String>, String>,
    report: &mut Reporter<'_>,
) -> Unwrapped {
    let mut out = Unwrapped::default();
    for (at, line) in chapter.lines.iter().enumerate() {
        let origin = chapter.origin(at);
        let directives = includes::directives(line);
        let named = match directives.as_slice() {
            [only] if only.name == name && (only.start, only.end) == (0, line.trim_end().len()) => only.rest,
            _ => {
                out.push(line.as_str(), origin);
                continue;
            }
        };
        match make(named) {
            Ok(lines) => lines.into_iter().for_each(|line| out.push(line, origin)),
            Err(what) => report.at(origin, what),
        }
    }
    out
}
