//! Where the bench's futures are started: as trait objects, all of them.
//!
//! tokio's machinery around a task, and around a runtime that waits for one, is compiled once for each type of future.
//! With one type for all it is there once, which makes the page's module a good deal lighter; a box more at the start of
//! a connection or a play is nothing.

use std::pin::{Pin, pin};

use tokio::{
    runtime::Runtime,
    task::{JoinHandle, LocalSet},
};

/// A task that may be anywhere.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wraps a task, for [`tokio::task::JoinSet::spawn`].
pub(crate) fn task(task: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(task)
}

/// As [`tokio::spawn`].
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(Box::pin(task) as Task)
}

/// As [`tokio::task::spawn_local`].
pub(crate) fn spawn_local(task: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
    tokio::task::spawn_local(Box::pin(task) as Pin<Box<dyn Future<Output = ()>>>)
}

/// As [`LocalSet::block_on`].
pub(crate) fn block_on<T>(stage: &LocalSet, runtime: &Runtime, act: impl Future<Output = T>) -> T {
    let mut done = None;
    {
        let act = pin!(async { done = Some(act.await) });
        stage.block_on(runtime, act as Pin<&mut dyn Future<Output = ()>>);
    }
    done.expect("what was waited for is done")
}
