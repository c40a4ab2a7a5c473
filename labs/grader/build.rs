//! Puts the page's browser part (`src/page/prelude/*.js`) into the program, without its comments and indentation: the
//! book's page loads it, and every reader pays for each byte.

use std::{env, fs, path::Path};

fn main() {
    let folder =
        Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo says it")).join("src/page/prelude");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut scripts: Vec<_> =
        fs::read_dir(&folder).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
    scripts.sort();
    let mut list = String::from("&[\n");
    for script in scripts {
        let name = script.file_name().and_then(|name| name.to_str()).expect("a script has a name");
        let text = fs::read_to_string(&script).expect("a script is a text");
        list += &format!("    (\"grader:{name}\", {:?}),\n", stripped(&text));
    }
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo says it")).join("prelude.rs");
    fs::write(out, list + "]\n").expect("the output can be written");
}

/// A script without the comments that begin a line, and without indentation. No string in it goes over several lines.
fn stripped(text: &str) -> String {
    let mut kept = String::new();
    let mut is_comment = false;
    for line in text.lines() {
        let mut line = line.trim();
        if is_comment || line.starts_with("/*") {
            let end = line.find("*/");
            is_comment = end.is_none();
            line = end.map_or("", |end| line[end + 2..].trim());
        }
        if !line.is_empty() && !line.starts_with("//") {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}
