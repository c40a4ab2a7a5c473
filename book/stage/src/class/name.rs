//! Names on the board: text that strangers wrote and a whole class reads.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many characters a name may have.
const LONGEST: usize = 40;

/// A name that can be shown: one line, nothing invisible in it, of bounded length.
///
/// It is text still: whoever writes HTML escapes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Name(String);

impl Name {
    /// Takes a name as it was typed: blanks around it go, and several in a row become one.
    ///
    /// # Errors
    /// A sentence for the person who typed it.
    pub(crate) fn read(typed: &str) -> Result<Self, String> {
        if let Some(odd) = typed.chars().find(|&odd| is_hidden(odd)) {
            return Err(format!(
                "A name is made of characters that one sees: U+{:04X} is not one of them. Leave it out.",
                u32::from(odd)
            ));
        }
        let name = typed.split_whitespace().collect::<Vec<_>>().join(" ");
        let length = name.chars().count();
        if length > LONGEST {
            return Err(format!("A name has {LONGEST} characters at most, and this one has {length}."));
        }
        if !name.chars().any(char::is_alphanumeric) {
            return Err("A name has a letter or a digit in it.".to_owned());
        }
        Ok(Self(name))
    }

    /// The name, or the first of `name 2`, `name 3` … that nobody else has. Two names are one if a reader cannot
    /// tell them apart at a glance: by case, or by a joiner between two letters.
    pub(crate) fn apart_from<'a>(self, taken: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let is_free = |name: &Self| taken.clone().all(|other| other.key() != name.key());
        if is_free(&self) {
            return self;
        }
        let numbered = |number: usize| {
            let ending = format!(" {number}");
            let room = LONGEST - ending.chars().count();
            let stem: String = self.0.chars().take(room).collect();
            Self(format!("{}{ending}", stem.trim_end()))
        };
        // There are more numbers than names.
        (2..).map(numbered).find(is_free).unwrap_or(self)
    }

    /// The name, as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn key(&self) -> String {
        self.0.chars().filter(|&c| !is_joiner(c)).flat_map(char::to_lowercase).collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What some scripts and emoji need between two characters.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// What cannot be seen, or turns the text around it: control and format characters, bidirectional controls, blanks
/// that look like nothing, line and paragraph separators, tags, private use.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E000}'..='\u{F8FF}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(typed: &str) -> Name {
        Name::read(typed).unwrap()
    }

    #[test]
    fn names_of_many_scripts_are_taken_as_they_are() {
        for typed in [
            "Sari",
            "Søren Ångström",
            "李小龍",
            "محمد",
            "שרה",
            "Nguyễn Thị",
            "👩\u{200D}🔬 Ada",
            "می\u{200C}خواهم",
        ] {
            assert_eq!(name(typed).as_str(), typed);
        }
        assert_eq!(name("  Sari \u{3000}  Dewi ").as_str(), "Sari Dewi");
    }

    #[test]
    fn a_name_with_markup_is_text_like_any_other() {
        assert_eq!(name("<b>Sari</b>").as_str(), "<b>Sari</b>");
    }

    #[test]
    fn what_one_cannot_see_is_refused_by_its_number() {
        for odd in [
            "Sari\u{202E}x",
            "a\u{0}",
            "a\nb",
            "a\u{1b}[31m",
            "a\u{200B}b",
            "\u{2066}a",
            "a\u{FEFF}",
            "a\u{E0041}",
        ] {
            let told = Name::read(odd).unwrap_err();
            assert!(told.contains("U+"), "{told}");
        }
    }

    #[test]
    fn a_name_has_a_length_and_something_to_read() {
        assert!(Name::read(&"x".repeat(LONGEST)).is_ok());
        let told = Name::read(&"x".repeat(10_000)).unwrap_err();
        assert_eq!(told, "A name has 40 characters at most, and this one has 10000.");
        for empty in ["", "   ", "…", "\u{3000}"] {
            assert!(Name::read(empty).is_err(), "{empty:?}");
        }
    }

    #[test]
    fn the_second_of_a_name_gets_a_number() {
        let mut taken = Vec::new();
        for typed in ["Sari", "sari", "SA\u{200D}RI", "Budi"] {
            let told_apart = name(typed).apart_from(taken.iter());
            taken.push(told_apart);
        }
        let names: Vec<&str> = taken.iter().map(Name::as_str).collect();
        assert_eq!(names, ["Sari", "sari 2", "SA\u{200D}RI 3", "Budi"]);
    }

    #[test]
    fn a_long_name_keeps_its_bound_with_a_number() {
        let long = name(&"x".repeat(LONGEST));
        let second = long.clone().apart_from(std::iter::once(&long));
        assert_eq!(second.as_str().chars().count(), LONGEST);
        assert!(second.as_str().ends_with("x 2"));
    }
}
