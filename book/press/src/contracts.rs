//! What a TODO must do, in its chapter: `{{#contract ../../labs/lab3-sse/contract.md:4}}`, alone on its line.

use contract::Contract;

use crate::fault::Reporter;
use crate::notes::Unwrapped;
use crate::placed;

/// Puts contracts into a chapter, in the place of their directives. `read` gives the text of a file.
pub(crate) fn place(
    chapter: Unwrapped,
    read: impl Fn(&str) -> Result<String, String>,
    report: &mut Reporter<'_>,
) -> Unwrapped {
    placed::place(chapter, "contract", |named| shown(named, &read), report)
}

/// The summary and the clauses of one TODO.
fn shown(named: &str, read: impl Fn(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    const NAMED: &str =
        "a contract is named by file and TODO: `{{#contract ../../labs/lab3-sse/contract.md:4}}`.";
    let (path, todo) = named.rsplit_once(':').ok_or(NAMED)?;
    let todo = todo.parse().map_err(|_| NAMED)?;
    let lab = lab_of(path).ok_or(NAMED)?;
    let text = read(path)?;
    let contract = Contract::parse(&text).map_err(|fault| format!("`{path}`, {fault}"))?;
    let section =
        contract.section(Some(todo)).ok_or_else(|| format!("`{path}` has no section for TODO {todo}."))?;
    let mut lines = vec![
        String::new(),
        "<div class=\"contract\">".to_owned(),
        String::new(),
        format!("**Contract.** {}", section.summary),
        String::new(),
    ];
    lines.extend(section.list(lab).lines().map(str::to_owned));
    lines.extend([String::new(), "</div>".to_owned(), String::new()]);
    Ok(lines)
}

/// The lab's number in the path of one of its files.
fn lab_of(path: &str) -> Option<u32> {
    let (_, after) = path.rsplit_once("/lab")?;
    after.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fault::Faults;

    const FILE: &str = "# The contract\n\n## 1 · Once\n\nEach once.\n\n- `1.once`: Each update once.\n\
                        - `1.open.order`: Its order.\n";

    fn placed(chapter: &str) -> (Unwrapped, Faults) {
        let mut faults = Faults::default();
        let read = |path: &str| match path {
            "../../labs/lab3-sse/contract.md" => Ok(FILE.to_owned()),
            other => Err(format!("there is no file `{other}` to include.")),
        };
        let mut report = Reporter::new(Path::new("book/src/03.md"), &mut faults);
        let chapter = crate::notes::unwrap(chapter, &mut report);
        let out = place(chapter, read, &mut report);
        (out, faults)
    }

    #[test]
    fn summary_and_clauses_stand_in_the_place_of_the_directive() {
        let (out, faults) = placed("Before.\n\n{{#contract ../../labs/lab3-sse/contract.md:1}}\n");
        assert_eq!(faults.0, []);
        let expected = "<div class=\"contract\">\n\n**Contract.** Each once.\n\n\
                        - Each update once. `3.1.once`\n- *Open:* Its order. `3.1.open.order`\n\n</div>";
        assert!(out.text().contains(expected), "{}", out.text());
    }

    #[test]
    fn a_contract_that_is_not_there_is_told_with_its_line() {
        let (_, faults) = placed(
            "{{#contract ../../labs/lab3-sse/contract.md:2}}\n{{#contract contract.md}}\n\
             {{#contract ../../labs/lab4-x/contract.md:1}}\n",
        );
        assert_eq!(faults.0.len(), 3, "{faults}");
    }
}
