//! What is changed in a server.

use std::ops::Range;

use tree_sitter::Node;

use crate::source::{Edit, Edits, children, parse};

/// Methods that ask a question of each element.
const ASKING: [&str; 11] = [
    "all",
    "any",
    "filter",
    "find",
    "is_none_or",
    "is_ok_and",
    "is_some_and",
    "position",
    "retain",
    "skip_while",
    "take_while",
];

/// The edits of a server within a region.
pub(crate) fn edits(text: &str, root: Node<'_>, within: &Range<usize>) -> Vec<Edit> {
    let mut edits = Edits { text, within: within.clone(), all: Vec::new() };
    walk(&mut edits, root);
    edits.all
}

fn walk(edits: &mut Edits<'_>, node: Node<'_>) {
    if node.end_byte() <= edits.within.start || node.start_byte() >= edits.within.end {
        return;
    }
    if node.kind() == "macro_invocation" {
        macros(edits, node);
    }
    mutate(edits, node);
    for child in children(node) {
        walk(edits, child);
    }
}

fn mutate(edits: &mut Edits<'_>, node: Node<'_>) {
    let field = |name: &str| node.child_by_field_name(name);
    match node.kind() {
        "expression_statement" => edits.put(node, ""),
        "let_declaration" if field("pattern").is_some_and(|pattern| edits.of(pattern) == "_") => {
            edits.put(node, "");
        }
        "if_expression" | "while_expression" => {
            if let Some(condition) = field("condition") {
                conditions(edits, condition);
            }
        }
        "else_clause" => edits.put(node, ""),
        "match_arm" => {
            edits.put(node, "");
            if let Some(body) = field("value").filter(|body| body.kind() == "block") {
                edits.put(body, "{}");
            }
        }
        "match_pattern" => {
            if let (Some(pattern), Some(condition)) = (node.named_child(0), field("condition")) {
                edits.replace(pattern.end_byte()..condition.end_byte(), "");
                conditions(edits, condition);
            }
        }
        "binary_expression" => edits.binary(node),
        "compound_assignment_expr" => {
            if let Some(operator) = field("operator") {
                edits.assignment(operator);
            }
        }
        "unary_expression" => {
            if let Some(inner) = node.named_child(0).filter(|_| !edits.of(node).starts_with('*')) {
                edits.keep(node, inner);
            }
        }
        "await_expression" if node.parent().is_some_and(|parent| parent.kind() == "expression_statement") => {
            if let Some(future) = node.named_child(0) {
                edits.keep(node, future);
            }
        }
        "call_expression" => call(edits, node),
        "closure_expression" => {
            if let Some(body) = field("body").filter(|_| is_asked(edits, node)) {
                edits.put(body, "true");
                edits.put(body, "false");
            }
        }
        "break_expression" if node.named_child_count() == 0 => edits.put(node, "continue"),
        "continue_expression" if node.named_child_count() == 0 => edits.put(node, "break"),
        "range_expression" => {
            for operator in node.children(&mut node.walk()).filter(|child| !child.is_named()) {
                match edits.of(operator) {
                    ".." => edits.put(operator, "..="),
                    "..=" => edits.put(operator, ".."),
                    _ => {}
                }
            }
        }
        "array_expression" | "tuple_expression" if node.named_child_count() > 1 => {
            children(node).into_iter().for_each(|element| edits.drop_from_list(element));
        }
        "scoped_identifier" => match field("path").map(|path| edits.of(path)) {
            Some("StatusCode") => edits.put(node, "StatusCode::IM_A_TEAPOT"),
            Some("header") => edits.put(node, "header::AGE"),
            _ => {}
        },
        "block" => edits.swap_statements(node),
        "integer_literal" => edits.number(node),
        "string_literal" if !is_key(node) && !is_expectation(edits, node) => edits.string(node),
        "boolean_literal" => edits.put(node, if edits.of(node) == "true" { "false" } else { "true" }),
        _ => {}
    }
}

/// A condition, or each of those in a chain that has `let` in it.
fn conditions(edits: &mut Edits<'_>, condition: Node<'_>) {
    match condition.kind() {
        "let_condition" => {}
        "let_chain" => children(condition).into_iter().for_each(|part| conditions(edits, part)),
        _ => edits.condition(condition),
    }
}

fn call(edits: &mut Edits<'_>, call: Node<'_>) {
    let (Some(mut function), Some(arguments)) =
        (call.child_by_field_name("function"), call.child_by_field_name("arguments"))
    else {
        return;
    };
    if function.kind() == "generic_function"
        && let Some(inner) = function.child_by_field_name("function")
    {
        function = inner;
    }
    let arguments = children(arguments);
    if let Some(object) = function.child_by_field_name("value") {
        // A link of a chain, or what stands in for the whole of it.
        edits.keep(call, object);
        if let [only] = arguments.as_slice()
            && only.kind() != "closure_expression"
        {
            edits.keep(call, *only);
        }
        return;
    }
    match (edits.of(function), arguments.first()) {
        ("Some", Some(_)) => edits.put(call, "None"),
        ("Ok", Some(_)) => edits.put(function, "Err"),
        ("Err", Some(_)) => edits.put(function, "Ok"),
        (_, Some(first)) => edits.keep(call, *first),
        (_, None) => {}
    }
}

/// Whether a closure is the argument of a method that wants yes or no.
fn is_asked(edits: &Edits<'_>, closure: Node<'_>) -> bool {
    let called = closure
        .parent()
        .and_then(|arguments| arguments.parent())
        .and_then(|call| call.child_by_field_name("function"))
        .and_then(|called| called.child_by_field_name("field"));
    called.is_some_and(|name| ASKING.contains(&edits.of(name)))
}

/// A member's name, which goes with the member.
fn is_key(string: Node<'_>) -> bool {
    string.next_sibling().is_some_and(|next| next.kind() == ":")
}

/// What a panic would say that never comes.
fn is_expectation(edits: &Edits<'_>, string: Node<'_>) -> bool {
    let call = string.parent().and_then(|arguments| arguments.parent());
    let called = call.and_then(|call| call.child_by_field_name("function"));
    called
        .and_then(|called| called.child_by_field_name("field"))
        .is_some_and(|name| edits.of(name) == "expect")
}

/// What stands in a macro is tokens to the parser. Those whose form is known are taken apart, and parsed anew.
fn macros(edits: &mut Edits<'_>, invocation: Node<'_>) {
    let name = invocation.child_by_field_name("macro").map_or("", |name| edits.of(name));
    let Some(tokens) = invocation.children(&mut invocation.walk()).find(|child| child.kind() == "token_tree")
    else {
        return;
    };
    match name.rsplit(':').next() {
        Some("select") => select(edits, tokens),
        Some("json") => json(edits, &inside(tokens)),
        _ => split(&inside(tokens), ",").into_iter().for_each(|part| expression(edits, part)),
    }
}

/// The tokens between a tree's brackets.
fn inside(tree: Node<'_>) -> Vec<Node<'_>> {
    let mut tokens: Vec<_> =
        tree.children(&mut tree.walk()).filter(|token| !token.kind().ends_with("comment")).collect();
    tokens.pop();
    tokens.drain(..1.min(tokens.len()));
    tokens
}

/// The parts between separators.
fn split<'a, 'b>(tokens: &'b [Node<'a>], separator: &str) -> Vec<&'b [Node<'a>]> {
    tokens.split(|token| token.kind() == separator).filter(|part| !part.is_empty()).collect()
}

fn span(tokens: &[Node<'_>]) -> Range<usize> {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => first.start_byte()..last.end_byte(),
        _ => 0..0,
    }
}

/// The arms of `tokio::select!`: `pattern = future, if condition => handler`.
fn select(edits: &mut Edits<'_>, tree: Node<'_>) {
    let tokens = inside(tree);
    let mut rest = tokens.as_slice();
    if let Some(at) = rest.iter().position(|token| token.kind() == ";") {
        rest = &rest[at + 1..];
    }
    while let Some(arrow) = rest.iter().position(|token| edits.of(*token) == "=>") {
        let after = &rest[arrow + 1..];
        let end = if after.first().is_some_and(|token| edits.of(*token).starts_with('{')) {
            1
        } else {
            after.iter().position(|token| token.kind() == ",").unwrap_or(after.len())
        };
        let whole = arrow + 1 + end;
        let whole = whole + usize::from(rest.get(whole).is_some_and(|token| token.kind() == ","));
        edits.replace(span(&rest[..whole]), "");
        if let Some(equals) = rest[..arrow].iter().position(|token| edits.of(*token) == "=") {
            let asked = &rest[equals + 1..arrow];
            let guard = asked.windows(2).position(|pair| pair[0].kind() == "," && edits.of(pair[1]) == "if");
            expression(edits, &asked[..guard.unwrap_or(asked.len())]);
            if let Some(guard) = guard {
                let condition = &asked[guard + 2..];
                edits.replace(span(&asked[guard..]), "");
                edits.replace(span(condition), "false");
                edits.replace(span(condition), format!("!({})", &edits.text[span(condition)]));
                expression(edits, condition);
            }
        }
        expression(edits, &after[..end]);
        rest = &rest[whole..];
    }
}

/// A JSON value: a member of an object may go, and what it says be another.
fn json(edits: &mut Edits<'_>, tokens: &[Node<'_>]) {
    let [tree] = tokens else { return expression(edits, tokens) };
    if tree.kind() != "token_tree" {
        return expression(edits, tokens);
    }
    let members = inside(*tree);
    for member in split(&members, ",") {
        let mut range = span(member);
        let comma = members.iter().find(|token| token.kind() == "," && token.start_byte() >= range.end);
        range.end = comma.map_or(range.end, |comma| comma.end_byte());
        edits.replace(range, "");
        let value = member.iter().position(|token| token.kind() == ":").map_or(0, |colon| colon + 1);
        json(edits, &member[value..]);
    }
}

/// Parses tokens as the expression that they are in the end, at the same place, and goes on in it.
fn expression(edits: &mut Edits<'_>, tokens: &[Node<'_>]) {
    const BEFORE: &str = "fn f(){";
    let range = span(tokens);
    if range.start < BEFORE.len() || range.is_empty() {
        return;
    }
    let alone = format!("{}{BEFORE}{}}}", " ".repeat(range.start - BEFORE.len()), &edits.text[range.clone()]);
    let tree = parse(&tree_sitter_rust::LANGUAGE.into(), &alone);
    if tree.root_node().has_error() {
        return;
    }
    let outer = edits.within.clone();
    edits.within = range.start.max(outer.start)..range.end.min(outer.end);
    let body = tree.root_node().descendant_for_byte_range(range.start, range.end);
    if let Some(body) = body {
        walk(edits, body);
    }
    edits.within = outer;
}
