//! Runs the commands of a script.

use std::sync::Arc;

use prom_model::Clock;
use promql_syntax::SequenceValue;

use super::command::{Command, Eval, Load, Times};
use super::storage::MemoryStorage;
use super::{Outcome, ScriptError, classic, compare, variants};
use crate::{Answer, Control, Engine, EngineOptions, QueryError, QueryRange};

/// A minute on both sides of an instant query's time, for its variant as a range query.
const MINUTE: i64 = 60_000;

pub(super) fn run(commands: Vec<Command>, clock: Arc<dyn Clock>) -> Result<Vec<Outcome>, ScriptError> {
    let engine = Engine::new(EngineOptions {
        samples_max: 10_000,
        delayed_name_removal: true,
        use_start_timestamps: true,
        ..EngineOptions::default()
    });
    let mut runner = Runner { engine, storage: MemoryStorage::new(), clock };
    let mut outcomes = Vec::new();
    for command in commands {
        match command {
            Command::Clear => runner.storage.clear(),
            Command::Load(load) => runner.load(&load)?,
            Command::Eval(eval) => outcomes.push(Outcome {
                line: eval.line,
                query: eval.query.clone(),
                failure: runner.eval(&eval).err(),
            }),
        }
    }
    Ok(outcomes)
}

struct Runner {
    engine: Engine,
    storage: MemoryStorage,
    clock: Arc<dyn Clock>,
}

impl Runner {
    fn load(&mut self, load: &Load) -> Result<(), ScriptError> {
        let time = |at: usize| load.interval.saturating_mul(at as i64);
        let mut floats = Vec::new();
        for series in &load.series {
            let mut own = Vec::new();
            for (at, value) in series.values.iter().enumerate() {
                let start = series.starts.get(at).copied().flatten().map_or(0, |offset| time(at) + offset);
                match value {
                    SequenceValue::Omitted => {}
                    SequenceValue::Stale => {
                        self.storage.push_float(&series.labels, start, time(at), prom_model::STALE_NAN);
                    }
                    SequenceValue::Float(value) => {
                        self.storage.push_float(&series.labels, start, time(at), *value);
                        own.push((time(at), *value));
                    }
                    SequenceValue::Histogram { histogram, .. } => {
                        self.storage.push_histogram(&series.labels, start, time(at), histogram.clone());
                    }
                }
            }
            floats.push((&series.labels, own));
        }
        if load.with_nhcb {
            let converted =
                classic::convert(&floats).map_err(|reason| ScriptError { line: load.line, reason })?;
            for (labels, time, histogram) in converted {
                self.storage.push_histogram(&labels, 0, time, histogram);
            }
        }
        Ok(())
    }

    fn eval(&self, eval: &Eval) -> Result<(), String> {
        match eval.times {
            Times::Range { start, end, step } => {
                let result = self.run(&eval.query, QueryRange::Range { start, end, step });
                self.judge(eval, &eval.query, eval.times, result).map(|_| ())
            }
            Times::Instant(time) => {
                self.instant(eval, &eval.query, time)?;
                let variants = variants::with_at(&eval.expr, time);
                for (query, time) in
                    variants.iter().flat_map(|(query, times)| times.iter().map(move |time| (query, *time)))
                {
                    self.instant(eval, query, time)
                        .map_err(|reason| format!("{reason} (as {query:?} at {time})"))?;
                }
                Ok(())
            }
        }
    }

    /// Runs an instant query, and the same as the middle of a range.
    fn instant(&self, eval: &Eval, query: &str, time: i64) -> Result<(), String> {
        let result = self.run(query, QueryRange::Instant { time });
        let expected = &eval.expected;
        if self.judge(eval, query, Times::Instant(time), result)?.is_none() {
            return Ok(());
        }
        let depends_on_range =
            ["start()", "end()", "range()", "step()"].iter().any(|call| query.contains(call));
        if expected.range_vector.is_some() || expected.string.is_some() || depends_on_range {
            return Ok(());
        }
        let range = QueryRange::Range { start: time - MINUTE, end: time + MINUTE, step: MINUTE };
        let answer = self.run(query, range).map_err(|error| format!("as a range query: {error}"))?;
        if expected.ordered {
            return Ok(());
        }
        compare::middle(expected, time, &answer).map_err(|reason| format!("as a range query: {reason}"))
    }

    /// Compares an outcome with what is expected; gives the answer where there is one and should be.
    fn judge(
        &self,
        eval: &Eval,
        query: &str,
        times: Times,
        result: Result<Answer, QueryError>,
    ) -> Result<Option<Answer>, String> {
        match (result, &eval.expected.fail) {
            (Err(error), Some(wanted)) => compare::failure(wanted, &error.to_string()).map(|()| None),
            (Err(error), None) => Err(format!("failed: {error}")),
            (Ok(_), Some(_)) => Err("expected an error, but there was none".to_owned()),
            (Ok(answer), None) => {
                compare::annotations(&eval.expected, query, &answer.annotations)?;
                compare::value(&eval.expected, times, &answer)?;
                Ok(Some(answer))
            }
        }
    }

    fn run(&self, query: &str, range: QueryRange) -> Result<Answer, QueryError> {
        let prepared = self.engine.prepare(query, range)?;
        prepared.run(self.storage.snapshot(), Control::unlimited(Arc::clone(&self.clock)))
    }
}
