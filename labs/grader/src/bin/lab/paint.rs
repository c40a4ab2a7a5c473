//! Colour and width of the terminal, and when to do without them.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// When to colour what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Even into a file or a pipe
    Always,
    /// Not at all
    Never,
}

/// Styles text, or leaves it alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Decides from the option given, <https://no-color.org> and the kind of terminal.
    pub(crate) fn new(color: Color) -> Self {
        let on = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
                !refused && !dumb && std::io::stdout().is_terminal()
            }
        };
        Self { on }
    }

    /// Whether anything is coloured at all.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    /// Done, passed, added.
    pub(crate) fn good(self, text: impl Display) -> String {
        self.style(Style::new().fg_color(Some(AnsiColor::Green.into())), text)
    }

    /// Failed, removed.
    pub(crate) fn bad(self, text: impl Display) -> String {
        self.style(Style::new().fg_color(Some(AnsiColor::Red.into())), text)
    }

    /// What deserves a second look.
    pub(crate) fn warn(self, text: impl Display) -> String {
        self.style(Style::new().fg_color(Some(AnsiColor::Yellow.into())), text)
    }

    /// A heading.
    pub(crate) fn bold(self, text: impl Display) -> String {
        self.style(Style::new().bold(), text)
    }

    /// What may be skipped.
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.style(Style::new().dimmed(), text)
    }

    fn style(self, style: Style, text: impl Display) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

/// The width of the terminal in columns: what `COLUMNS` says, else what the terminal says,
/// else nothing, because the output goes to a file or a pipe.
pub(crate) fn columns() -> Option<usize> {
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()) {
        return Some(columns);
    }
    if !std::io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// Prints a line, as `println!` does, and ends quietly when nobody reads any more (`cargo lab | head`).
macro_rules! say {
    ($($words:tt)*) => {
        $crate::paint::print(format_args!("{}\n", format_args!($($words)*)))
    };
}

pub(crate) use say;

/// Prints words at once; see [`say!`].
pub(crate) fn print(words: impl Display) {
    let mut out = std::io::stdout().lock();
    if write!(out, "{words}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
