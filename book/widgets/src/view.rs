//! What a widget is: a state that takes actions and gives a tree to be seen.

pub(crate) use wire::draw::grouped;

use std::fmt::{self, Display, Formatter};

/// A widget's state.
pub trait Widget {
    /// What is to be seen now.
    fn view(&self) -> Vec<Node>;

    /// Takes what the reader did. An action that the widget does not know changes nothing.
    fn act(&mut self, action: &Action<'_>);

    /// Takes a key that was pressed on a slider; gives whether it meant something.
    fn key(&mut self, _key: &str) -> bool {
        false
    }

    /// Takes the time, in milliseconds since any moment, while [`Widget::is_running`].
    fn tick(&mut self, _now: f64) {}

    /// Whether something changes by itself, so that [`Widget::tick`] is to be called before each picture.
    fn is_running(&self) -> bool {
        false
    }

    /// What the page is to do for the widget; asked after each change until there is nothing more. What comes of it,
    /// if anything does, comes to [`Widget::answer`].
    fn ask(&mut self) -> Option<Ask> {
        None
    }

    /// Takes what the page answers: the name says what it is.
    fn answer(&mut self, _name: &str, _answer: &str) {}

    /// Whether what the author wrote inside the element is to be folded away.
    fn folds(&self) -> bool {
        true
    }

    /// A word for the page's style, which may depend on it anywhere: the element's `data-state`.
    fn state(&self) -> Option<&'static str> {
        None
    }

    /// How far the drawing inside the element has been played; nothing where there is none, or it stands whole.
    fn played(&self) -> Option<Played> {
        None
    }
}

/// What a reader did.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// What the control is for: its `data-does` (a button) or `data-sets` (an input).
    pub name: &'a str,
    /// The button's `data-value` or the input's value; a checkbox says `true` or `false`.
    pub value: &'a str,
    /// A number drawn by chance, for whoever needs one.
    pub chance: u32,
}

impl<'a> Action<'a> {
    /// An action that needs no chance.
    pub fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value, chance: 0 }
    }
}

/// Something that a widget wants of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What.
    pub name: &'static str,
    /// The particulars, as JSON.
    pub json: String,
}

/// A part of a drawing that has been played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Played {
    /// The moment at hand, counted from 0. Those before it have been, those after it are to come.
    pub moment: usize,
    /// How much of its way a message has gone: 0 to 1.
    pub way: f64,
}

/// A part of what is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Text, shown as it is.
    Text(String),
    /// An element of HTML.
    Element(Element),
}

/// An element of HTML, its attributes and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub tag: &'static str,
    /// Its attributes. `value`, `checked` and `selected` are what an input shows now; what begins with `--` goes to the
    /// style.
    pub attributes: Vec<(&'static str, String)>,
    /// What is in it.
    pub children: Vec<Node>,
}

/// An element without attributes and content.
#[inline(never)]
pub(crate) fn el(tag: &'static str) -> Element {
    Element { tag, attributes: Vec::new(), children: Vec::new() }
}

/// A paragraph of words in which `backticks` mark code.
#[inline(never)]
pub(crate) fn paragraph(words: &str) -> Element {
    el("p").words(words)
}

/// A button that does something.
pub(crate) fn button(does: &'static str, value: impl Display, words: &str) -> Element {
    pressed(does, &value, words)
}

#[inline(never)]
fn pressed(does: &'static str, value: &dyn Display, words: &str) -> Element {
    el("button").set("type", "button").set("data-does", does).set("data-value", value).words(words)
}

/// An input with its label around it.
#[inline(never)]
pub(crate) fn labelled(label: &str, input: Element) -> Element {
    el("label").with(el("span").words(label)).with(input)
}

/// A menu: what each choice stands for, its words, and which one is chosen.
pub(crate) fn menu<'a>(
    sets: &'static str,
    choices: impl IntoIterator<Item = (&'a str, &'a str)>,
    chosen: &str,
) -> Element {
    let mut menu = el("select").set("data-sets", sets);
    for (value, words) in choices {
        menu = menu.with(option(value, words, value == chosen));
    }
    menu
}

/// One choice of a menu.
#[inline(never)]
pub(crate) fn option(value: &str, words: &str, is_chosen: bool) -> Element {
    el("option").set("value", value).flag("selected", is_chosen).text(words)
}

impl Element {
    /// With an attribute.
    pub(crate) fn set(self, name: &'static str, value: impl Display) -> Self {
        self.put(name, &value)
    }

    /// Apart from [`Self::set`], for any value, and not inlined: the module would be a tenth larger.
    #[inline(never)]
    fn put(mut self, name: &'static str, value: &dyn Display) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// With an attribute that is there or is not.
    pub(crate) fn flag(self, name: &'static str, is_set: bool) -> Self {
        if is_set { self.set(name, "") } else { self }
    }

    /// With a class.
    pub(crate) fn class(self, name: &str) -> Self {
        self.set("class", name)
    }

    /// With one more child.
    pub(crate) fn with(self, child: impl Into<Node>) -> Self {
        self.hold(child.into())
    }

    #[inline(never)]
    fn hold(mut self, child: Node) -> Self {
        self.children.push(child);
        self
    }

    /// With more children.
    pub(crate) fn with_all<T: Into<Node>>(mut self, children: impl IntoIterator<Item = T>) -> Self {
        self.children.extend(children.into_iter().map(Into::into));
        self
    }

    /// With text as it is.
    pub(crate) fn text(self, text: impl Display) -> Self {
        self.write(&text)
    }

    #[inline(never)]
    fn write(self, text: &dyn Display) -> Self {
        self.hold(Node::Text(text.to_string()))
    }

    /// With words in which `backticks` mark code.
    #[inline(never)]
    pub(crate) fn words(mut self, words: &str) -> Self {
        for (index, part) in words.split('`').enumerate() {
            if index % 2 == 1 {
                self = self.with(el("code").text(part));
            } else if !part.is_empty() {
                self = self.text(part);
            }
        }
        self
    }
}

impl From<Element> for Node {
    fn from(element: Element) -> Self {
        Node::Element(element)
    }
}

impl Display for Node {
    /// Writes HTML, an element that holds elements on lines of its own: what the snapshots of the tests show.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Node {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        let Element { tag, attributes, children } = match self {
            Node::Text(text) => return write!(f, "{}", Escaped(text)),
            Node::Element(element) => element,
        };
        write!(f, "<{tag}")?;
        for (name, value) in attributes {
            write!(f, " {name}")?;
            if !value.is_empty() {
                write!(f, "=\"{}\"", Escaped(value))?;
            }
        }
        write!(f, ">")?;
        let is_inline = |node: &Node| match node {
            Node::Text(_) => true,
            Node::Element(element) => matches!(element.tag, "b" | "code" | "small" | "span" | "a" | "option"),
        };
        let in_one_line = children.iter().all(is_inline);
        for child in children {
            if !in_one_line {
                write!(f, "\n{:1$}", "", 2 * depth + 2)?;
            }
            child.write(f, depth + 1)?;
        }
        if !in_one_line {
            write!(f, "\n{:1$}", "", 2 * depth)?;
        }
        write!(f, "</{tag}>")
    }
}

/// Text as it may stand in HTML.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '"' => f.write_str("&quot;")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// `1 byte`, `1 024 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        1 => "1 byte".to_owned(),
        count => format!("{} bytes", grouped(count)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a widget shows, for a snapshot.
    pub(crate) fn shown(widget: &dyn Widget) -> String {
        widget.view().iter().map(|node| format!("{node}\n")).collect()
    }

    #[test]
    fn words_bear_code_between_backticks_and_nothing_becomes_an_element() {
        let node = Node::from(paragraph("`a < b` says <i>nothing</i> & ends"));
        assert_eq!(node.to_string(), "<p><code>a &lt; b</code> says &lt;i>nothing&lt;/i> &amp; ends</p>");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([999, 1_000, 65_536].map(grouped), ["999", "1\u{a0}000", "65\u{a0}536"]);
    }
}
