//! The page's side: brings a widget's tree into the document, and what a reader does to the widget.
//!
//! The element stays what it is, light DOM with what the author wrote inside. Beside that stands what the widget
//! shows, in a `div.widget`. The author's content is folded away below it ([`fold`]) or, where it is a drawing, played.

mod drawing;
mod tree;

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use wasm_bindgen::prelude::*;
use web_sys::{
    Element, Event, HtmlElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement, KeyboardEvent,
};

use crate::view::{Action, Node, Widget};
use drawing::Drawing;

/// What a listener of the page is.
type Listener = Closure<dyn FnMut(Event)>;

/// A widget in the page. When it is dropped, by `free`, the page forgets its listeners.
#[wasm_bindgen]
pub struct Attached {
    shell: Rc<RefCell<Shell>>,
}

#[wasm_bindgen]
impl Attached {
    /// Gives the widget what it has asked for.
    ///
    /// # Errors
    /// What the document says, if it cannot be shown.
    pub fn answer(&self, name: &str, answer: &str) -> Result<(), JsValue> {
        self.shell.borrow_mut().widget.answer(name, answer);
        refresh(&self.shell, true)
    }
}

struct Shell {
    widget: Box<dyn Widget>,
    host: HtmlElement,
    /// Holds what the widget shows.
    root: Element,
    shown: Vec<Node>,
    drawing: Option<Drawing>,
    listeners: Vec<(&'static str, Listener)>,
    /// Takes what the widget asks for: its name, and JSON.
    asked: js_sys::Function,
    /// Called before the next picture.
    frame: Option<Closure<dyn FnMut(f64)>>,
    /// Under which number the page knows that `frame` is to be called.
    awaited: Option<i32>,
}

/// Brings a custom element to life. `asked` is called with what the widget wants of the page: a name and JSON.
///
/// # Errors
/// A sentence, if there is no widget for the element or its attribute `score` is none.
#[wasm_bindgen]
pub fn attach(host: HtmlElement, asked: js_sys::Function) -> Result<Attached, JsValue> {
    let name = host.local_name();
    let score = host.get_attribute("score").unwrap_or_default();
    let widget = crate::widget(&name, &score).ok_or("There is nothing to play with here.")?;
    let document = host.owner_document().ok_or("The element is in no document.")?;
    let root = document.create_element("div")?;
    root.set_class_name("widget");
    let drawing = Drawing::find(&host)?;
    // Below a drawing; below a question, and before the answers that give it away; else before all else.
    let next = match drawing {
        Some(_) => None,
        None => host.query_selector(":scope > .answers")?.map(Into::into).or_else(|| host.first_child()),
    };
    host.insert_before(&root, next.as_ref())?;
    let shell = Shell {
        widget,
        host,
        root,
        shown: Vec::new(),
        drawing,
        listeners: Vec::new(),
        asked,
        frame: None,
        awaited: None,
    };
    let shell = Rc::new(RefCell::new(shell));
    listen(&shell)?;
    refresh(&shell, false)?;
    shell.borrow().host.set_attribute("data-ready", "")?;
    Ok(Attached { shell })
}

impl Drop for Shell {
    fn drop(&mut self) {
        for (name, listener) in &self.listeners {
            let _ = self.root.remove_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
        }
        if let (Some(window), Some(awaited)) = (web_sys::window(), self.awaited) {
            let _ = window.cancel_animation_frame(awaited);
        }
        if let Some(drawing) = &mut self.drawing {
            let _ = drawing.show(None, None);
        }
        let _ = self.host.remove_attribute("data-played");
        let _ = self.host.remove_attribute("data-state");
        self.root.remove();
        let _ = self.host.remove_attribute("data-ready");
    }
}

/// Folds what the author wrote into a `<details>` below `root`; its words are the element's `data-fold`.
fn fold(host: &HtmlElement, root: &Element) -> Result<(), JsValue> {
    // It may have been in a page before.
    if host.query_selector(":scope > details.folded")?.is_some() {
        return Ok(());
    }
    let document = host.owner_document().ok_or("The element is in no document.")?;
    let details = document.create_element("details")?;
    details.set_class_name("folded");
    let summary = document.create_element("summary")?;
    summary.set_text_content(host.get_attribute("data-fold").as_deref());
    details.append_child(&summary)?;
    while let Some(child) = root.next_sibling() {
        details.append_child(&child)?;
    }
    host.append_child(&details)?;
    Ok(())
}

fn listen(shell: &Rc<RefCell<Shell>>) -> Result<(), JsValue> {
    let add = |name: &'static str, what: fn(&Rc<RefCell<Shell>>, &Event) -> Result<(), JsValue>| {
        let weak = Rc::downgrade(shell);
        let listener = Listener::new(move |event: Event| {
            if let Some(shell) = weak.upgrade() {
                let _ = what(&shell, &event);
            }
        });
        let mut shell = shell.borrow_mut();
        shell.root.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref())?;
        shell.listeners.push((name, listener));
        Ok::<(), JsValue>(())
    };
    add("click", clicked)?;
    add("input", typed)?;
    add("keydown", pressed)?;
    let weak = Rc::downgrade(shell);
    shell.borrow_mut().frame = Some(Closure::new(move |now| framed(&weak, now)));
    Ok(())
}

/// The element that an event is about: the nearest one around its target with this attribute.
fn about(event: &Event, attribute: &str) -> Option<Element> {
    event.target()?.dyn_into::<Element>().ok()?.closest(&format!("[{attribute}]")).ok()?
}

fn clicked(shell: &Rc<RefCell<Shell>>, event: &Event) -> Result<(), JsValue> {
    let Some(button) = about(event, "data-does") else { return Ok(()) };
    let name = button.get_attribute("data-does").unwrap_or_default();
    act(shell, &name, &button.get_attribute("data-value").unwrap_or_default())
}

fn typed(shell: &Rc<RefCell<Shell>>, event: &Event) -> Result<(), JsValue> {
    let Some(input) = about(event, "data-sets") else { return Ok(()) };
    let name = input.get_attribute("data-sets").unwrap_or_default();
    let value = if let Some(input) = input.dyn_ref::<HtmlInputElement>() {
        match input.type_().as_str() {
            "checkbox" => input.checked().to_string(),
            _ => input.value(),
        }
    } else if let Some(menu) = input.dyn_ref::<HtmlSelectElement>() {
        menu.value()
    } else if let Some(text) = input.dyn_ref::<HtmlTextAreaElement>() {
        text.value()
    } else {
        return Ok(());
    };
    act(shell, &name, &value)
}

fn act(shell: &Rc<RefCell<Shell>>, name: &str, value: &str) -> Result<(), JsValue> {
    let chance = (js_sys::Math::random() * f64::from(u32::MAX)) as u32;
    shell.borrow_mut().widget.act(&Action { name, value, chance });
    refresh(shell, true)
}

/// Shows what the widget shows now, and passes on what it asks for.
fn refresh(shell: &Rc<RefCell<Shell>>, follows: bool) -> Result<(), JsValue> {
    shell.borrow_mut().refresh(follows)?;
    loop {
        let (asked, ask) = {
            let mut shell = shell.borrow_mut();
            (shell.asked.clone(), shell.widget.ask())
        };
        // The page may answer at once: nothing is borrowed then.
        let Some(ask) = ask else { return Ok(()) };
        asked.call2(&JsValue::NULL, &ask.name.into(), &ask.json.into())?;
    }
}

/// Keys: arrows within a row of buttons that is one stop for Tab, and those that a widget takes.
fn pressed(shell: &Rc<RefCell<Shell>>, event: &Event) -> Result<(), JsValue> {
    let Some(key) = event.dyn_ref::<KeyboardEvent>() else { return Ok(()) };
    if key.ctrl_key() || key.alt_key() || key.meta_key() {
        return Ok(());
    }
    if let (Some(row), Some(button)) = (about(event, "data-roving"), about(event, "data-does")) {
        return rove(&row, &button, key);
    }
    let on_a_range = about(event, "data-sets")
        .and_then(|input| input.dyn_into::<HtmlInputElement>().ok())
        .is_some_and(|input| input.type_() == "range");
    // Elsewhere they are typed, or press a button.
    let taken = on_a_range && shell.borrow_mut().widget.key(&key.key());
    if taken {
        event.prevent_default();
        refresh(shell, true)?;
    }
    Ok(())
}

fn rove(row: &Element, from: &Element, key: &KeyboardEvent) -> Result<(), JsValue> {
    let buttons = row.query_selector_all("button:enabled")?;
    let at = |index: u32| buttons.item(index).and_then(|button| button.dyn_into::<HtmlElement>().ok());
    let last = buttons.length().saturating_sub(1);
    let Some(here) =
        (0..=last).find(|index| at(*index).is_some_and(|button| button.is_same_node(Some(from))))
    else {
        return Ok(());
    };
    // Rows have different lengths: up and down go to the byte that is nearest above and below.
    let vertical = |down: bool| {
        let place = from.get_bounding_client_rect();
        let middle = (place.left() + place.right()) / 2.0;
        let beyond = |index: &u32| {
            at(*index).is_some_and(|button| {
                let there = button.get_bounding_client_rect();
                if down { there.top() >= place.bottom() } else { there.bottom() <= place.top() }
            })
        };
        let far = |index: &u32| {
            at(*index).map_or(f64::MAX, |button| {
                let there = button.get_bounding_client_rect();
                let rows = (there.top() - place.top()).abs() * 100.0;
                rows + ((there.left() + there.right()) / 2.0 - middle).abs()
            })
        };
        (0..=last).filter(beyond).min_by(|one, other| far(one).total_cmp(&far(other))).unwrap_or(here)
    };
    let next = match key.key().as_str() {
        "ArrowRight" => (here + 1).min(last),
        "ArrowLeft" => here.saturating_sub(1),
        "ArrowDown" => vertical(true),
        "ArrowUp" => vertical(false),
        "Home" => 0,
        "End" => last,
        _ => return Ok(()),
    };
    key.prevent_default();
    if let Some(button) = at(next) {
        from.set_attribute("tabindex", "-1")?;
        button.set_attribute("tabindex", "0")?;
        button.focus()?;
    }
    Ok(())
}

/// Runs what changes by itself.
fn framed(shell: &Weak<RefCell<Shell>>, now: f64) {
    if let Some(shell) = shell.upgrade() {
        {
            let mut shell = shell.borrow_mut();
            shell.awaited = None;
            shell.widget.tick(now);
        }
        let _ = refresh(&shell, true);
    }
}

impl Shell {
    /// Shows what the widget shows now. `follows`: the reader looks on, so that the drawing may come into sight.
    fn refresh(&mut self, follows: bool) -> Result<(), JsValue> {
        let next = self.widget.view();
        let held = tree::focus_in(&self.root);
        tree::patch(&self.root, &self.shown, &next)?;
        self.shown = next;
        tree::keep_focus(&self.root, held)?;
        self.copy_words()?;
        if self.drawing.is_none() && self.widget.folds() {
            fold(&self.host, &self.root)?;
        }
        match self.widget.state() {
            Some(state) => self.host.set_attribute("data-state", state)?,
            None => self.host.remove_attribute("data-state")?,
        }
        let played = self.widget.played();
        // Before the bar's place is asked for.
        if played.is_some() {
            self.host.set_attribute("data-played", "")?;
        } else {
            self.host.remove_attribute("data-played")?;
        }
        if let Some(drawing) = &mut self.drawing {
            drawing.show(played, follows.then_some(&self.root))?;
        }
        if self.widget.is_running()
            && self.awaited.is_none()
            && let (Some(window), Some(frame)) = (web_sys::window(), &self.frame)
        {
            self.awaited = Some(window.request_animation_frame(frame.as_ref().unchecked_ref())?);
        }
        Ok(())
    }

    /// Copies the author's words, which may hold code and links, to where the widget has left room for them.
    fn copy_words(&self) -> Result<(), JsValue> {
        let places = self.root.query_selector_all("[data-copy]:empty")?;
        for place in (0..places.length()).filter_map(|index| places.item(index)?.dyn_into::<Element>().ok()) {
            let number: usize = place.get_attribute("data-copy").and_then(|at| at.parse().ok()).unwrap_or(0);
            let words =
                self.host.query_selector(&format!(".answers > :nth-child({}) summary > span", number + 1))?;
            if let Some(words) = words {
                place.set_inner_html(&words.inner_html());
            }
        }
        Ok(())
    }
}
