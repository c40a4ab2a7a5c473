//! What the log says: of whom a line speaks, and never what lets anybody in.

use serde_json::{Value, json};

use super::{
    play::{Answer, Play},
    strangers::Log,
};

/// A request with a body, as a page of the stage sends it.
async fn send(play: &Play, target: &str, header: (&str, &str), body: &str) -> Answer {
    let length = body.len().to_string();
    let headers = [header, ("sec-fetch-site", "same-origin"), ("content-length", length.as_str())];
    let request = play.request("POST", target, &headers, "close");
    play.send(&[request.as_bytes(), body.as_bytes()].concat()).await
}

/// Lets everything that these tests wait for be said once. While there is one subscriber alone, a callsite that another
/// thread is the first to meet is deaf to it; the next subscriber that begins is heard by all that were met before.
async fn everything_is_said_once() {
    let _first = Log::of("trace");
    let play = Play::begin().await;
    let cookie = play.visit_lab(5).await;
    play.ask("POST", "/live/lab5/-/cut?page=1", &[("cookie", &cookie)]).await;
    drop(play.trader(&cookie).await);
    play.until("the floor is empty", || play.climate.connected(10).is_empty()).await;
}

#[tokio::test]
async fn a_line_says_of_whom_it_speaks() {
    everything_is_said_once().await;
    let log = Log::of("info");
    let play = Play::begin().await;
    let cookie = play.visit_lab(5).await;
    let refused = play.ask("POST", "/live/lab5/-/cut?page=1", &[("cookie", &cookie)]).await;
    assert_eq!(refused.status, 403, "no page of the stage's own has asked: {refused:?}");
    let trader = play.trader(&cookie).await;
    drop(trader);
    play.until("both are told", || log.text().contains("a WebSocket is over")).await;
    let text = log.text();
    let line = |words: &str| {
        text.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no `{words}` in:\n{text}"))
    };
    for part in ["connection{peer=127.0.0.1:", "request{method=POST path=\"/live/lab5/-/cut\"", "status=403"]
    {
        assert!(line("a request was refused").contains(part), "no `{part}` in:\n{text}");
    }
    let parts =
        ["connection{peer=127.0.0.1:", "path=\"/live/lab5/floor\"", "lab=5", "technique=\"ws\"", "visitor=1"];
    for part in parts {
        assert!(line("a WebSocket is over").contains(part), "no `{part}` in:\n{text}");
    }
    assert!(text.lines().count() <= 4, "what goes well is not told request by request:\n{text}");
}

#[tokio::test]
async fn nothing_that_lets_anybody_in_stands_in_the_log() {
    everything_is_said_once().await;
    // All that the stage can say, and everything beneath it.
    let log = Log::of("trace");
    let play = Play::begin().await;
    let key = play.link.split_once('=').unwrap().1.to_owned();
    let opened = play.get(&play.link).await;
    let instructor = opened.cookie();
    let again = play.get(&play.link).await;
    assert_eq!((opened.status, again.status), (303, 403));
    let device = send(&play, "/instructor/link", ("cookie", &instructor), "").await.body;
    let other_key = device.split_once("/instructor?key=").unwrap().1.split('"').next().unwrap().to_owned();

    let member = play.get("/class/me").await.cookie();
    assert_eq!(send(&play, "/class/me/name", ("cookie", &member), "name=Sari").await.status, 204);
    let page = play.ask("GET", "/class/me", &[("cookie", &member)]).await.body;
    let code = page.split_once("/join/").unwrap().1.split('<').next().unwrap().to_owned();
    play.get(&format!("/join/{code}")).await;
    let refused = send(&play, &format!("/join/{code}"), ("cookie", &member), "").await;
    assert_eq!(refused.status, 405);

    let joined =
        send(&play, "/class/join", ("accept", "*/*"), &json!({ "version": 1, "name": "Budi" }).to_string())
            .await;
    let token = serde_json::from_str::<Value>(&joined.body).unwrap()["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let refused = send(&play, "/class/report", ("authorization", &bearer), "{}").await;
    assert_eq!(refused.status, 400);
    let visitor = play.visit_lab(3).await;
    let stream = play.stream("/live/lab3/prices/stream", &[("cookie", &visitor)]).await;
    play.post("/live/lab3/-/cut", &visitor).await;
    drop(stream);
    let refused = play.ask("POST", "/class/vote", &[("cookie", &member)]).await;
    assert_eq!(refused.status, 403);

    play.until("the last refusal is told", || log.text().contains("path=\"/class/vote\"")).await;
    let text = log.text();
    assert!(text.contains("path=\"/join/…\""), "the code's address is told without the code:\n{text}");
    let value = |cookie: &str| cookie.split_once('=').unwrap().1.to_owned();
    for (what, secret) in [
        ("a link's key", key),
        ("another device's key", other_key),
        ("the instructor's cookie", value(&instructor)),
        ("a member's cookie", value(&member)),
        ("a member's code", code),
        ("a token of `cargo lab`", token),
        ("a visitor's cookie", value(&visitor)),
    ] {
        assert!(secret.len() >= 8, "{what} is no secret: {secret}");
        assert!(!text.contains(&secret), "{what} stands in the log:\n{text}");
    }
}
