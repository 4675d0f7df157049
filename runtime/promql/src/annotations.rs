//! What a query wants to say beside its answer: warnings and infos, each once, with the place in the query they are about.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use promql_syntax::Span;

mod text;

/// How much an annotation matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The answer may be wrong.
    Warning,
    /// The query may not be what was meant.
    Info,
}

/// One warning or info. The constructors below give Prometheus' texts (its package `util/annotations`).
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    level: Level,
    text: String,
    span: Option<Span>,
    facts: Option<Facts>,
}

/// What is counted over all annotations of the same text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Facts {
    /// How often it happened.
    Occurrences(u64),
    /// How far buckets had to be mended.
    Monotonicity(Monotonicity),
}

/// How far the buckets of classic histograms had to be mended; merged over series and steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Monotonicity {
    min_time: i64,
    max_time: i64,
    min_bucket: f64,
    max_bucket: f64,
    max_diff: f64,
    samples: u64,
}

impl Monotonicity {
    /// One histogram at one time, in milliseconds: the lowest and the highest bound of its mended buckets, and the most that a
    /// count was short.
    pub(crate) const fn new(time: i64, buckets: (f64, f64), max_diff: f64) -> Self {
        let (min_bucket, max_bucket) = buckets;
        Monotonicity { min_time: time, max_time: time, min_bucket, max_bucket, max_diff, samples: 1 }
    }

    /// Takes in more histograms or more times.
    pub(crate) fn merge(&mut self, more: &Monotonicity) {
        self.min_time = self.min_time.min(more.min_time);
        self.max_time = self.max_time.max(more.max_time);
        self.min_bucket = self.min_bucket.min(more.min_bucket);
        self.max_bucket = self.max_bucket.max(more.max_bucket);
        self.max_diff = self.max_diff.max(more.max_diff);
        self.samples += more.samples;
    }
}

impl Annotation {
    /// How much it matters.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The text without the place: `PromQL warning: …`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with its place, as Prometheus' API gives it: `PromQL warning: … (1:5)`.
    pub fn located(&self, query: &str) -> String {
        let mut text = self.text.clone();
        if let Some(facts) = &self.facts {
            text::push_facts(&mut text, facts);
        }
        if let Some(span) = self.span {
            text.push_str(&format!(" ({})", span.line_column(query)));
        }
        text
    }
}

impl Annotation {
    /// Takes in another one with the same text. Of two places that of the part evaluated last stays, as in Prometheus, where the
    /// last one overwrites: the outer one of two that lie in each other, else the right one. Of those that count, the first.
    fn count(&mut self, more: &Annotation) {
        let place = |span: Option<Span>| span.map(|span| (span.end, Reverse(span.start)));
        if (place(self.span) < place(more.span)) == self.facts.is_none() {
            self.span = more.span;
        }
        match (&mut self.facts, more.facts) {
            (Some(Facts::Occurrences(count)), Some(Facts::Occurrences(more))) => *count += more,
            (Some(Facts::Monotonicity(known)), Some(Facts::Monotonicity(more))) => known.merge(&more),
            _ => {}
        }
    }
}

/// A set of annotations; those with the same text count once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotations(BTreeMap<(Level, String), Annotation>);

impl Annotations {
    /// Adds one.
    pub fn add(&mut self, annotation: Annotation) {
        use std::collections::btree_map::Entry;
        match self.0.entry((annotation.level, annotation.text.clone())) {
            Entry::Vacant(entry) => {
                entry.insert(annotation);
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().count(&annotation);
            }
        }
    }

    /// Adds all of `others`.
    pub fn merge(&mut self, others: Annotations) {
        for (_, annotation) in others.0 {
            self.add(annotation);
        }
    }

    /// The same about other places in the text.
    pub(crate) fn moved(&self, places: &HashMap<Span, Span>) -> Annotations {
        let mut moved = self.clone();
        for span in moved.0.values_mut().filter_map(|annotation| annotation.span.as_mut()) {
            *span = places.get(span).copied().unwrap_or(*span);
        }
        moved
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them: warnings first, then by text.
    pub fn iter(&self) -> impl Iterator<Item = &Annotation> {
        self.0.values()
    }

    /// The texts of one level with their places; at most `most` of them, then one that counts the rest (0: all).
    pub fn texts(&self, level: Level, query: &str, most: usize) -> Vec<String> {
        let all: Vec<&Annotation> = self.iter().filter(|annotation| annotation.level == level).collect();
        let shown = if most == 0 { all.len() } else { most.min(all.len()) };
        let mut texts: Vec<String> =
            all.iter().take(shown).map(|annotation| annotation.located(query)).collect();
        if shown < all.len() {
            let kind = if level == Level::Warning { "warning" } else { "info" };
            texts.push(format!("{} more {kind} annotations omitted", all.len() - shown));
        }
        texts
    }
}
