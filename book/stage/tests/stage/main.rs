//! The stage over plain TCP: what it serves, refuses, shows and cuts.

#[path = "../common/answer.rs"]
mod answer;
mod browser;
mod console;
mod console_in_browser;
mod hub;
mod log;
mod play;
mod race;
mod race_page;
mod strangers;
mod weather;

use std::{fs, time::Duration};

use play::{Answer, Ending, Play, Streaming, in_order, root};
use serde_json::json;
use stage::{StageError, server};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::{self, protocol::frame::coding::CloseCode};

const LABS: [u8; 5] = [1, 2, 3, 4, 5];

#[tokio::test]
async fn the_root_leads_to_the_english_book() {
    let play = Play::begin().await;
    let answer = play.get("/").await;
    assert_eq!((answer.status, answer.header("location")), (307, Some("/en/")));
    assert_eq!(play.get("/en/").await.status, 200);
    let without_slash = play.get("/en").await;
    assert_eq!((without_slash.status, without_slash.header("location")), (301, Some("/en/")));
}

#[tokio::test]
async fn a_page_travels_compressed_and_is_revalidated() {
    let play = Play::begin().await;
    let plain = play.get("/en/index.html").await;
    assert_eq!(plain.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(plain.header("cache-control"), Some("no-cache"));
    assert_eq!(plain.header("content-encoding"), None);

    let packed = play.ask("GET", "/en/index.html", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let length = |answer: &Answer| answer.header("content-length").unwrap().parse::<usize>().unwrap();
    assert!(length(&packed) * 10 < length(&plain), "{} of {}", length(&packed), length(&plain));

    let tag = plain.header("etag").unwrap();
    let again = play.ask("GET", "/en/index.html", &[("if-none-match", tag)]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));

    let head = play.ask("HEAD", "/en/index.html", &[]).await;
    assert_eq!((head.status, length(&head), head.body.as_str()), (200, length(&plain), ""));
}

#[tokio::test]
async fn a_file_with_its_hash_in_its_name_is_kept_for_ever() {
    let play = Play::begin().await;
    let style = play.get("/en/css/book-0123abcd.css").await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(style.header("cache-control"), Some("public, max-age=31536000, immutable"));
}

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let play = Play::begin().await;
    for target in
        ["/", "/en/", "/en/nothing", "/live/lab3/", "/live/lab3/client.js", "/live/-/stage.css", "/%zz"]
    {
        let answer = play.get(target).await;
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
            "{target}: {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
    }
    let page = play.get("/en/").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("'sha256-LAfYd7pbFUgwfQu8b4q135PeTG2z+/coPEUYCd74eCQ='"), "{policy}");
}

#[tokio::test]
async fn an_odd_request_gets_a_4xx_and_harms_nobody() {
    let play = Play::begin().await;
    let host = play.address;
    let long = "a".repeat(5_000);
    let very_long = "a".repeat(70_000);
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let odd: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("an unknown method", format!("BREW /en/ HTTP/1.1\r\nhost: {host}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n").into(), &[405]),
        ("a post to a page", format!("POST /en/ HTTP/1.1\r\nhost: {host}\r\nsec-fetch-site: same-origin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into(), &[405]),
        ("a delete from nowhere", format!("DELETE /en/ HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[403]),
        ("a post to a room that is read", format!("POST /live/lab3/-/wire HTTP/1.1\r\nhost: {host}\r\nsec-fetch-site: same-origin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into(), &[405]),
        ("a get of a room that acts", format!("GET /live/lab3/-/cut HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[405]),
        ("a long address", format!("GET /{long} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[414]),
        ("a very long address", format!("GET /{very_long} HTTP/1.1\r\nhost: {host}\r\n\r\n").into(), &[414, 431]),
        ("a long header", format!("GET /en/ HTTP/1.1\r\nhost: {host}\r\nx: {very_long}\r\n\r\n").into(), &[431]),
        ("many headers", format!("GET /en/ HTTP/1.1\r\nhost: {host}\r\n{many}\r\n").into(), &[431]),
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), &[400]),
        ("a request line of words", b"hello there stage\r\n\r\n".to_vec(), &[400]),
        ("a broken escape", format!("GET /en/%zz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("half an escape", format!("GET /en/% HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("no UTF-8", format!("GET /en/%ff%fe HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("a zero byte", format!("GET /en/%00 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("a way up", format!("GET /../../../../etc/passwd HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("an escaped way up", format!("GET /en/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("a way up from the lab's page", format!("GET /live/lab3/../../Cargo.toml HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("an escaped one", format!("GET /live/lab3/..%2f..%2fCargo.toml HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("a broken escape in the lab", format!("GET /live/lab3/%zz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400, 404]),
        ("a place in a wire that is no number", format!("GET /live/lab3/-/wire?after=x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("a lab that is not there", format!("GET /live/lab9/ HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("a lab by another name", format!("GET /live/lab03/prices/stream HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("a page whose number is none", format!("GET /live/lab3/-/99999999999/client.js HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("a broken escape in a page of the lab", format!("GET /live/lab3/-/1/%zz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400, 404]),
        ("an upgrade to nothing", format!("GET /live/lab5/floor HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n").into(), &[400, 426]),
        ("a star", format!("GET * HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400, 404]),
        ("a proxy's request", format!("CONNECT evil.example:443 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400, 403, 404, 405]),
    ];
    for (what, bytes, allowed) in odd {
        let answer = play.send(&bytes).await;
        assert!(allowed.contains(&answer.status), "{what}: {answer:?}");
    }
    assert_eq!(play.get("/en/").await.status, 200);
}

#[tokio::test]
async fn a_visitor_s_cookie_stays_in_the_browser_and_on_the_live_pages() {
    let play = Play::begin().await;
    let answer = play.get("/live/lab3/").await;
    let cookie = answer.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/live/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap();
    let again = play.ask("GET", "/live/lab3/", &[("cookie", pair)]).await;
    assert_eq!(again.header("set-cookie"), None, "a visitor who comes back stays the same");
    assert_ne!(play.visit().await, pair, "another one is another");
}

#[tokio::test]
async fn the_lab_s_own_page_and_client_are_served_as_they_are() {
    let play = Play::begin().await;
    for lab in ["lab1-fetch", "lab2-long-polling", "lab3-sse", "lab4-fetch-stream", "lab5-websocket"] {
        let (name, _) = lab.split_once('-').unwrap();
        for file in ["index.html", "page.js", "client.js"] {
            let own = fs::read_to_string(root().join("solutions").join(lab).join("web").join(file)).unwrap();
            for under in ["", "-/1/"] {
                let served = play.get(&format!("/live/{name}/{under}{file}")).await;
                assert_eq!(served.body, own, "{name}: {file}");
            }
        }
        assert_eq!(play.get(&format!("/live/{name}/-/1/look.css")).await.status, 200);
    }
}

#[tokio::test]
async fn a_visitor_sees_their_own_wire_as_it_happens() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &[("cookie", &cookie)]).await;
    panel.until("text/event-stream").await;

    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    play.publish(6_100).await;
    prices.until("id: 1").await;

    panel.until("event price · id 1").await;
    panel.until("6100").await;
    let wire = play.wire(&cookie).await;
    let transcript: wire::Transcript = wire.parse().expect("the wire's text is a transcript");
    assert_eq!(transcript.to_string(), wire);
    assert!(wire.contains("client → server  #1 GET /prices/stream\n"), "{wire}");
    assert!(wire.contains("server → client  #1 200 text/event-stream\n"), "{wire}");
    assert!(!wire.contains("stage_visitor"), "the cookie is nobody's business:\n{wire}");
}

#[tokio::test]
async fn nobody_sees_another_visitor_s_wire() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &anna)]).await;
    prices.until("text/event-stream").await;
    play.wire_with(&anna, "#1 GET").await;
    assert_eq!(play.wire(&budi).await, "");
    for cookie in ["", "stage_visitor=", "stage_visitor=00000000000000000000000000000000"] {
        let answer = play.ask("GET", "/live/lab3/-/wire.txt", &[("cookie", cookie)]).await;
        assert_eq!(answer.status, 404, "{cookie}");
        let answer = play.ask("GET", "/live/lab3/-/wire", &[("cookie", cookie)]).await;
        assert_eq!(answer.status, 204, "{cookie}");
    }
}

#[tokio::test]
async fn a_panel_that_comes_back_goes_on_where_it_broke_off() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    play.publish(1).await;
    let wire = play.wire_with(&cookie, "id 1 ·").await;
    let seen = wire.lines().filter(|line| line.contains(" ms ")).count();
    play.publish(2).await;
    let last = seen.to_string();
    let headers = [("cookie", cookie.as_str()), ("last-event-id", last.as_str())];
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &headers).await;
    panel.until("event price · id 2").await;
    assert!(!panel.text.contains("event price · id 1"), "{}", panel.text);
    assert!(panel.text.contains(&format!("id: {}", seen + 1)), "{}", panel.text);
}

#[tokio::test]
async fn each_of_a_visitor_s_pages_has_its_own_transcript() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    play.ask("GET", "/live/lab3/", &[("cookie", &cookie)]).await;
    for (page, method) in [(2, "GET"), (1, "HEAD")] {
        let target = format!("/live/lab3/-/{page}/prices/stream");
        let mut stream = play.stream_by(method, &target, &[("cookie", &cookie)]).await;
        stream.until("text/event-stream").await;
    }
    play.wire_with(&cookie, "#1 GET").await;
    assert!(!play.wire(&cookie).await.contains("HEAD"), "the newest page did not send it");
    let first = play.ask("GET", "/live/lab3/-/wire.txt?page=1", &[("cookie", &cookie)]).await.body;
    assert!(first.contains("#1 HEAD") && !first.contains("GET"), "{first}");
}

#[tokio::test]
async fn the_page_s_other_files_are_not_drawn() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    // One connection, as a browser uses it: the page's file first, then the stream.
    let mut line = play.stream("/live/lab3/client.js", &[("cookie", &cookie)]).await;
    line.until("watchPrices").await;
    let stream = play.request("GET", "/live/lab3/prices/stream", &[("cookie", &cookie)], "keep-alive");
    line.line.write_all(stream.as_bytes()).await.unwrap();
    line.until("text/event-stream").await;
    let wire = play.wire_with(&cookie, "200 text/event-stream").await;
    assert!(wire.contains("#1 GET /prices/stream"), "{wire}");
    assert!(!wire.contains("client.js"), "{wire}");
}

#[tokio::test]
async fn a_cut_resets_the_visitor_s_own_stream_and_no_other() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut hers = play.stream("/live/lab3/prices/stream", &[("cookie", &anna)]).await;
    let mut his = play.stream("/live/lab3/prices/stream", &[("cookie", &budi)]).await;
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &[("cookie", &anna)]).await;
    hers.until("text/event-stream").await;
    his.until("text/event-stream").await;

    assert_eq!(play.post("/live/lab3/-/cut", &anna).await.status, 204);
    assert_eq!(hers.ending().await, Ending::Reset);
    panel.until("\"words\":\"cut\"").await;
    assert!(play.wire(&anna).await.contains("network          #1 cut"));

    play.publish(7).await;
    his.until("id: 1").await;
    assert!(!play.wire(&budi).await.contains("cut"));

    let mut again =
        play.stream("/live/lab3/prices/stream", &[("cookie", &anna), ("last-event-id", "0")]).await;
    again.until("id: 1").await;
    play.wire_with(&anna, "last-event-id: 0").await;
}

#[tokio::test]
async fn a_client_that_leaves_is_told_as_an_abort() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    drop(prices);
    play.wire_with(&cookie, "#1 abort").await;
}

#[tokio::test]
async fn a_market_closes_for_the_visitor_who_closes_it() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut hers = play.stream("/live/lab3/prices/stream", &[("cookie", &anna)]).await;
    hers.until("text/event-stream").await;

    assert_eq!(play.post("/live/lab3/-/close", &anna).await.status, 204);
    assert_eq!(hers.ending().await, Ending::Proper);
    let ask = async |cookie: &str| {
        let mut stream = play.stream("/live/lab3/prices/stream", &[("cookie", cookie)]).await;
        stream.until("\r\n\r\n").await;
        Answer::read(stream.text.as_bytes()).status
    };
    assert_eq!(ask(&anna).await, 204);
    assert_eq!(ask(&budi).await, 200);
    let wire = play.wire_with(&anna, "204").await;
    assert!(
        wire.contains("server → client  #1 end\n") && wire.contains("server → client  #2 204\n"),
        "{wire}"
    );

    assert_eq!(play.post("/live/lab3/-/open", &anna).await.status, 204);
    assert_eq!(ask(&anna).await, 200);
}

#[tokio::test]
async fn only_the_stage_s_own_pages_may_cut() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    for from in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example"), ("x-nothing", "1")] {
        let headers = [("cookie", cookie.as_str()), ("content-length", "0"), from];
        assert_eq!(play.ask("POST", "/live/lab3/-/cut", &headers).await.status, 403, "{from:?}");
    }
    let stranger = play.post("/live/lab3/-/cut", "stage_visitor=1").await;
    assert_eq!(stranger.status, 403);
    play.publish(1).await;
    prices.until("id: 1").await;
}

#[tokio::test]
async fn a_form_without_script_comes_back_to_the_page() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let origin = format!("http://{}", play.address);
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-length", "0"),
        ("origin", origin.as_str()),
        ("accept", "text/html,*/*"),
    ];
    let answer = play.ask("POST", "/live/lab3/-/cut", &headers).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/live/lab3/")));
}

#[tokio::test]
async fn open_streams_do_not_keep_the_stage_from_stopping() {
    let mut play = Play::begin().await;
    let cookie = play.visit().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    panel.until("text/event-stream").await;
    let mut trader = play.trader(&cookie).await;
    let idle = TcpStream::connect(play.address).await.unwrap();
    // A client that has sent half a request and no more.
    let mut slow = TcpStream::connect(play.address).await.unwrap();
    slow.write_all(b"GET /en/ HT").await.unwrap();

    let asked = Instant::now();
    play.stop.take().unwrap().send(()).unwrap();
    assert_eq!(prices.ending().await, Ending::Proper);
    assert_eq!(panel.ending().await, Ending::Proper);
    assert_eq!(trader.goodbye().await, Some(CloseCode::Away), "the floor says why it is left");
    timeout(Duration::from_secs(5), &mut play.served).await.expect("the stage stops").unwrap();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert!(TcpStream::connect(play.address).await.is_err(), "nobody listens any more");
    drop((idle, slow));
}

#[tokio::test]
async fn the_list_leads_to_every_lab_and_its_chapter() {
    let play = Play::begin().await;
    assert_eq!(play.get("/live").await.header("location"), Some("/live/"));
    let list = play.get("/live/").await.body;
    for number in LABS {
        let path = format!("/live/lab{number}");
        assert!(list.contains(&format!("href=\"{path}/\"")), "{list}");
        assert_eq!(play.get(&path).await.header("location"), Some(format!("{path}/").as_str()));
        let page = play.get(&format!("{path}/")).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(!page.body.contains(['{', '}']), "something was not filled in:\n{}", page.body);
        let chapter = page.body.split("href=\"/en/").nth(2).and_then(|rest| rest.split_once(".html\""));
        let chapter = chapter.expect("a link to the chapter").0;
        assert!(chapter.starts_with(&format!("{number:02}-")), "{chapter}");
        assert!(root().join(format!("book/src/{chapter}.md")).is_file(), "{chapter}");
        assert!(page.body.contains("src=\"-/1/index.html\""), "{}", page.body);
    }
}

#[tokio::test]
async fn a_lab_that_is_not_there_is_told_in_a_sentence() {
    let play = Play::begin().await;
    for target in ["/live/lab9/", "/live/lab0", "/live/lab3x/", "/live/nothing/prices", "/live/lab12/-/wire"]
    {
        let answer = play.get(target).await;
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.body.starts_with("There is no such lab on this stage"), "{target}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_lab_is_put_only_through_what_means_something_there() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    for (lab, controls) in
        [(1, &["lose"][..]), (2, &["cut"]), (3, &["cut", "close", "open"]), (4, &["cut"]), (5, &["cut"])]
    {
        let page = play.get(&format!("/live/lab{lab}/")).await.body;
        for control in ["cut", "lose", "close", "open"] {
            let is_there = controls.contains(&control);
            assert_eq!(page.contains(&format!("action=\"-/{control}")), is_there, "lab {lab}: {control}");
            let status = play.post(&format!("/live/lab{lab}/-/{control}"), &cookie).await.status;
            assert_eq!(status, if is_there { 204 } else { 404 }, "lab {lab}: {control}");
        }
    }
}

const ORDER: &str = r#"{"symbol":"BMRI","side":"buy","quantity":100}"#;

#[tokio::test]
async fn short_exchanges_show_the_headers_that_they_are_about() {
    let play = Play::begin().await;
    let cookie = play.visit_lab(1).await;
    play.publish(6_100).await;
    let prices = play.ask("GET", "/live/lab1/prices", &[("cookie", &cookie)]).await;
    let tag = prices.header("etag").expect("prices bear a tag").to_owned();
    let known = [("cookie", cookie.as_str()), ("if-none-match", tag.as_str())];
    let again = play.ask("GET", "/live/lab1/prices", &known).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));

    let key = [("idempotency-key", "k1")];
    let first = play.post_json("/live/lab1/orders", &cookie, &key, ORDER).await;
    let second = play.post_json("/live/lab1/orders", &cookie, &key, ORDER).await;
    assert_eq!((first.status, &first.body), (201, &second.body));
    let unknown = play.ask("GET", "/live/lab1/prices/NONE", &[("cookie", &cookie)]).await;
    assert_eq!(unknown.header("content-type"), Some("application/problem+json"));

    let wire = play.wire_with(&cookie, "#5 404 application/problem+json").await;
    let none_match = format!("if-none-match: {tag}");
    let order = "client → server  #3 body {\"quantity\":100,\"side\":\"buy\",\"symbol\":\"BMRI\"}";
    let told = [
        "#1 GET /prices\n",
        &format!("etag: {tag}"),
        "#2 GET /prices\n",
        &none_match,
        "#2 304",
        "#3 POST /orders",
        "idempotency-key: k1",
        order,
        "#3 201 application/json",
        "location: ",
        "#4 POST",
        "#5 404",
    ];
    in_order(&wire, &told);
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_executed_once() {
    let play = Play::begin().await;
    let cookie = play.visit_lab(1).await;
    play.publish(6_100).await;
    assert_eq!(play.post("/live/lab1/-/lose?page=1", &cookie).await.status, 204);
    // A request that changes nothing does not use it up.
    assert_eq!(play.ask("GET", "/live/lab1/prices", &[("cookie", &cookie)]).await.status, 200);

    let key = [("idempotency-key", "k1")];
    let mut line = TcpStream::connect(play.address).await.unwrap();
    line.write_all(&play.json("/live/lab1/-/1/orders", &cookie, &key, ORDER)).await.unwrap();
    assert_eq!(Streaming { line, text: String::new() }.ending().await, Ending::Reset);
    let again = play.post_json("/live/lab1/-/1/orders", &cookie, &key, ORDER).await;
    assert_eq!(again.status, 201);
    let orders = play.get("/live/lab1/orders").await.body;
    assert_eq!(orders.matches("BMRI").count(), 1, "{orders}");

    let wire = play.wire_with(&cookie, "#3 201").await;
    in_order(
        &wire,
        &[
            "#2 POST /orders",
            "idempotency-key: k1",
            "#2 cut",
            "#3 POST /orders",
            "idempotency-key: k1",
            "#3 201",
        ],
    );
}

#[tokio::test]
async fn many_short_exchanges_leave_a_bounded_transcript_that_says_so() {
    let play = Play::begin().await;
    let cookie = play.visit_lab(1).await;
    play.publish(6_100).await;
    let prices = play.ask("GET", "/live/lab1/prices", &[]).await;
    let known = [("cookie", cookie.as_str()), ("if-none-match", prices.header("etag").unwrap())];
    let mut line = TcpStream::connect(play.address).await.unwrap();
    for _ in 0..600 {
        // Two moments each; on one connection, as a browser polls.
        line.write_all(play.request("GET", "/live/lab1/prices", &known, "keep-alive").as_bytes())
            .await
            .unwrap();
        let mut answer = Streaming { line, text: String::new() };
        answer.until("\r\n\r\n").await;
        line = answer.line;
    }
    let wire = play.wire_with(&cookie, "#600 304").await;
    in_order(&wire, &["what came before is no longer kept", "#599 304", "#600 GET"]);
    let transcript: wire::Transcript = wire.parse().expect("the wire's text is a transcript");
    assert_eq!(transcript.moments.len(), 1_001, "a thousand, and the note");
}

#[tokio::test]
async fn a_held_request_is_answered_or_cut_while_it_waits() {
    let play = Play::begin().await;
    let cookie = play.visit_lab(2).await;
    let ask = async |after: u32| {
        play.stream(&format!("/live/lab2/-/1/updates?after={after}"), &[("cookie", &cookie)]).await
    };
    let mut held = ask(0).await;
    play.wire_with(&cookie, "#1 GET /updates?after=0").await;
    play.publish(6_100).await;
    held.until("6100").await;

    let held = ask(1).await;
    play.wire_with(&cookie, "#2 GET /updates?after=1").await;
    assert_eq!(play.post("/live/lab2/-/cut?page=1", &cookie).await.status, 204);
    assert_eq!(held.ending().await, Ending::Reset);
    play.publish(6_125).await;
    ask(1).await.until("6125").await;

    let wire = play.wire_with(&cookie, "6125").await;
    let told = [
        "#1 GET /updates?after=0",
        "#1 200 application/json",
        "#1 body {",
        "#2 GET /updates?after=1",
        "#2 cut",
        "#3 GET /updates?after=1",
        "#3 200",
    ];
    in_order(&wire, &told);
}

#[tokio::test]
async fn a_page_s_cut_leaves_the_visitor_s_other_pages_alone() {
    let play = Play::begin().await;
    let cookie = play.visit_lab(3).await;
    for lab in [3, 2] {
        play.ask("GET", &format!("/live/lab{lab}/"), &[("cookie", &cookie)]).await;
    }
    let mut first = play.stream("/live/lab3/-/1/prices/stream", &[("cookie", &cookie)]).await;
    let mut second = play.stream("/live/lab3/-/2/prices/stream", &[("cookie", &cookie)]).await;
    let mut other_lab = play.stream("/live/lab2/-/3/updates?after=0", &[("cookie", &cookie)]).await;
    for stream in [&mut first, &mut second] {
        stream.until("text/event-stream").await;
    }
    let wire = async |page: u32| {
        play.ask("GET", &format!("/live/lab3/-/wire.txt?page={page}"), &[("cookie", &cookie)]).await.body
    };
    assert_eq!(play.post("/live/lab3/-/cut?page=1", &cookie).await.status, 204);
    assert_eq!(first.ending().await, Ending::Reset);
    play.publish(7).await;
    second.until("id: 1").await;
    other_lab.until("\"seq\":1").await;
    assert!(wire(1).await.contains("#1 cut") && !wire(2).await.contains("cut"));

    // Without a page: all that this browser has open here, and here only.
    let mut held = play.stream("/live/lab2/-/3/updates?after=1", &[("cookie", &cookie)]).await;
    play.until("it is held", || play.feed.subscribers() == 2).await;
    assert_eq!(play.post("/live/lab3/-/cut", &cookie).await.status, 204);
    assert_eq!(second.ending().await, Ending::Reset);
    play.publish(8).await;
    held.until("\"seq\":2").await;
}

#[tokio::test]
async fn an_answer_streams_through_the_stage_and_its_abort_reaches_the_lab() {
    let play = Play::begin().await;
    let cookie = play.visit_lab(4).await;
    let ask = async |question: &str| {
        let body = json!({ "question": question }).to_string();
        let request = play.json("/live/lab4/-/1/ask", &cookie, &[("authorization", "Bearer demo")], &body);
        let mut line = TcpStream::connect(play.address).await.unwrap();
        line.write_all(&request).await.unwrap();
        let mut answer = Streaming { line, text: String::new() };
        answer.until("text/event-stream").await;
        answer
    };
    // Commentary without end: one token for each update, as long as somebody listens.
    let mut stopped = ask("Follow the market").await;
    let listening = play.feed.subscribers();
    play.publish(6_100).await;
    stopped.until("6100").await;
    drop(stopped);
    play.wire_with(&cookie, "#1 abort").await;
    play.until("the lab has stopped its work", || play.feed.subscribers() < listening).await;

    let mut cut = ask("follow it").await;
    play.publish(6_125).await;
    cut.until("6125").await;
    assert_eq!(play.post("/live/lab4/-/cut", &cookie).await.status, 204);
    assert_eq!(cut.ending().await, Ending::Reset);
    play.until("the lab has stopped its work", || play.feed.subscribers() < listening).await;

    let mut whole = ask("How is BMRI?").await;
    whole.until("event: done").await;

    let wire = play.wire_with(&cookie, "#3 event done").await;
    let told = [
        "#1 POST /ask",
        "authorization: Bearer demo",
        "#1 body {\"question\":\"Follow the market\"}",
        "#1 200 text/event-stream",
        "#1 event message",
        "6100",
        "#1 abort",
        "#2 POST /ask",
        "6125",
        "#2 cut",
        "#3 POST /ask",
        "#3 event done",
    ];
    in_order(&wire, &told);
}

#[tokio::test]
async fn a_trader_of_another_make_says_and_hears_and_sees_the_frames() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit_lab(5).await, play.visit_lab(5).await);
    let mut hers = play.trader_in(&anna, "general", "Anna").await;
    let mut his = play.trader_in(&budi, "general", "Budi").await;
    assert_eq!(hers.hears("entered").await["name"], "Budi");
    for (speaker, text) in [(&mut his, "Selling?"), (&mut hers, "At 6100 — é")] {
        speaker.say(&json!({ "type": "say", "id": text, "text": text })).await;
    }
    for trader in [&mut hers, &mut his] {
        let mut heard = [trader.hears("said").await, trader.hears("said").await];
        heard.sort_by_key(|said| said["from"].as_str().map(str::to_owned));
        assert_eq!([&heard[0]["text"], &heard[1]["text"]], ["At 6100 — é", "Selling?"]);
    }
    hers.0.close(None).await.unwrap();
    assert!(hers.heard_nothing_more().await);
    assert_eq!(his.hears("left").await["name"], "Anna");

    let wire = play.wire_with(&anna, "client → server  #1 close").await;
    let told = [
        "#1 GET /floor",
        "upgrade: websocket",
        "origin: http://",
        "#1 101",
        "client → server  #1 message {\"name\":\"Anna\"",
        "server → client  #1 message {\"members\":[\"Anna\"]",
        "At 6100 — é",
        "client → server  #1 close",
    ];
    in_order(&wire, &told);
    let closed = play.wire_with(&anna, "server → client  #1 close").await;
    assert!(!closed.contains("abort") && !closed.contains("cut"), "{closed}");
    assert!(
        !play.wire(&budi).await.contains("client → server  #1 message {\"id\":\"At"),
        "that was her line"
    );
}

#[tokio::test]
async fn a_page_of_another_origin_does_not_get_onto_the_floor() {
    let play = Play::begin().await;
    let cookie = play.visit_lab(5).await;
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        match play.knock(&cookie, Some(origin)).await {
            Err(tungstenite::Error::Http(refused)) => assert_eq!(refused.status(), 403, "{origin}"),
            Err(other) => panic!("{origin}: {other}"),
            Ok(_) => panic!("{origin} got in"),
        }
    }
    assert!(play.knock(&cookie, None).await.is_ok(), "a client that is no page has no origin");
    in_order(
        &play.wire(&cookie).await,
        &["origin: http://evil.example", "#1 403", "#4 GET /floor", "#4 101"],
    );
}

#[tokio::test]
async fn a_cut_resets_a_line_that_was_upgraded_and_no_other() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit_lab(5).await, play.visit_lab(5).await);
    let mut hers = play.trader_in(&anna, "general", "Anna").await;
    let mut his = play.trader_in(&budi, "general", "Budi").await;
    // Long after the handshake: the wire is still heard, and the tap still holds.
    for text in ["one", "two"] {
        hers.say(&json!({ "type": "say", "id": text, "text": text })).await;
        assert_eq!(his.hears("said").await["text"], text);
    }
    assert_eq!(play.post("/live/lab5/-/cut", &anna).await.status, 204);
    match hers.failure().await {
        tungstenite::Error::Io(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {}
        other => panic!("{other}"),
    }
    assert_eq!(his.hears("left").await["name"], "Anna");
    in_order(&play.wire_with(&anna, "#1 cut").await, &["#1 101", "\"two\"", "network          #1 cut"]);

    his.say(&json!({ "type": "say", "id": "3", "text": "Anna?" })).await;
    assert_eq!(his.hears("said").await["text"], "Anna?");
    assert!(!play.wire(&budi).await.contains("#1 cut"));
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_do() {
    let play = Play::begin().await;
    let error = server::listen(play.address.port()).await.unwrap_err();
    assert!(matches!(error, StageError::PortInUse(_)));
    let sentence = error.to_string();
    assert!(sentence.contains("is in use") && sentence.contains("--port"), "{sentence}");
}
