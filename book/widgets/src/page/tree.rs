//! Brings a tree into the document, and changes there only what has changed: what has the focus keeps it.

use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, HtmlElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};

use crate::view::{self, Node};

/// Makes of what `shown` drew inside `parent` what `next` says.
pub(super) fn patch(parent: &Element, shown: &[Node], next: &[Node]) -> Result<(), JsValue> {
    let Some(document) = parent.owner_document() else { return Ok(()) };
    let places = parent.child_nodes();
    for (index, node) in next.iter().enumerate() {
        let place = places.item(index as u32);
        match (shown.get(index), node, place) {
            (Some(before), after, Some(_)) if before == after => {}
            (Some(Node::Text(_)), Node::Text(text), Some(place)) => place.set_text_content(Some(text)),
            (Some(Node::Element(before)), Node::Element(after), Some(place)) if before.tag == after.tag => {
                let place: Element = place.unchecked_into();
                attributes(&place, &before.attributes, &after.attributes)?;
                patch(&place, &before.children, &after.children)?;
                values(&place, after)?;
            }
            (_, node, Some(place)) => {
                parent.replace_child(&made(&document, node)?, &place)?;
            }
            (_, node, None) => {
                parent.append_child(&made(&document, node)?)?;
            }
        }
    }
    for index in (next.len()..shown.len()).rev() {
        if let Some(place) = places.item(index as u32) {
            parent.remove_child(&place)?;
        }
    }
    Ok(())
}

fn made(document: &Document, node: &Node) -> Result<web_sys::Node, JsValue> {
    let element = match node {
        Node::Text(text) => return Ok(document.create_text_node(text).into()),
        Node::Element(element) => element,
    };
    let place = document.create_element(element.tag)?;
    attributes(&place, &[], &element.attributes)?;
    for child in &element.children {
        place.append_child(&made(document, child)?)?;
    }
    values(&place, element)?;
    Ok(place.into())
}

type Attributes = [(&'static str, String)];

/// What an input shows is its own, and no attribute.
fn is_value(name: &str) -> bool {
    matches!(name, "value" | "checked" | "selected")
}

fn attributes(place: &Element, before: &Attributes, after: &Attributes) -> Result<(), JsValue> {
    for (name, _) in before {
        // A style stays until another one takes its place: the same elements have the same styles.
        if !name.starts_with("--") && !after.iter().any(|(other, _)| other == name) && !is_value(name) {
            place.remove_attribute(name)?;
        }
    }
    for (name, value) in after {
        // An option's value is an attribute, and stays; so is a progress bar's.
        if is_value(name) && !(*name == "value" && matches!(&*place.local_name(), "option" | "progress")) {
            continue;
        }
        if before.iter().any(|(other, old)| other == name && old == value) {
            continue;
        }
        if name.starts_with("--") {
            // As an attribute, the page's policy would forbid it.
            place.unchecked_ref::<HtmlElement>().style().set_property(name, value)?;
        } else {
            place.set_attribute(name, value)?;
        }
    }
    Ok(())
}

/// Sets what an input shows, if it shows something else; else the caret would jump.
fn values(place: &Element, element: &view::Element) -> Result<(), JsValue> {
    let of = |wanted: &str| {
        element.attributes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
    };
    if let Some(input) = place.dyn_ref::<HtmlInputElement>() {
        match input.type_().as_str() {
            "radio" => {
                input.set_value(of("value").unwrap_or_default());
                input.set_checked(of("checked").is_some());
            }
            "checkbox" => input.set_checked(of("checked").is_some()),
            _ => {
                let value = of("value").unwrap_or_default();
                if input.value() != value {
                    input.set_value(value);
                }
            }
        }
    } else if let Some(text) = place.dyn_ref::<HtmlTextAreaElement>() {
        let value = of("value").unwrap_or_default();
        if text.value() != value {
            text.set_value(value);
        }
    } else if let Some(menu) = place.dyn_ref::<HtmlSelectElement>()
        && let Some(chosen) = chosen(&element.children)
        && menu.value() != chosen
    {
        menu.set_value(chosen);
    }
    Ok(())
}

/// The value of the option that is chosen.
fn chosen(children: &[Node]) -> Option<&str> {
    children.iter().find_map(|child| match child {
        Node::Element(element) if element.tag == "option" => {
            let of = |wanted: &str| element.attributes.iter().find(|(name, _)| *name == wanted);
            of("selected").and(of("value")).map(|(_, value)| value.as_str())
        }
        Node::Element(group) => chosen(&group.children),
        Node::Text(_) => None,
    })
}

/// What had the focus, as far as it can be found again: the button's or the input's purpose.
pub(super) fn focus_in(root: &Element) -> Option<String> {
    let focused = root.owner_document()?.active_element()?;
    root.contains(Some(&focused)).then_some(())?;
    ["data-does", "data-sets"].into_iter().find_map(|attribute| {
        let purpose = focused.get_attribute(attribute)?;
        Some(format!("[{attribute}=\"{purpose}\"]"))
    })
}

/// Gives the focus back to what had it, if the change took it away; else to the first thing there is.
pub(super) fn keep_focus(root: &Element, held: Option<String>) -> Result<(), JsValue> {
    let Some(held) = held else { return Ok(()) };
    let focused = root.owner_document().and_then(|document| document.active_element());
    let is_kept =
        focused.is_some_and(|focused| root.contains(Some(&focused)) && !focused.has_attribute("disabled"));
    if is_kept {
        return Ok(());
    }
    let again = match root.query_selector(&format!("{held}:enabled"))? {
        Some(again) => Some(again),
        None => root.query_selector("button:enabled, input:enabled, select:enabled")?,
    };
    if let Some(again) = again.and_then(|again| again.dyn_into::<HtmlElement>().ok()) {
        again.focus()?;
    }
    Ok(())
}
