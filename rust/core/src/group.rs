//! Recording calls that came at the same moment: each is checked and answered by itself, and one write to the log holds them all.

use prost::Message;

use crate::assign::At;
use crate::borrowed::{self, Told};
use crate::counters::Counter;
use crate::dedup::Delivery;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::handlers::{decode, streamed};
use crate::log::{self, Ack};
use crate::record::{Plan, utc_day};
use crate::snapshot::Compiled;
use crate::wire::v1::{RecordRequest, RecordResponse};

/// A call that was worked out and not carried out.
struct Call<'a> {
    /// None once it is being carried out.
    plan: Option<Plan<'a>>,
    delivery: Delivery,
}

/// How far the calls of one write came.
struct Together {
    /// Calls that were carried out.
    done: usize,
    /// Calls behind them that have to be carried out one by one.
    alone: usize,
}

impl Engine {
    /// `RecordRequest`s to `RecordResponse`s, as many as there are requests: each what [`Engine::record_message`] would return, were they
    /// called one after the other. Returns once all of them may be acknowledged.
    pub fn record_group<R: AsRef<[u8]>>(
        &self,
        requests: &[R],
        now_ms: i64,
    ) -> Vec<Result<Vec<u8>>> {
        self.record_many(requests, now_ms)
            .into_iter()
            .map(|answer| answer.map(|response| response.encode_to_vec()))
            .collect()
    }

    /// `RecordRequest`s to `RecordStreamResponse`s, each as [`Engine::record_stream_message`] would.
    pub fn record_stream_group<R: AsRef<[u8]>>(&self, requests: &[R], now_ms: i64) -> Vec<Vec<u8>> {
        let answers = self.record_many(requests, now_ms);
        answers.into_iter().map(streamed).collect()
    }

    /// Returns whether a call may have to wait for a disk before it is answered.
    pub fn waits(&self) -> bool {
        let fsynced = |log: &log::Log| log.options().ack == Ack::Fsynced;
        self.log.as_ref().is_some_and(fsynced)
    }

    fn record_many<R: AsRef<[u8]>>(
        &self,
        requests: &[R],
        now_ms: i64,
    ) -> Vec<Result<RecordResponse>> {
        if requests.len() == 1 || self.outbound.is_some() {
            let one = |request: &R| self.record_one(request.as_ref(), now_ms);
            return requests.iter().map(one).collect();
        }
        let loaded = self.loaded();
        let snapshot = match loaded.get() {
            Ok(snapshot) => snapshot,
            Err(error) => return requests.iter().map(|_| Err(error.clone())).collect(),
        };
        let calls = requests
            .iter()
            .map(|request| self.worked_out(snapshot, request.as_ref(), now_ms));
        let mut calls: Vec<Result<Call>> = calls.collect();
        let mut answers = Vec::with_capacity(calls.len());
        while answers.len() < calls.len() {
            let rest = &mut calls[answers.len()..];
            let together = self.joined(rest, now_ms, &mut answers);
            // Those that found no room together are carried out one by one, and so is what ended the group.
            for call in rest
                .iter_mut()
                .skip(together.done)
                .take(together.alone.max(1))
            {
                answers.push(match call {
                    Err(error) => Err(error.clone()),
                    Ok(call) => self.carry_out_alone(call, now_ms),
                });
            }
        }
        answers.truncate(requests.len());
        answers
    }

    fn carry_out_alone(&self, call: &mut Call, now_ms: i64) -> Result<RecordResponse> {
        let lost = || Error::Internal("a call was carried out twice".to_owned());
        let plan = call.plan.take().ok_or_else(lost)?;
        // Only an engine that forwards wants to see outcomes again, and that one has no groups.
        self.carry_out(plan, (&[], &[]), call.delivery, now_ms)
    }

    fn worked_out<'a>(
        &'a self,
        snapshot: &'a Compiled,
        request: &[u8],
        now_ms: i64,
    ) -> Result<Call<'a>> {
        let mut plan = self.plan(snapshot, now_ms);
        let delivery = match self.planned_in_place(&mut plan, request) {
            Some(delivery) => delivery,
            None => plan.request(&decode(request, "a RecordRequest")?),
        };
        Ok(Call {
            plan: Some(plan),
            delivery,
        })
    }

    /// Carries out the first calls that can share a write, and adds their answers.
    fn joined(
        &self,
        calls: &mut [Result<Call>],
        now_ms: i64,
        answers: &mut Vec<Result<RecordResponse>>,
    ) -> Together {
        let day = utc_day(now_ms);
        let gate = self.gate.pass();
        let mut group = self.dedup.group();
        let mut aged = None;
        // Of each member: the time of its claim, and where its steps and exposures begin.
        let mut members: Vec<(i64, usize, usize)> = Vec::new();
        let (mut steps, mut exposures) = (Vec::new(), Vec::new());
        for call in calls.iter() {
            let Ok(Call {
                plan: Some(plan),
                delivery,
                ..
            }) = call
            else {
                break;
            };
            let anonymous = *delivery == Delivery::Anonymous;
            let nothing = plan.steps.is_empty() && plan.exposures.is_empty() && anonymous;
            if nothing || !plan.problems.is_empty() {
                break;
            }
            let at_ms = if anonymous {
                0
            } else {
                *aged.get_or_insert_with(|| self.dedup.age(now_ms))
            };
            if !group.claim(delivery, at_ms, self.limits()) {
                break;
            }
            members.push((at_ms, steps.len(), exposures.len()));
            steps.extend_from_slice(&plan.steps);
            exposures.extend_from_slice(&plan.exposures);
        }
        let apart = Together {
            done: 0,
            alone: members.len(),
        };
        if members.len() < 2 {
            return apart;
        }
        let Ok(room) = self.aggregate.reserve(&steps, exposures, self.limits()) else {
            return apart;
        };
        let mut last = None;
        if let Some(log) = &self.log {
            let told = room.exposures();
            let write = |index: usize, body: &mut Vec<u8>| {
                let (at_ms, step, exposure) = members[index];
                let (step_end, exposure_end) = members
                    .get(index + 1)
                    .map_or((steps.len(), told.len()), |next| (next.1, next.2));
                if let Ok(call) = &calls[index] {
                    let claim = (&call.delivery, at_ms);
                    let exposures = &told[exposure..exposure_end];
                    log::encode_effects(body, day, claim, &steps[step..step_end], exposures);
                }
            };
            let Ok(lsn) = log.append_many(members.len(), write) else {
                return apart;
            };
            if !told.is_empty() {
                log.told_exposure(lsn);
            }
            last = Some(lsn);
        }
        let new = room.apply();
        group.applied();
        drop(gate);
        let synced = match (&self.log, last) {
            (Some(log), Some(lsn)) => log.wait(lsn),
            _ => Ok(()),
        };
        self.count(Counter::Exposures, new as u64);
        let done = members.len();
        let plans = calls[..done]
            .iter_mut()
            .map(|call| call.as_mut().ok()?.plan.take());
        for plan in plans.flatten() {
            answers.push(synced.clone().map(|()| {
                // Who was exposed is counted for all of them, as it is found out for all of them.
                self.count_recorded(&plan.response, 0);
                plan.response
            }));
        }
        // What ended the group, if it did not end with the calls.
        Together { done, alone: 1 }
    }

    /// Works out what a request does, without a copy of it; none where that takes one, and then the plan is as it was.
    pub(crate) fn planned_in_place(&self, plan: &mut Plan, request: &[u8]) -> Option<Delivery> {
        if self.outbound.is_some() {
            return None;
        }
        let mut outcome = Told::default();
        let read = borrowed::record(request, &mut outcome)?;
        plan.outcome(At::Outcome, &outcome);
        Some(plan.unkeyed(read.delivery))
    }
}

impl Plan<'_> {
    /// Works out what a request does.
    pub(crate) fn request(&mut self, request: &RecordRequest) -> Delivery {
        match &request.outcome {
            Some(outcome) => self.outcome(At::Outcome, &Told::from(outcome)),
            None => self.problems.invalid("outcome", "is required"),
        }
        let outcomes = request.outcome.as_slice();
        self.delivery(request.delivery.as_ref(), outcomes, &[])
    }
}
