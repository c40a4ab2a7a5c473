//! What is changed in a client.

use std::ops::Range;

use tree_sitter::Node;

use crate::source::{Edit, Edits, children};

/// Functions that ask a question of each element.
const ASKING: [&str; 6] = ["filter", "some", "every", "find", "findIndex", "findLast"];

/// The edits of a client within a region.
pub(crate) fn edits(text: &str, root: Node<'_>, within: &Range<usize>) -> Vec<Edit> {
    let mut edits = Edits { text, within: within.clone(), all: Vec::new() };
    walk(&mut edits, root);
    edits.all
}

fn walk(edits: &mut Edits<'_>, node: Node<'_>) {
    if node.end_byte() <= edits.within.start || node.start_byte() >= edits.within.end {
        return;
    }
    mutate(edits, node);
    for child in children(node) {
        walk(edits, child);
    }
}

fn mutate(edits: &mut Edits<'_>, node: Node<'_>) {
    let field = |name: &str| node.child_by_field_name(name);
    if is_statement(node.kind()) {
        delete(edits, node);
    }
    match node.kind() {
        "if_statement" | "while_statement" | "do_statement" => {
            if let Some(condition) = field("condition").and_then(|inside| inside.named_child(0)) {
                edits.condition(condition);
            }
        }
        "ternary_expression" => {
            if let Some(condition) = field("condition") {
                edits.condition(condition);
            }
        }
        "for_statement" => {
            if let Some(condition) = field("condition").filter(|node| node.is_named()) {
                edits.condition(condition);
            }
        }
        "else_clause" | "finally_clause" => edits.put(node, ""),
        "try_statement" => {
            if let (Some(body), Some(_)) = (field("body"), field("handler")) {
                edits.keep(node, body);
            }
        }
        "catch_clause" => {
            if let Some(body) = field("body") {
                edits.put(body, "{}");
            }
        }
        "return_statement" if node.named_child_count() > 0 => edits.put(node, "return;"),
        "break_statement" => edits.put(node, "continue;"),
        "continue_statement" => edits.put(node, "break;"),
        "binary_expression" => edits.binary(node),
        "augmented_assignment_expression" => {
            if let Some(operator) = field("operator") {
                edits.assignment(operator);
            }
        }
        "update_expression" => {
            if let Some(operator) = field("operator") {
                edits.put(operator, if edits.of(operator) == "++" { "--" } else { "++" });
            }
        }
        "unary_expression" => {
            if let (Some(operator), Some(argument)) = (field("operator"), field("argument"))
                && matches!(edits.of(operator), "!" | "-" | "+" | "~")
            {
                edits.keep(node, argument);
            }
        }
        "await_expression" => {
            if let Some(awaited) = node.named_child(0) {
                edits.keep(node, awaited);
            }
        }
        "call_expression" => call(edits, node),
        "new_expression" => arguments(edits, node),
        "member_expression" | "subscript_expression" => {
            if let Some(chain) = field("optional_chain") {
                edits.put(chain, if node.kind() == "member_expression" { "." } else { "" });
            }
        }
        "arrow_function" => {
            if let Some(body) = field("body").filter(|body| body.kind() != "statement_block") {
                edits.put(body, "{}");
                if is_asked(edits, node) {
                    edits.put(body, "true");
                    edits.put(body, "false");
                }
            }
        }
        "statement_block" => edits.swap_statements(node),
        "number" => edits.number(node),
        // A property's key goes with its property.
        "string" if !is_key(node) => edits.string(node),
        "template_string" => {
            for part in children(node) {
                edits.put(part, "");
            }
        }
        "regex" => regex(edits, node),
        "true" => edits.put(node, "false"),
        "false" => edits.put(node, "true"),
        "object" => children(node).into_iter().for_each(|property| edits.drop_from_list(property)),
        "array" => {
            let elements = children(node);
            for pair in elements.windows(2) {
                // Whole lists in another order; that of single values is tried by leaving one out.
                if pair.iter().any(|element| element.kind() == "spread_element") {
                    edits.swap(pair[0], pair[1]);
                }
            }
            elements.into_iter().for_each(|element| edits.drop_from_list(element));
        }
        _ => {}
    }
}

fn is_statement(kind: &str) -> bool {
    matches!(
        kind,
        "expression_statement"
            | "return_statement"
            | "throw_statement"
            | "break_statement"
            | "continue_statement"
            | "if_statement"
            | "for_statement"
            | "for_in_statement"
            | "while_statement"
            | "do_statement"
            | "try_statement"
    )
}

/// Where a statement must stand, an empty one does.
fn delete(edits: &mut Edits<'_>, statement: Node<'_>) {
    let in_list = statement
        .parent()
        .is_some_and(|parent| matches!(parent.kind(), "statement_block" | "program" | "switch_case"));
    edits.put(statement, if in_list { "" } else { "{}" });
}

fn call(edits: &mut Edits<'_>, call: Node<'_>) {
    arguments(edits, call);
    let Some(function) = call.child_by_field_name("function") else { return };
    let optional = call.child_by_field_name("optional_chain");
    if let Some(chain) = optional {
        edits.put(chain, "");
    }
    // As a statement of its own it would only be a deleted one.
    let is_statement = call.parent().is_some_and(|parent| parent.kind() == "expression_statement");
    if is_statement || function.kind() == "import" {
        return;
    }
    if let Some(object) = function.child_by_field_name("object") {
        edits.keep(call, object);
    } else if let Some(first) =
        call.child_by_field_name("arguments").and_then(|all| children(all).into_iter().next())
    {
        edits.keep(call, first);
    }
}

fn arguments(edits: &mut Edits<'_>, call: Node<'_>) {
    if let Some(arguments) = call.child_by_field_name("arguments").filter(|all| all.kind() == "arguments") {
        children(arguments).into_iter().for_each(|argument| edits.drop_from_list(argument));
    }
}

/// Whether a function is the argument of one that wants yes or no.
fn is_asked(edits: &Edits<'_>, function: Node<'_>) -> bool {
    let called = function
        .parent()
        .and_then(|arguments| arguments.parent())
        .and_then(|call| call.child_by_field_name("function"))
        .and_then(|called| called.child_by_field_name("property"));
    called.is_some_and(|name| ASKING.contains(&edits.of(name)))
}

fn is_key(node: Node<'_>) -> bool {
    node.parent().is_some_and(|pair| pair.kind() == "pair" && pair.child_by_field_name("key") == Some(node))
}

fn regex(edits: &mut Edits<'_>, regex: Node<'_>) {
    let (Some(pattern), flags) = (regex.child_by_field_name("pattern"), regex.child_by_field_name("flags"))
    else {
        return;
    };
    if let Some(flags) = flags {
        edits.put(flags, "");
    }
    edits.put(pattern, "(?:)");
    edits.put(pattern, "(?!)");
    let text = edits.of(pattern);
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        let place = pattern.start_byte() + at;
        let (start, end) = (place, place + letter.len_utf8());
        match letter {
            // An anchor, not a class that is negated; in a class every letter is itself.
            '^' if before != '[' => edits.replace(start..end, ""),
            '$' => edits.replace(start..end, ""),
            '*' if before != '\\' => edits.replace(start..end, "+"),
            '+' if before != '\\' => {
                edits.replace(start..end, "*");
                edits.replace(start..end, "");
            }
            '?' if before != '\\' && before != '(' => edits.replace(start..end, ""),
            _ => {}
        }
        before = if before == '\\' { ' ' } else { letter };
    }
    // One of several ways.
    let mut at = 0;
    let ways: Vec<_> = text.split('|').collect();
    if ways.len() > 1 && !text.contains('(') {
        for (number, way) in ways.iter().enumerate() {
            let start = pattern.start_byte() + at;
            let range = if number == 0 { start..start + way.len() + 1 } else { start - 1..start + way.len() };
            edits.replace(range, "");
            at += way.len() + 1;
        }
    }
}
