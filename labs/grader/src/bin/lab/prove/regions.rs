//! What a lab and its solution have in common: all that is not between `ANCHOR: todo_N` and
//! `ANCHOR_END: todo_N`, the comments by which the book includes code.

use crate::diff;

/// Gives a complaint when two files differ outside of TODO regions.
pub(super) fn same_outside(name: &str, lab: &[u8], solution: &[u8]) -> Result<(), String> {
    if lab == solution {
        return Ok(());
    }
    let (Ok(lab), Ok(solution)) = (std::str::from_utf8(lab), std::str::from_utf8(solution)) else {
        return Err(format!("{name} differs, and is not text."));
    };
    let lab = outside(name, lab).map_err(|complaint| format!("In the lab, {complaint}"))?;
    let solution = outside(name, solution).map_err(|complaint| format!("In the solution, {complaint}"))?;
    if lab == solution {
        return Ok(());
    }
    Err(format!(
        "{name} differs outside of its TODO regions:\n{}",
        diff::unified(&lab, &solution, "lab", "solution")
    ))
}

/// A text without what is inside its TODO regions; the marks stay.
fn outside(name: &str, text: &str) -> Result<String, String> {
    let mut kept = String::new();
    let mut open: Option<(String, usize)> = None;
    for (place, line) in text.lines().enumerate() {
        let number = place + 1;
        let begins = todo(line, "ANCHOR: ");
        let ends = todo(line, "ANCHOR_END: ");
        match (&open, begins, ends) {
            (None, Some(region), _) => open = Some((region, number)),
            (Some((inner, _)), None, Some(region)) if *inner == region => open = None,
            (Some(_), None, None) => continue,
            (None, None, None) => {
                // A package's name and what it says of itself are its own. So is what it asks of the
                // grader: a solution's build stores snapshots, a student's does not.
                let names_it = match name {
                    "Cargo.toml" => {
                        ["name = \"lab", "description", "grader"].iter().any(|own| line.starts_with(own))
                    }
                    "src/main.rs" => line.starts_with("//!"),
                    _ => false,
                };
                if names_it {
                    continue;
                }
            }
            (Some((inner, _)), ..) => {
                return Err(format!(
                    "{name}, line {number}: the region {inner} must end before `{}`.",
                    line.trim()
                ));
            }
            (None, None, Some(region)) => {
                return Err(format!("{name}, line {number}: the region {region} ends without having begun."));
            }
        }
        kept.push_str(line);
        kept.push('\n');
    }
    match open {
        Some((region, number)) => Err(format!("{name}, line {number}: the region {region} does not end.")),
        None => Ok(kept),
    }
}

/// The TODO's region that a mark on this line names.
fn todo(line: &str, mark: &str) -> Option<String> {
    let (_, rest) = line.split_once(mark)?;
    let name = rest.split_whitespace().next()?;
    name.starts_with("todo_").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAB: &str = "fn a() {\n    // ANCHOR: todo_1\n    todo!()\n    // ANCHOR_END: todo_1\n}\n";

    #[test]
    fn the_inside_of_a_region_is_free() {
        let solution = LAB.replace("todo!()", "let x = 1;\n    x");
        let same = same_outside("src/lib.rs", LAB.as_bytes(), solution.as_bytes());
        assert_eq!(same, Ok(()), "only a body differs");
    }

    #[test]
    fn a_change_outside_of_regions_is_shown() {
        let solution = LAB.replace("fn a()", "fn b()");
        let complaint = same_outside("src/lib.rs", LAB.as_bytes(), solution.as_bytes());
        let complaint = complaint.expect_err("a name outside of the region differs");
        assert!(complaint.contains("+fn b()"), "it shows what: {complaint}");
    }

    #[test]
    fn a_region_that_only_one_side_has_is_a_difference() {
        let solution = LAB.replace("todo_1", "todo_2");
        let same = same_outside("src/lib.rs", LAB.as_bytes(), solution.as_bytes());
        assert!(same.is_err(), "the marks must agree");
    }

    #[test]
    fn regions_that_do_not_end_or_begin_are_named() {
        let open = LAB.replace("    // ANCHOR_END: todo_1\n", "");
        let complaint = same_outside("src/lib.rs", open.as_bytes(), LAB.as_bytes());
        assert_eq!(
            complaint,
            Err("In the lab, src/lib.rs, line 2: the region todo_1 does not end.".to_owned())
        );
        let shut = LAB.replace("    // ANCHOR: todo_1\n", "");
        let complaint = same_outside("src/lib.rs", LAB.as_bytes(), shut.as_bytes());
        assert_eq!(
            complaint,
            Err("In the solution, src/lib.rs, line 3: the region todo_1 ends without having begun."
                .to_owned())
        );
    }

    #[test]
    fn a_package_may_have_its_own_name() {
        let same = same_outside(
            "Cargo.toml",
            b"[package]\nname = \"lab3\"\ndescription = \"a\"\ngrader.workspace = true\n",
            b"[package]\nname = \"lab3-solution\"\ndescription = \"b\"\ngrader = { features = [\"insta\"] }\n",
        );
        assert_eq!(same, Ok(()), "name, description and the grader's features are free");
        let same = same_outside("src/main.rs", b"//! Lab 3.\nfn main() {}\n", b"//! Solved.\nfn main() {}\n");
        assert_eq!(same, Ok(()), "so is what main says of itself");
    }
}
