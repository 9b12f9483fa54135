//! Whether an observation fits its metric.

use crate::borrowed::Seen;
use crate::limits::Limits;
use crate::moments::MAGNITUDE_LIMIT;
use crate::snapshot::{Experiment, Metric, MetricKind};
use crate::wire::v1::observation::Value;

/// Metrics that a message lists at most, when one is not among them.
const LISTED: usize = 10;

/// An observation that fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accepted {
    /// The value, after any cap.
    pub value: f64,
    /// What it is divided by.
    pub denominator: f64,
    /// Its covariate, where the metric keeps one.
    pub covariate: Option<f64>,
    /// Whether the value was moved to a cap.
    pub clamped: bool,
}

impl Metric {
    /// Returns the observation as it is to be counted; on a problem, calls `refuse` with each field and what is wrong with it.
    pub(crate) fn accept(
        &self,
        observation: &Seen,
        mut refuse: impl FnMut(&str, String),
    ) -> Option<Accepted> {
        let value = self.value(observation.value, &mut refuse);
        let denominator = self.denominator(observation.denominator, &mut refuse);
        let covariate = self.check_covariate(observation.covariate, &mut refuse);
        let (value, denominator, covariate) = (value?, denominator?, covariate?);
        let counted = value.max(self.cap_min).min(self.cap_max);
        Some(Accepted {
            value: counted,
            denominator,
            covariate,
            clamped: counted != value,
        })
    }

    fn value(&self, value: Option<Value>, refuse: &mut impl FnMut(&str, String)) -> Option<f64> {
        let name = &self.name;
        let number = match value {
            None => {
                refuse(
                    "number",
                    format!("metric {name:?}: a value is required, number or flag"),
                );
                return None;
            }
            Some(Value::Flag(flag)) if self.kind == MetricKind::Binary => {
                return Some(f64::from(u8::from(flag)));
            }
            Some(Value::Flag(_)) => {
                refuse(
                    "flag",
                    format!("metric {name:?} is not binary; send a number"),
                );
                return None;
            }
            Some(Value::Number(number)) => number,
        };
        let wrong = if !number.is_finite() {
            Some("must be finite".to_owned())
        } else if number.abs() > MAGNITUDE_LIMIT {
            Some(format!(
                "is beyond {MAGNITUDE_LIMIT:e}, the largest magnitude"
            ))
        } else if self.kind == MetricKind::Binary && number != 0.0 && number != 1.0 {
            Some("is binary and takes 0 or 1, or a flag".to_owned())
        } else if self.kind == MetricKind::Count && number.fract() != 0.0 {
            Some("is a count and takes whole numbers".to_owned())
        } else if number < self.min {
            Some(format!("takes values from {}", self.min))
        } else if number > self.max {
            Some(format!("takes values up to {}", self.max))
        } else {
            None
        };
        match wrong {
            None => Some(number),
            Some(why) => {
                refuse("number", format!("metric {name:?}, value {number}: {why}"));
                None
            }
        }
    }

    fn denominator(
        &self,
        denominator: Option<f64>,
        refuse: &mut impl FnMut(&str, String),
    ) -> Option<f64> {
        let Some(number) = denominator else {
            return Some(1.0);
        };
        if self.kind != MetricKind::Ratio {
            refuse(
                "denominator",
                format!(
                    "metric {:?} is not a ratio and takes none; leave it out",
                    self.name
                ),
            );
        } else if number > 0.0 && number <= MAGNITUDE_LIMIT {
            return Some(number);
        } else {
            let range = format!("must be > 0, finite, and at most {MAGNITUDE_LIMIT:e}");
            refuse(
                "denominator",
                format!("metric {:?}, denominator {number}: {range}", self.name),
            );
        }
        None
    }

    #[allow(
        clippy::option_option,
        reason = "the outer one says whether it fits, the inner one whether there is one"
    )]
    fn check_covariate(
        &self,
        covariate: Option<f64>,
        refuse: &mut impl FnMut(&str, String),
    ) -> Option<Option<f64>> {
        let name = &self.name;
        match covariate {
            None if !self.covariate => return Some(None),
            Some(number) if self.covariate && number.abs() <= MAGNITUDE_LIMIT => {
                return Some(Some(number));
            }
            None => refuse(
                "covariate",
                format!("metric {name:?} declares a covariate; give it with every value"),
            ),
            Some(_) if !self.covariate => {
                refuse(
                    "covariate",
                    format!("metric {name:?} declares no covariate; leave it out"),
                );
            }
            Some(number) => {
                let range = format!("must be finite and of magnitude up to {MAGNITUDE_LIMIT:e}");
                refuse(
                    "covariate",
                    format!("metric {name:?}, covariate {number}: {range}"),
                );
            }
        }
        None
    }
}

/// Says that an experiment has no metric called `name`, and which it has.
pub fn unknown_metric(experiment: &Experiment, name: &str, limits: &Limits) -> String {
    if name.is_empty() || name.len() > limits.key_bytes {
        return format!(
            "has {} bytes; the limit is 1 to {}",
            name.len(),
            limits.key_bytes
        );
    }
    let known: Vec<&str> = experiment
        .metrics
        .iter()
        .take(LISTED)
        .map(|metric| &*metric.name)
        .collect();
    let more = if experiment.metrics.len() > LISTED {
        ", …"
    } else {
        ""
    };
    format!(
        "{name:?} is not a metric of {:?}; it has {}{more}",
        experiment.key,
        known.join(", ")
    )
}
