//! The module's face (C ABI): texts go in as pointer and length, JSON comes
//! out. `bench.js` is the other side.
//!
//! Every answer is `pointer << 32 | length` of JSON that the caller frees with
//! [`bench_free`]; where something was asked that cannot be, it is
//! `{"error": "…"}`, a sentence. A trap is the end of the instance: throw it
//! away and start another one.
#![allow(unsafe_code)]

use std::{cell::RefCell, ptr::slice_from_raw_parts_mut, slice, str, time::Duration};

use serde::Serialize;
use serde_json::json;

use crate::{Run, Step, Workload, check, cost, list, pair, picture, play, solution, sources};

thread_local! {
    /// The run that is open. A module has one thread, and a page shows one run.
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Memory for a text of `length` bytes. Its owner is the caller, until [`bench_free`].
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bench_alloc(length: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; length].into_boxed_slice()).cast()
}

/// Gives back the memory of a text or of an answer.
///
/// # Safety
/// `text` and `length` are as given by [`bench_alloc`] or in an answer, and
/// are used no more.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_free(text: *mut u8, length: usize) {
    // SAFETY: both kinds were leaked from a boxed slice of this length, and
    // the caller gives up its only pointer to it.
    drop(unsafe { Box::from_raw(slice_from_raw_parts_mut(text, length)) });
}

/// [`list`].
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bench_list() -> u64 {
    answer(Ok(list()))
}

/// [`check`]: the lab's name, the check's name, the sources as JSON.
///
/// # Safety
/// Each pointer and length are as given by [`bench_alloc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_check(
    lab: *const u8,
    lab_length: usize,
    name: *const u8,
    name_length: usize,
    files: *const u8,
    files_length: usize,
) -> u64 {
    // SAFETY: as the caller promises.
    let texts = unsafe { (text(lab, lab_length), text(name, name_length), text(files, files_length)) };
    answer((|| check(texts.0?, texts.1?, &sources(texts.2?)?))())
}

/// [`play`]: the lab's name, the scene's name, a seed, the sources as JSON.
///
/// # Safety
/// Each pointer and length are as given by [`bench_alloc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_play(
    lab: *const u8,
    lab_length: usize,
    scene: *const u8,
    scene_length: usize,
    seed: u32,
    files: *const u8,
    files_length: usize,
) -> u64 {
    // SAFETY: as the caller promises.
    let texts = unsafe { (text(lab, lab_length), text(scene, scene_length), text(files, files_length)) };
    answer((|| play(texts.0?, texts.1?, seed.into(), &sources(texts.2?)?))())
}

/// [`Run::open`]: the lab's name, a seed, the sources as JSON. A run that was open before is closed.
///
/// # Safety
/// Each pointer and length are as given by [`bench_alloc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_open(
    lab: *const u8,
    lab_length: usize,
    seed: u32,
    files: *const u8,
    files_length: usize,
) -> u64 {
    bench_close();
    // SAFETY: as the caller promises.
    let texts = unsafe { (text(lab, lab_length), text(files, files_length)) };
    let opened = (|| Run::open(texts.0?, sources(texts.1?)?, seed.into()))();
    answer(opened.map(|(run, step)| {
        RUN.set(Some(run));
        step
    }))
}

/// [`Run::step`], of the run that is open.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bench_step(ms: f64) -> u64 {
    answer(with_run(|run| run.step(ms)))
}

/// [`Run::command`], to the run that is open.
///
/// # Safety
/// Pointer and length are as given by [`bench_alloc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_command(command: *const u8, length: usize) -> u64 {
    // SAFETY: as the caller promises.
    let command = unsafe { text(command, length) };
    answer(command.and_then(|command| with_run(|run| run.command(command))))
}

/// [`cost`]: the lab's name, how many updates, and in milliseconds their pace, the time between two polls, the latency;
/// how large an update is, in bytes, and how often connections drop, in milliseconds.
///
/// # Safety
/// Pointer and length are as given by [`bench_alloc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_cost(
    lab: *const u8,
    lab_length: usize,
    updates: u32,
    pace: u32,
    poll: u32,
    latency: u32,
    payload: u32,
    drops: u32,
) -> u64 {
    // SAFETY: as the caller promises.
    let lab = unsafe { text(lab, lab_length) };
    let [pace, poll, latency, drops] =
        [pace, poll, latency, drops].map(|ms| Duration::from_millis(ms.into()));
    answer(lab.and_then(|lab| cost(lab, &Workload { updates, pace, poll, latency, payload, drops })))
}

/// [`picture`]: a transcript, what its `id`s begin with, its name.
///
/// # Safety
/// Each pointer and length are as given by [`bench_alloc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_picture(
    transcript: *const u8,
    transcript_length: usize,
    id: *const u8,
    id_length: usize,
    title: *const u8,
    title_length: usize,
) -> u64 {
    // SAFETY: as the caller promises.
    let texts =
        unsafe { (text(transcript, transcript_length), text(id, id_length), text(title, title_length)) };
    answer((|| picture(texts.0?, texts.1?, texts.2?))())
}

/// [`pair`]: what was expected, what was recorded, what the drawings' `id`s begin with.
///
/// # Safety
/// Each pointer and length are as given by [`bench_alloc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_pair(
    expected: *const u8,
    expected_length: usize,
    yours: *const u8,
    yours_length: usize,
    id: *const u8,
    id_length: usize,
) -> u64 {
    // SAFETY: as the caller promises.
    let texts = unsafe { (text(expected, expected_length), text(yours, yours_length), text(id, id_length)) };
    answer((|| pair(texts.0?, texts.1?, texts.2?))())
}

/// [`solution`]: the lab's name.
///
/// # Safety
/// Pointer and length are as given by [`bench_alloc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bench_solution(lab: *const u8, length: usize) -> u64 {
    // SAFETY: as the caller promises.
    let lab = unsafe { text(lab, length) };
    answer(lab.and_then(solution))
}

/// Closes the run, if one is open.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bench_close() {
    RUN.set(None);
}

fn with_run(act: impl FnOnce(&mut Run) -> Result<Step, String>) -> Result<Step, String> {
    RUN.with_borrow_mut(|run| match run {
        Some(run) => act(run),
        None => Err("No run is open.".to_owned()),
    })
}

/// # Safety
/// There are `length` readable bytes at `start`, which stay as they are while the text is in use.
unsafe fn text<'a>(start: *const u8, length: usize) -> Result<&'a str, String> {
    // SAFETY: as the caller promises.
    let bytes = unsafe { slice::from_raw_parts(start, length) };
    str::from_utf8(bytes).map_err(|_| "What was asked is not UTF-8.".to_owned())
}

fn answer<T: Serialize>(result: Result<T, String>) -> u64 {
    let json = match result {
        Ok(answer) => serde_json::to_string(&answer)
            .unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string()),
        Err(error) => json!({ "error": error }).to_string(),
    };
    let bytes = Box::leak(json.into_bytes().into_boxed_slice());
    (bytes.as_ptr() as u64) << 32 | bytes.len() as u64
}
