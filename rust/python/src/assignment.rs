//! Assigning one unit, for Python: what does not depend on the unit is made once for each snapshot and then handed out.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};
use sortition_core::assign::{Decision, Question, Target};
use sortition_core::engine;
use sortition_core::snapshot::Compiled;

use crate::arguments::Text;
use crate::engine::{Engine, or_now};
use crate::error::guard;

/// What all units of one arm are answered, or of a subject without an experiment.
#[pyclass(frozen)]
struct Arm {
    experiment: Py<PyAny>,
    variant: Py<PyAny>,
    config: Py<PyBytes>,
    config_hash: Py<PyBytes>,
}

impl Arm {
    fn new(py: Python<'_>, snapshot: &Compiled, decision: &Decision) -> Self {
        let text = |text: Option<&str>| match text {
            Some(text) => PyString::new(py, text).into_any().unbind(),
            None => py.None(),
        };
        let arm = decision.arm;
        let answer = snapshot.answer(decision);
        Self {
            experiment: text(arm.map(|arm| &*snapshot.experiment(arm.experiment).key)),
            variant: text(arm.map(|arm| snapshot.variant_name(arm))),
            config: PyBytes::new(py, &answer.config).unbind(),
            config_hash: PyBytes::new(py, &answer.config_hash).unbind(),
        }
    }
}

/// One unit's variant.
#[pyclass(frozen, module = "sortition.core")]
pub struct Assignment {
    /// The name of the variant; None where no experiment decided.
    // Mostly the only one that is asked for, so it is here as well: Python reads it without a call.
    #[pyo3(get)]
    variant: Py<PyAny>,
    arm: Py<Arm>,
    reason: i32,
    bucket: u16,
    exposed: bool,
}

impl Assignment {
    fn new<'py>(
        py: Python<'py>,
        snapshot: &Compiled,
        decision: &Decision,
        exposed: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let attached = &snapshot.answer(decision).attached;
        let arm = match attached.get::<Py<Arm>>() {
            Some(arm) => arm.clone_ref(py),
            None => {
                let arm = Py::new(py, Arm::new(py, snapshot, decision))?;
                let kept = attached.keep(arm.clone_ref(py));
                kept.map_or(arm, |kept| kept.clone_ref(py))
            }
        };
        let made = Self {
            variant: arm.get().variant.clone_ref(py),
            arm,
            reason: decision.reason.into(),
            bucket: decision.bucket,
            exposed,
        };
        Bound::new(py, made)
    }
}

#[pymethods]
impl Assignment {
    /// The key of the experiment; None where no experiment decided.
    #[getter]
    fn experiment(&self, py: Python<'_>) -> Py<PyAny> {
        self.arm.get().experiment.clone_ref(py)
    }

    /// A JSON object in UTF-8.
    #[getter]
    fn config(&self, py: Python<'_>) -> Py<PyBytes> {
        self.arm.get().config.clone_ref(py)
    }

    /// The first 16 bytes of the SHA-256 of the configuration.
    #[getter]
    fn config_hash(&self, py: Python<'_>) -> Py<PyBytes> {
        self.arm.get().config_hash.clone_ref(py)
    }

    /// The number of the proto enum Reason.
    #[getter]
    fn reason(&self) -> i32 {
        self.reason
    }

    /// The unit's bucket; 0 where no experiment decided.
    #[getter]
    fn bucket(&self) -> u16 {
        self.bucket
    }

    /// Whether this answer counts as an exposure.
    #[getter]
    fn exposed(&self) -> bool {
        self.exposed
    }
}

/// Assigns one unit; gives the GIL back only where the answer may have to wait for a disk.
pub fn assigned<'py>(
    py: Python<'py>,
    core: &engine::Engine,
    question: &Question,
    expose: bool,
    now_ms: Option<i64>,
) -> PyResult<Bound<'py, Assignment>> {
    if core.waits() {
        return waited(py, core, question, expose, now_ms);
    }
    let now = || or_now(now_ms);
    // Made where the snapshot is lent: only a reference goes on from there, and not the parts of an answer, again and again.
    let answer = |snapshot: &Arc<Compiled>, decision: Decision, exposed| {
        Assignment::new(py, snapshot, &decision, exposed)
    };
    match guard(|| core.assign(question, expose, now, answer)) {
        Ok(made) => made,
        Err(error) => Err(error),
    }
}

#[cold]
fn waited<'py>(
    py: Python<'py>,
    core: &engine::Engine,
    question: &Question,
    expose: bool,
    now_ms: Option<i64>,
) -> PyResult<Bound<'py, Assignment>> {
    let answer =
        |snapshot: &Arc<Compiled>, decision, exposed| (Arc::clone(snapshot), decision, exposed);
    let now = || or_now(now_ms);
    let answered = py.detach(|| guard(|| core.assign(question, expose, now, answer)));
    let (snapshot, decision, exposed) = answered?;
    Assignment::new(py, &snapshot, &decision, exposed)
}

/// Assigns units of one organization, by whichever engine is there: the whole way of a call of a client that has one in its process.
#[pyclass(frozen, module = "sortition.core")]
pub struct Assigner {
    organization: String,
    exposes: bool,
    /// The engine as its only item, or None. A list of nobody else's, as Python's own lock guards it: any other place that can be
    /// written to would cost each call two atomic writes more.
    engine: Py<PyList>,
    otherwise: Py<PyAny>,
}

#[pymethods]
impl Assigner {
    /// Makes one without an engine.
    #[new]
    #[pyo3(signature = (organization, otherwise, *, exposes))]
    fn new(
        py: Python<'_>,
        organization: Text<String>,
        otherwise: Py<PyAny>,
        exposes: bool,
    ) -> PyResult<Self> {
        Ok(Self {
            organization: organization.0,
            exposes,
            engine: PyList::new(py, [py.None()])?.unbind(),
            otherwise,
        })
    }

    /// Says which engine answers from now on; none for `otherwise`.
    fn aim(&self, py: Python<'_>, engine: Option<Bound<'_, Engine>>) -> PyResult<()> {
        self.engine.bind(py).set_item(0, engine)
    }

    /// Assigns one unit with nothing around it, for loops that count nanoseconds.
    #[pyo3(signature = (experiment, unit, *, expose = true))]
    fn assign_unit<'py>(
        &self,
        py: Python<'py>,
        experiment: Text<&str>,
        unit: Text<&str>,
        expose: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.engine.bind(py).get_item(0)?;
        let Ok(engine) = engine.cast::<Engine>() else {
            return self
                .otherwise
                .bind(py)
                .call1((experiment.0, unit.0, expose));
        };
        let question = Question {
            target: Some(Target::Experiment(experiment.0)),
            unit: unit.0,
            organization: &self.organization,
        };
        let expose = expose && self.exposes;
        Ok(assigned(py, engine.get().core(), &question, expose, None)?.into_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        visit.call(&self.otherwise)
    }
}
