//! Snapshots: what a lab's scenes should record, as insta stores it.

use wire::Transcript;

use crate::text;

/// The body of an insta snapshot: what stands below its header.
fn snapshot_body(file: &str) -> &str {
    let body =
        file.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map_or(file, |(_, body)| body);
    body.trim_end_matches('\n')
}

/// The transcript that a snapshot holds.
///
/// # Errors
/// A sentence, where the snapshot was changed by hand or cannot be read.
pub fn snapshot_transcript(name: &str, file: &str) -> Result<Transcript, String> {
    let file = text::plain(file);
    let body = snapshot_body(&file);
    let intact = file.lines().any(|line| line.starts_with("description:") && line.contains(&seal(body)));
    if !intact {
        return Err(format!(
            "The snapshot tests/snapshots/{name}.snap has been changed: it is what the lab asks for, and no longer fits its seal. `git checkout -- '*.snap'` brings it back."
        ));
    }
    Transcript::parse(body)
        .map_err(|error| format!("The snapshot tests/snapshots/{name}.snap cannot be read: {error}."))
}

/// What a snapshot's header says of its body, so that a change by hand is noticed (FNV-1a, 64 bits).
pub(crate) fn seal(body: &str) -> String {
    let hash = body.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("seal {hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_means_the_same_with_the_line_ends_of_any_machine() {
        let body = "     0 ms  note             hi\n     5 ms  note             there";
        let file = format!("---\nsource: x\ndescription: d · {}\n---\n{body}\n", seal(body));
        let read = snapshot_transcript("name", &file).expect("it is whole");
        assert_eq!(read.moments.len(), 2);
        for file in [file.replace('\n', "\r\n"), format!("\u{feff}{file}")] {
            assert_eq!(snapshot_transcript("name", &file).as_ref(), Ok(&read));
        }
        let changed = file.replace("there", "here").replace('\n', "\r\n");
        let why = snapshot_transcript("name", &changed).expect_err("its seal is another's");
        assert!(why.contains("has been changed"), "{why}");
    }
}
