//! Lab 4 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Heads, Room, snapshots};

#[path = "../../../../labs/lab4-fetch-stream/tests/checks/client/mod.rs"]
mod client;

/// The lab, as far as the page can grade it: what is
/// said of it here is what the lab says itself; `tests/labs.rs` sees to that.
pub(crate) const ROOM: Room = Room {
    lab: Lab {
        name: "lab4",
        number: 4,
        title: "an assistant that answers token by token",
        folder: "labs/lab4-fetch-stream",
        chapter: "04-streaming-with-fetch.md",
        contract: include_str!("../../../../labs/lab4-fetch-stream/contract.md"),
        start: include_str!("../../../../labs/lab4-fetch-stream/tests/start.txt"),
        checks: &[client::TODO_4, client::TODO_5, client::TODO_6, client::TODO_7],
    },
    snapshots: snapshots!["lab4-fetch-stream":
        todo_4_rule_by_rule,
        todo_4_any_stream,
        todo_4_from_the_line,
        todo_5_asks,
        todo_5_any_question,
        todo_5_any_tokens,
        todo_6_no_answer,
        todo_6_other_statuses,
        todo_6_other_types,
        todo_6_finished,
        todo_6_truncated,
        todo_6_failed,
        todo_6_last_words,
        todo_6_pauses,
        todo_7_never_begins,
        todo_7_in_the_answer,
        todo_7_in_a_chunk,
        todo_7_before_the_answer,
        todo_7_any_reason,
        todo_7_after_the_end,
        todo_7_after_the_last_word,
    ],
    app: lab4_solution::app,
    exports: &["ask"],
    start: "globalThis.stop = new AbortController();
        client.ask('Follow the market', {
            url: '/ask',
            token: 'demo',
            onToken: (token) => say('token', token),
            signal: stop.signal,
        }).then(({ outcome }) => say('outcome', outcome));",
    stop: "stop.abort()",
    client: include_str!("../../../../solutions/lab4-fetch-stream/web/client.js"),
    // The lab's client asks once. Somebody who follows the market asks again when the answer has broken off.
    measured: "(async () => {
        for (;;) {
            await client.ask('Follow the market', {
                url: '/ask',
                token: 'demo',
                onToken: (token) => say('show', JSON.parse(token)),
                signal: new AbortController().signal,
            });
            await new Promise((again) => setTimeout(again, 1000));
        }
    })()",
    chromium: Heads { first: 620, later: 0 },
};
