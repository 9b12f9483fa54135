//! Gathers the recordings that are ready in one turn of the loop, so that one write to the log holds them all.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use sortition_core::engine::Engine;
use tokio::sync::{Notify, oneshot};

use crate::shared::{Shared, now_ms};
use crate::status::Refusal;

/// Calls of one group; further ones are the next.
const GROUP: usize = 256;

type Answer = Result<Vec<u8>, Refusal>;
type Waiting = (Bytes, oneshot::Sender<Answer>);

/// The calls that wait for the next write.
#[derive(Debug, Default)]
pub struct Recorder {
    waiting: RefCell<Vec<Waiting>>,
    wake: Notify,
}

impl Recorder {
    /// Records, together with what else is there by the time the loop has looked at everything that came.
    pub async fn record(&self, request: Bytes) -> Answer {
        let (sender, answer) = oneshot::channel();
        self.waiting.borrow_mut().push((request, sender));
        self.wake.notify_one();
        answer.await.unwrap_or_else(|_| Err(Refusal::defect()))
    }

    /// Writes, for as long as it is polled.
    pub async fn run(self: Rc<Self>, engine: Arc<Engine>, shared: Arc<Shared>) {
        loop {
            self.wake.notified().await;
            loop {
                let mut group = mem::take(&mut *self.waiting.borrow_mut());
                if group.is_empty() {
                    break;
                }
                let rest = group.split_off(group.len().min(GROUP));
                // Those that came meanwhile are behind the rest.
                self.waiting.borrow_mut().splice(..0, rest);
                let (requests, senders): (Vec<_>, Vec<_>) = group.into_iter().unzip();
                let answers = if engine.waits() {
                    // While these wait for the disk, the next ones gather.
                    let (engine, shared) = (Arc::clone(&engine), Arc::clone(&shared));
                    let work = move || answer(&engine, &shared, &requests);
                    let done = tokio::task::spawn_blocking(work).await;
                    done.unwrap_or_else(|_| {
                        senders.iter().map(|_| Err(Refusal::defect())).collect()
                    })
                } else {
                    answer(&engine, &shared, &requests)
                };
                for (sender, answer) in senders.into_iter().zip(answers) {
                    // Whoever is gone needs none.
                    let _ = sender.send(answer);
                }
            }
        }
    }
}

fn answer(engine: &Engine, shared: &Shared, requests: &[Bytes]) -> Vec<Answer> {
    match shared.guarded(|| engine.record_group(requests, now_ms())) {
        Ok(answers) => answers
            .into_iter()
            .map(|answer| answer.map_err(|error| refusal(shared, &error)))
            .collect(),
        Err(refusal) => requests.iter().map(|_| Err(refusal.clone())).collect(),
    }
}

/// Returns what a caller may hear of an error; what they may not is noted.
pub fn refusal(shared: &Shared, error: &sortition_core::error::Error) -> Refusal {
    let refusal = Refusal::from(error);
    if refusal.class == "InternalError" {
        shared.note_defect(&error.to_string());
    }
    refusal
}
