//! Whole sidecars under crashes: the real engine and its log on a disk that loses what was not synced, with clients that repeat
//! themselves and a database that comes and goes. Everything that happens follows from a seed.
//!
//! ```text
//! cargo test --test simulation                                                 a few thousand seeds
//! SORTITION_SIM_SEEDS=100000 cargo test --release --test simulation            a campaign
//! SORTITION_SIM_SEED=17 cargo test --test simulation -- --nocapture            one seed, told step by step
//! ```

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod chance;
mod clients;
#[path = "../common/mod.rs"]
mod common;
mod database;
mod disk;
mod oracle;
mod steps;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use chance::Chance;
use steps::STEPS;
use world::{Tally, World};

/// Seeds of a plain run.
const SEEDS: u64 = 3_000;
const THREADS: u64 = 2;
/// Seeds that go wrong before a run ends.
const WRONG: usize = 10;

/// Runs one seed; returns what happened, or what went wrong and how it came to it.
fn run(seed: u64, traced: bool) -> Result<Tally, (String, Vec<String>)> {
    let mut world = World::new(seed, traced);
    let ended = catch_unwind(AssertUnwindSafe(|| live(&mut world, seed)));
    let ended = ended.unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!(
            "it panicked: {}",
            what.or(panic.downcast_ref::<&str>().copied())
                .unwrap_or("?")
        ))
    });
    match ended {
        Ok(()) => {
            (world.tally.failed_operations, world.tally.operations) = world.disk.counts();
            Ok(world.tally)
        }
        Err(why) => Err((why, world.trace().to_vec())),
    }
}

fn live(world: &mut World, seed: u64) -> Result<(), String> {
    let mut chance = Chance::new(seed ^ 0x57e9);
    // A run does without some of what can happen, so that the rest happens more often and in other company.
    let weights: Vec<usize> = STEPS
        .iter()
        .map(|(_, weight, optional)| {
            if *optional && chance.percent(50) {
                0
            } else {
                *weight
            }
        })
        .collect();
    for _ in 0..30 + chance.below(130) {
        world.step(STEPS[chance.weighted(&weights)].0)?;
    }
    world.settle()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

impl Tally {
    fn add(&mut self, other: &Self) {
        for (sum, more) in self.parts().into_iter().zip(other.clone().parts()) {
            *sum.1 += *more.1;
        }
    }

    fn parts(&mut self) -> [(&'static str, &mut u64); 13] {
        [
            ("calls", &mut self.calls),
            ("outcomes", &mut self.outcomes),
            ("duplicates", &mut self.duplicates),
            ("refused calls", &mut self.refused_calls),
            ("batches", &mut self.batches),
            ("processes killed", &mut self.process_crashes),
            ("losses of power", &mut self.power_losses),
            ("failed operations", &mut self.failed_operations),
            ("bits flipped", &mut self.flips),
            ("flips detected", &mut self.flips_detected),
            ("restores", &mut self.restores),
            ("restores refused", &mut self.restores_refused),
            ("disk operations", &mut self.operations),
        ]
    }
}

/// Fails with the first seed that goes wrong and the command that repeats it.
fn report(seed: u64, why: &str) -> ! {
    panic!(
        "seed {seed}: {why}\nrepeat it with: SORTITION_SIM_SEED={seed} cargo test --test simulation -- --nocapture"
    )
}

#[test]
fn nothing_acknowledged_is_lost_or_counted_twice() {
    if let Some(seed) = number("SORTITION_SIM_SEED") {
        match run(seed, true) {
            Ok(tally) => println!("seed {seed}: {tally:?}"),
            Err((why, trace)) => {
                trace.iter().for_each(|line| println!("{line}"));
                report(seed, &why);
            }
        }
        return;
    }
    let (first, count) = (
        number("SORTITION_SIM_FIRST").unwrap_or(0),
        number("SORTITION_SIM_SEEDS").unwrap_or(SEEDS),
    );
    let next = AtomicU64::new(first);
    let (wrong, total) = (Mutex::new(Vec::new()), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while wrong.lock().len() < WRONG {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    match run(seed, false) {
                        Ok(tally) => total.lock().add(&tally),
                        Err((why, _)) => wrong.lock().push((seed, why)),
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner();
    wrong.sort_unstable();
    for (seed, why) in &wrong {
        println!("seed {seed}: {why}");
    }
    if let Some((seed, why)) = wrong.first() {
        report(*seed, why);
    }
    let mut total = total.into_inner();
    println!("{count} seeds");
    for (name, happened) in total.parts() {
        println!("{happened:>12} {name}");
        assert!(
            *happened > 0 || count < SEEDS,
            "there were no {name}: the simulation simulates too little"
        );
    }
}

#[test]
fn a_seed_always_goes_the_same_way() {
    for seed in 0..20 {
        let once = |_| {
            let mut world = World::new(seed, true);
            let ended = live(&mut world, seed);
            (ended, world.trace().to_vec())
        };
        let (one, other) = (once(0), once(1));
        assert_eq!(one, other, "seed {seed}");
    }
}
