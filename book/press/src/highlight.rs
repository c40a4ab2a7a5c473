//! Colours code at build time: comments, strings, numbers, keywords, types, calls. A page needs no script for it.
//!
//! It knows words, not grammars: enough for a reader's eye, in a few hundred lines instead of a parser each.

use crate::markdown::escape;

/// The languages that a fence may name.
pub(crate) const LANGUAGES: [&str; 9] =
    ["rust", "js", "html", "css", "toml", "json", "http", "console", "text"];

/// The code as HTML on one line, its tokens in `<span class=…>`: `c` comment, `s` string, `n` number, `k` keyword,
/// `t` type or tag, `f` call, `p` property or attribute, `i` what one types at a prompt. `language` is one of
/// [`LANGUAGES`]; anything else is left plain.
pub(crate) fn highlight(language: &str, code: &str) -> String {
    let mut out = Tokens::default();
    match language {
        "rust" => words(code, &RUST, &mut out),
        "js" => words(code, &JS, &mut out),
        "css" => words(code, &CSS, &mut out),
        "toml" => by_line(code, &mut out, toml_line),
        "json" => words(code, &JSON, &mut out),
        "html" => html(code, &mut out),
        "http" => by_line(code, &mut out, http_line),
        "console" => by_line(code, &mut out, console_line),
        _ => out.plain(code),
    }
    out.0
}

#[derive(Default)]
struct Tokens(String);

impl Tokens {
    fn plain(&mut self, text: &str) {
        self.0.push_str(&escape(text));
    }

    fn marked(&mut self, class: char, text: &str) {
        if text.is_empty() {
            return;
        }
        self.0.push_str("<span class=\"");
        self.0.push(class);
        self.0.push_str("\">");
        self.0.push_str(&escape(text));
        self.0.push_str("</span>");
    }
}

/// What tells the tokens of a language of words apart.
struct Words {
    line_comment: &'static str,
    block_comment: (&'static str, &'static str),
    quotes: &'static [char],
    keywords: &'static [&'static str],
    /// `Name` is a type, `name(` a call.
    types_and_calls: bool,
    /// `'a` is a lifetime and `'x'` a character.
    lifetimes: bool,
    /// `#[…]` is an attribute.
    attributes: bool,
    /// A word or string before `:` is a property.
    properties: bool,
    /// `-` is part of a word.
    hyphens: bool,
}

static RUST: Words = Words {
    line_comment: "//",
    block_comment: ("/*", "*/"),
    quotes: &['"'],
    keywords: &[
        "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "false", "fn",
        "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
        "self", "Self", "static", "struct", "super", "trait", "true", "type", "use", "where", "while",
    ],
    types_and_calls: true,
    lifetimes: true,
    attributes: true,
    properties: false,
    hyphens: false,
};

static JS: Words = Words {
    line_comment: "//",
    block_comment: ("/*", "*/"),
    quotes: &['"', '\'', '`'],
    keywords: &[
        "async",
        "await",
        "break",
        "case",
        "catch",
        "class",
        "const",
        "continue",
        "default",
        "delete",
        "do",
        "else",
        "export",
        "extends",
        "false",
        "finally",
        "for",
        "from",
        "function",
        "if",
        "import",
        "in",
        "instanceof",
        "let",
        "new",
        "null",
        "of",
        "return",
        "static",
        "super",
        "switch",
        "this",
        "throw",
        "true",
        "try",
        "typeof",
        "undefined",
        "void",
        "while",
        "yield",
    ],
    types_and_calls: true,
    lifetimes: false,
    attributes: false,
    properties: false,
    hyphens: false,
};

static CSS: Words = Words {
    line_comment: "",
    block_comment: ("/*", "*/"),
    quotes: &['"', '\''],
    keywords: &["@media", "@supports", "@container", "@layer", "@import"],
    types_and_calls: false,
    lifetimes: false,
    attributes: false,
    properties: true,
    hyphens: true,
};

static JSON: Words = Words {
    line_comment: "",
    block_comment: ("", ""),
    quotes: &['"'],
    keywords: &["true", "false", "null"],
    types_and_calls: false,
    lifetimes: false,
    attributes: false,
    properties: true,
    hyphens: false,
};

fn words(code: &str, language: &Words, out: &mut Tokens) {
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let length = token(rest, language, out);
        at += length;
    }
}

/// Writes the first token of `rest` and gives its length, at least one character's.
fn token(rest: &str, language: &Words, out: &mut Tokens) -> usize {
    let first = rest.chars().next().unwrap_or(' ');
    let (open, close) = language.block_comment;
    if !language.line_comment.is_empty() && rest.starts_with(language.line_comment) {
        let length = rest.find('\n').unwrap_or(rest.len());
        out.marked('c', &rest[..length]);
        return length;
    }
    if !open.is_empty() && rest.starts_with(open) {
        let length = rest[open.len()..].find(close).map_or(rest.len(), |end| open.len() + end + close.len());
        out.marked('c', &rest[..length]);
        return length;
    }
    if language.attributes && (rest.starts_with("#[") || rest.starts_with("#![")) {
        let length = rest.find(']').map_or(rest.len(), |end| end + 1);
        out.marked('p', &rest[..length]);
        return length;
    }
    if language.lifetimes
        && let Some(length) = raw_string(rest)
    {
        out.marked('s', &rest[..length]);
        return length;
    }
    if language.quotes.contains(&first) {
        let length = string(rest, first);
        let property = language.properties && rest[length..].trim_start().starts_with(':');
        out.marked(if property { 'p' } else { 's' }, &rest[..length]);
        return length;
    }
    if language.lifetimes && first == '\'' {
        return quote(rest, out);
    }
    if first.is_ascii_digit() {
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%')))
            .unwrap_or(rest.len());
        // `0..5` is two numbers, and `1.max(2)` a number with a call.
        let length =
            rest[..length].find("..").or_else(|| method_on_number(&rest[..length])).unwrap_or(length);
        out.marked('n', &rest[..length]);
        return length;
    }
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@') || (language.hyphens && c == '-');
    let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
    if length == 0 {
        out.plain(&rest[..first.len_utf8()]);
        return first.len_utf8();
    }
    word(&rest[..length], &rest[length..], language, out);
    length
}

fn method_on_number(text: &str) -> Option<usize> {
    let dot = text.find('.')?;
    text[dot + 1..].starts_with(|c: char| c.is_ascii_alphabetic()).then_some(dot)
}

fn word(word: &str, after: &str, language: &Words, out: &mut Tokens) {
    let call = after.starts_with('(') || (language.lifetimes && after.starts_with("!("));
    if language.keywords.contains(&word) {
        out.marked('k', word);
    } else if language.properties && after.trim_start_matches(' ').starts_with(':') {
        out.marked('p', word);
    } else if language.types_and_calls && call {
        out.marked('f', word);
    } else if language.types_and_calls && word.starts_with(|c: char| c.is_uppercase()) {
        out.marked('t', word);
    } else {
        out.plain(word);
    }
}

/// The length of `"…"` with its escapes. One that is never closed ends with the text.
fn string(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The length of `r"…"` or `r#"…"#`, if the text begins with one.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 1 + hashes + 1;
    Some(inside.find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// A lifetime or a character.
fn quote(rest: &str, out: &mut Tokens) -> usize {
    let mut chars = rest.char_indices().skip(1);
    let character = match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => Some(string(rest, '\'')),
        (Some(_), Some((at, '\''))) => Some(at + 1),
        _ => None,
    };
    if let Some(length) = character {
        out.marked('s', &rest[..length]);
        return length;
    }
    let length =
        rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(rest.len(), |end| end + 1);
    out.marked('t', &rest[..length]);
    length
}

fn by_line(code: &str, out: &mut Tokens, mut line: impl FnMut(&str, usize, &mut Tokens)) {
    for (at, text) in code.split('\n').enumerate() {
        if at > 0 {
            out.plain("\n");
        }
        line(text, at, out);
    }
}

fn toml_line(line: &str, _: usize, out: &mut Tokens) {
    static VALUE: Words = Words { line_comment: "#", quotes: &['"', '\''], ..JSON };
    let trimmed = line.trim_start();
    if trimmed.starts_with('[') && !trimmed.contains('=') {
        return out.marked('t', line);
    }
    match line.split_once('=') {
        Some((key, value)) if !trimmed.starts_with('#') => {
            out.marked('p', key);
            out.plain("=");
            words(value, &VALUE, out);
        }
        _ => words(line, &VALUE, out),
    }
}

fn http_line(line: &str, at: usize, out: &mut Tokens) {
    if at == 0 || line.starts_with("HTTP/") {
        let (first, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
        out.marked('k', first);
        return out.plain(rest);
    }
    match line.split_once(':') {
        Some((name, value)) if !name.is_empty() && !name.contains(' ') => {
            out.marked('p', name);
            out.plain(":");
            out.plain(value);
        }
        _ if line.starts_with(':') => out.marked('c', line),
        _ => out.plain(line),
    }
}

fn console_line(line: &str, _: usize, out: &mut Tokens) {
    match line.strip_prefix("$ ") {
        Some(typed) => {
            let (typed, comment) = typed.split_at(typed.find(" # ").unwrap_or(typed.len()));
            let command = typed.trim_end();
            out.marked('c', "$ ");
            out.marked('i', command);
            out.plain(&typed[command.len()..]);
            out.marked('c', comment);
        }
        None => out.plain(line),
    }
}

fn html(code: &str, out: &mut Tokens) {
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        if rest.starts_with("<!--") {
            let length = rest.find("-->").map_or(rest.len(), |end| end + 3);
            out.marked('c', &rest[..length]);
            at += length;
            continue;
        }
        let opens = rest.starts_with('<')
            && rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!'));
        if opens {
            let length = rest.find('>').map_or(rest.len(), |end| end + 1);
            tag(&rest[..length], out);
            at += length;
            continue;
        }
        // At least one character, be it a `<` that opens nothing.
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let length = rest[first..].find('<').map_or(rest.len(), |end| first + end);
        out.plain(&rest[..length]);
        at += length;
    }
}

fn tag(text: &str, out: &mut Tokens) {
    let name = text.find(|c: char| c.is_whitespace()).unwrap_or(text.len());
    let name = name.min(text.find('>').unwrap_or(text.len()));
    out.marked('t', &text[..name]);
    let mut rest = &text[name..];
    while let Some(first) = rest.chars().next() {
        let (class, length) = match first {
            '"' | '\'' => ('s', string(rest, first)),
            '>' => ('t', 1),
            c if c.is_alphanumeric() => {
                ('p', rest.find(|c: char| !(c.is_alphanumeric() || c == '-')).unwrap_or(rest.len()))
            }
            c => {
                out.plain(&rest[..c.len_utf8()]);
                rest = &rest[c.len_utf8()..];
                continue;
            }
        };
        out.marked(class, &rest[..length]);
        rest = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::words as seen;

    const SAMPLES: [(&str, &str); 9] = [
        (
            "rust",
            "/// Doc \"x\"\n#[derive(Debug)]\npub fn app<'a>(feed: &'a Feed) -> Router {\n    let c = '\\n'; // end\n    let r = r#\"a \"b\" c\"#;\n    format!(\"{c}\\\"\", 1_000..2.0, 1.max(2))\n}\n",
        ),
        (
            "js",
            "/** @param {string} url */\nexport function watchPrices({ url, signal }) {\n  const at = `${url}?after=${1}`;\n  source.onerror = () => { throw new Todo(4); } // é\n}",
        ),
        (
            "html",
            "<!-- hi -->\n<p class=\"a b\" hidden>é <b>1 < 2</b></p>\n<script type=module src='x.js'></script>",
        ),
        ("css", "/* note */\n@media (width > 30rem) { .a-b { color: var(--ink); content: \"x\" } }"),
        ("toml", "# note\n[package]\nname = \"lab3\" # why\nversion.workspace = true\nlist = [1, 2]"),
        ("json", "{\"symbol\": \"BMRI\", \"price\": 6100, \"open\": true}"),
        ("http", "GET /prices HTTP/1.1\naccept: text/event-stream\n\n: comment\ndata: x"),
        ("console", "$ cargo test -p lab3   # grade\nrunning 7 tests"),
        ("text", "a < b & c"),
    ];

    #[test]
    fn colouring_never_changes_what_is_read() {
        for (language, code) in SAMPLES {
            assert_eq!(seen(&highlight(language, code)), code, "{language}");
        }
    }

    #[test]
    fn code_that_is_cut_off_anywhere_is_still_all_there() {
        for (language, code) in SAMPLES {
            for end in (0..code.len()).filter(|end| code.is_char_boundary(*end)) {
                assert_eq!(seen(&highlight(language, &code[..end])), &code[..end], "{language}");
            }
        }
    }

    #[test]
    fn the_tokens_of_each_language_are_told_apart() {
        let shown: Vec<String> = SAMPLES
            .iter()
            .map(|(language, code)| {
                format!("{language}\n{}", highlight(language, code).replace("&#10;", "\n"))
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n\n"));
    }
}
