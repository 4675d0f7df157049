//! What a query took: times and samples.

use promql::{Answer, StepSamples};

use crate::json::number::{push_float_digits, push_whole};

/// How long the parts of a query took, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timings {
    pub(crate) preparation: f64,
    pub(crate) queue: f64,
    pub(crate) evaluation: f64,
}

pub(super) fn push_stats(out: &mut Vec<u8>, answer: &Answer, timings: Timings) {
    let Timings { preparation, queue, evaluation } = timings;
    let total = preparation + evaluation;
    out.extend_from_slice(b",\"stats\":{\"timings\":{");
    let fields: [(&[u8], f64); 6] = [
        (b"\"evalTotalTime\":", total),
        (b",\"resultSortTime\":", 0.0),
        (b",\"queryPreparationTime\":", preparation),
        (b",\"innerEvalTime\":", evaluation),
        (b",\"execQueueTime\":", queue),
        (b",\"execTotalTime\":", queue + total),
    ];
    for (name, seconds) in fields {
        out.extend_from_slice(name);
        push_float_digits(out, seconds);
    }
    out.extend_from_slice(b"},\"samples\":{");
    let stats = &answer.stats;
    // What was read is part of the statistics that are off by default, as all that is told for each step.
    let per_step = !stats.samples_per_step.is_empty();
    if per_step {
        push_steps(out, b"\"totalQueryableSamplesPerStep\":[", &stats.samples_per_step);
    }
    out.extend_from_slice(b"\"totalQueryableSamples\":");
    push_whole(out, stats.samples_total as i64);
    out.push(b',');
    if per_step {
        push_steps(out, b"\"samplesReadPerStep\":[", &stats.samples_read_per_step);
        out.extend_from_slice(b"\"samplesRead\":");
        push_whole(out, stats.samples_read as i64);
        out.push(b',');
    }
    out.extend_from_slice(b"\"peakSamples\":");
    push_whole(out, stats.samples_peak as i64);
    out.extend_from_slice(b"}}");
}

fn push_steps(out: &mut Vec<u8>, name: &[u8], steps: &[StepSamples]) {
    out.extend_from_slice(name);
    for (at, step) in steps.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",[" } else { b"[" });
        push_float_digits(out, step.time as f64 / 1000.0);
        out.push(b',');
        push_whole(out, step.samples as i64);
        out.push(b']');
    }
    out.extend_from_slice(b"],");
}
