//! The log, its framing, and what a cut in the middle of a frame leaves.

use feed::{Cursor, Update};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::{
    log::{Kind, Log, Place, Read},
    shard::Run,
};
use crate::line::{Line, Tap};

fn update(seq: u64) -> Update {
    Update { seq, data: json!({ "price": seq }) }
}

fn log_of(count: u64) -> Log {
    let log = Log::new("7");
    for seq in 1..=count {
        assert!(log.append(&update(seq)));
    }
    log
}

fn at(next: u64) -> Place {
    Place { era: 0, next }
}

#[test]
fn an_update_is_framed_as_each_lab_says_it() {
    let log = log_of(1);
    let said = |kind| match log.frames(kind, at(1)) {
        Read::Some(bytes, next, 1) if next == at(2) => bytes,
        _ => panic!("there is one update"),
    };
    let event = "event: price\nid: 1\ndata: {\"price\":1}\n\n";
    assert_eq!(said(Kind::Sse), format!("{:x}\r\n{event}\r\n", event.len()));
    let Read::Some(bare, ..) = log.events(at(1)) else { panic!("there is one update") };
    assert_eq!(bare, event);
    let price = "{\"type\":\"price\",\"seq\":1,\"data\":{\"price\":1}}";
    assert_eq!(said(Kind::Ws), [&[0x81, price.len() as u8], price.as_bytes()].concat());
    let (json, until) = log.json(at(1)).unwrap();
    assert_eq!(
        (json, until),
        ("{\"epoch\":\"7\",\"updates\":[{\"seq\":1,\"data\":{\"price\":1}}]}".into(), 1)
    );
}

#[test]
fn wherever_a_socket_stops_taking_bytes_what_is_left_goes_on_there() {
    let log = log_of(5);
    for kind in [Kind::Sse, Kind::Ws] {
        let mut run = Run::at(at(2));
        assert!(log.extend(kind, at(2), &mut run.bytes, |end| run.ends.push(end)));
        for place in 2..=6 {
            let whole = run.from(at(place)).unwrap().to_vec();
            for sent in 0..=whole.len() {
                let (next, rest) = run.after(at(place), sent);
                // A frame that was begun is finished before the next.
                let (rest, next) = rest.map_or((&[][..], next), |rest| (rest, next + 1));
                let on = match log.frames(kind, at(next)) {
                    Read::Some(bytes, after, _) => {
                        assert_eq!(after, at(6));
                        bytes
                    }
                    _ => Default::default(),
                };
                assert_eq!(
                    [&whole[..sent], rest, &on].concat(),
                    whole,
                    "{kind:?} from {place}, {sent} bytes"
                );
            }
        }
        assert!(run.is_reached_by(at(6)) && !run.is_reached_by(at(5)));
        assert!(run.from(at(1)).is_none(), "what comes before the run is not in it");
        run.forget(4);
        assert_eq!(run.from(at(3)), None);
        let Read::Some(bytes, ..) = log.frames(kind, at(4)) else { panic!("two are left") };
        assert_eq!(run.from(at(4)).unwrap(), bytes);
        run.forget(6);
        assert_eq!((run.end(), run.from(at(6))), (6, Some(&[][..])));
    }
}

#[test]
fn a_place_is_one_of_this_log_that_it_still_holds() {
    let log = log_of(1_003);
    let named = |epoch: &str, seq| Cursor { epoch: Some(epoch.to_owned()), seq };
    assert_eq!(log.place(&named("7", 1_003)), Some(log.newest()));
    assert_eq!(log.place(&Cursor::from(3)), Some(at(4)));
    for lost in [Cursor::from(2), Cursor::from(1_004), Cursor::from(u64::MAX), named("8", 5)] {
        assert_eq!(log.place(&lost), None, "{lost:?}");
    }
    assert!(matches!(log.frames(Kind::Ws, at(3)), Read::Over));
    log.begin("8");
    assert!(
        matches!(log.frames(Kind::Ws, at(1_004)), Read::Over),
        "the place was in the log before this one"
    );
    assert!(log.append(&update(1)));
    assert!(log.place(&named("8", 0)).is_some());
}

#[test]
fn the_log_takes_each_update_once_and_says_if_one_is_missing() {
    let log = log_of(2);
    assert!(log.append(&update(2)), "that one is there");
    assert_eq!(log.cursor().seq, 2);
    assert!(!log.append(&update(4)), "3 is missing");
    log.skip_to(4);
    assert!(log.append(&update(4)));
    assert_eq!((log.place(&Cursor::from(2)), log.place(&Cursor::from(3))), (None, Some(at(4))));
}

#[test]
fn the_log_is_bounded_in_bytes_too() {
    let log = Log::new("7");
    for seq in 1..=5 {
        log.append(&Update { seq, data: json!("x".repeat(1_000_000)) });
    }
    assert!(log.oldest() > 2, "the oldest is {}", log.oldest());
    assert!(log.place(&Cursor::from(4)).is_some());
}

#[tokio::test]
async fn a_line_with_weather_or_a_listener_is_not_the_shard_s() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let tap = std::sync::Arc::new(Tap::default());
    let line = Line::new(listener.accept().await.unwrap().0, std::sync::Arc::clone(&tap));
    assert!(line.direct().is_some());
    tap.set_weather(crate::Weather { latency: 10, ..crate::Weather::CLEAR });
    assert!(line.direct().is_none());
    tap.set_weather(crate::Weather::CLEAR);
    assert!(line.direct().is_some());
}
