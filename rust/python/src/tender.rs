//! The thread that tends the log of one engine.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sortition_core::engine::Engine;

use crate::engine::now_ms;

/// How long what was only written may stay so: a loss of power costs at most what came within it.
const INTERVAL: Duration = Duration::from_millis(200);

/// Tends a log every now and then, until dropped. It never touches Python.
#[derive(Debug)]
pub struct Tender {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Tender {
    /// Starts to tend the log of an engine, which may be dropped before this is.
    pub fn start(engine: &Arc<Engine>) -> Self {
        let engine: Weak<Engine> = Arc::downgrade(engine);
        let (stop, stopped) = channel();
        let run = move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let Some(engine) = engine.upgrade() else {
                    return;
                };
                engine.age(now_ms());
                // What went wrong is told to every call that it concerns; here is nobody to tell.
                let _ = engine.tend();
            }
        };
        // Without a thread the log is synced when a batch is sealed, which is less often, and still right.
        let named = thread::Builder::new().name("sortition-log".to_owned());
        Self {
            stop: Some(stop),
            thread: named.spawn(run).ok(),
        }
    }
}

impl Drop for Tender {
    fn drop(&mut self) {
        self.stop.take();
        let own = thread::current().id();
        // The thread itself may be the one that drops the engine last.
        if let Some(thread) = self
            .thread
            .take()
            .filter(|thread| thread.thread().id() != own)
        {
            let _ = thread.join();
        }
    }
}
