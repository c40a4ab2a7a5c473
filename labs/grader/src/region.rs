//! What stands between the anchors of a TODO, and whether it is what a student began with.

/// The text of a TODO's regions in a file (`ANCHOR: todo_3`, `ANCHOR: todo_3_leave` … up to the `ANCHOR_END`), without
/// the anchors; empty where there is none.
pub fn regions(source: &str, todo: u32) -> String {
    let name = format!("todo_{todo}");
    let mut text = String::new();
    let mut inside = false;
    for line in source.lines() {
        if anchor(line, "ANCHOR_END: ").is_some_and(|anchor| is_of(anchor, &name)) {
            inside = false;
        } else if anchor(line, "ANCHOR: ").is_some_and(|anchor| is_of(anchor, &name)) {
            inside = true;
        } else if inside {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn anchor<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark).map(|(_, name)| name.trim())
}

/// `todo_1` and `todo_1_join` are of TODO 1, `todo_10` is not.
fn is_of(anchor: &str, name: &str) -> bool {
    anchor.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// What `tests/start.txt` of a lab says of a TODO's regions, so that an unchanged one is recognised: FNV-1a, 64 bits, of
/// their words. White space does not count.
pub fn fingerprint(regions: &str) -> String {
    let hash = regions
        .split_whitespace()
        .flat_map(|word| word.bytes().chain([b' ']))
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    format!("{hash:016x}")
}

/// Whether a TODO still stands in `source` as in the file that the student was given. `start` is `tests/start.txt`: a line
/// `TODO 3: fingerprint` for each.
pub(crate) fn is_unchanged(start: &str, source: &str, todo: u32) -> bool {
    let regions = regions(source, todo);
    let line = format!("TODO {todo}: {}", fingerprint(&regions));
    !regions.trim().is_empty() && start.lines().any(|given| given.trim_end() == line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
fn a() {
    // ANCHOR: todo_1
    one();
    // ANCHOR_END: todo_1
}
// ANCHOR: app
fn b() {
    // ANCHOR: todo_1_more
    two();
    // ANCHOR_END: todo_1_more
    // ANCHOR: todo_10
    ten();
    // ANCHOR_END: todo_10
}
";

    #[test]
    fn all_regions_of_a_todo_and_no_other_s_are_read() {
        assert_eq!(regions(SOURCE, 1), "    one();\n    two();\n");
        assert_eq!(regions(SOURCE, 10), "    ten();\n");
        assert_eq!(regions(SOURCE, 2), "");
    }

    #[test]
    fn white_space_is_no_change_and_a_word_is() {
        let start = format!("TODO 1: {}\n", fingerprint(&regions(SOURCE, 1)));
        assert!(is_unchanged(&start, &SOURCE.replace("    ", "\t").replace('\n', "\r\n"), 1));
        assert!(!is_unchanged(&start, &SOURCE.replace("two", "too"), 1));
        assert!(!is_unchanged(&start, "", 1), "a file without the anchors is not the one that was given");
        assert!(!is_unchanged(&start, SOURCE, 10), "nothing is known of TODO 10");
    }
}
