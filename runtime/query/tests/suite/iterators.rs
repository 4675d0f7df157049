//! Thanos' iterators, one sample at a time: slow, and what the columns must equal.

/// A sample's value; histograms are told apart by a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Float(f64),
    Histogram(i64),
}

/// What an iterator stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Float,
    Histogram,
}

fn kind(value: Value) -> Kind {
    match value {
        Value::Float(_) => Kind::Float,
        Value::Histogram(_) => Kind::Histogram,
    }
}

pub(crate) trait Iterate {
    fn next(&mut self) -> Kind;
    fn seek(&mut self, time: i64) -> Kind;
    fn time(&self) -> i64;
    fn value(&self) -> Value;
    /// Lifts the values that follow, where that is done.
    fn adjust(&mut self, _last: f64) {}
}

/// The samples of one chunk.
pub(crate) struct Chunk {
    samples: Vec<(i64, Value)>,
    /// One more than the place of the sample here.
    at: usize,
}

impl Chunk {
    pub(crate) fn new(samples: &[(i64, Value)]) -> Self {
        Chunk { samples: samples.to_vec(), at: 0 }
    }
}

impl Iterate for Chunk {
    fn next(&mut self) -> Kind {
        if self.at == self.samples.len() {
            return Kind::None;
        }
        self.at += 1;
        kind(self.value())
    }

    fn seek(&mut self, _time: i64) -> Kind {
        unreachable!("chunks are only walked")
    }

    fn time(&self) -> i64 {
        self.at.checked_sub(1).map_or(i64::MIN, |at| self.samples[at].0)
    }

    fn value(&self) -> Value {
        self.samples[self.at - 1].1
    }
}

/// Chunks behind one another: of what overlaps, the first.
pub(crate) struct Chunks {
    chunks: Vec<Chunk>,
    at: usize,
    last: Kind,
}

impl Chunks {
    pub(crate) fn new(chunks: Vec<Chunk>) -> Self {
        Chunks { chunks, at: 0, last: Kind::None }
    }
}

impl Iterate for Chunks {
    fn next(&mut self) -> Kind {
        let before = self.time();
        let found = self.chunks[self.at].next();
        if found != Kind::None {
            self.last = found;
            return found;
        }
        if self.at + 1 >= self.chunks.len() {
            return Kind::None;
        }
        self.at += 1;
        self.seek(before.wrapping_add(1))
    }

    fn seek(&mut self, time: i64) -> Kind {
        while self.time() < time {
            self.last = self.next();
            if self.last == Kind::None {
                return Kind::None;
            }
        }
        self.last
    }

    fn time(&self) -> i64 {
        self.chunks[self.at].time()
    }

    fn value(&self) -> Value {
        self.chunks[self.at].value()
    }
}

/// Chunks of a counter, its resets taken out.
pub(crate) struct Counter {
    chunks: Vec<Chunk>,
    at: usize,
    seen: usize,
    last_time: i64,
    last_value: f64,
    total: f64,
    last: Kind,
}

impl Counter {
    pub(crate) fn new(chunks: Vec<Chunk>) -> Self {
        Counter { chunks, at: 0, seen: 0, last_time: 0, last_value: 0.0, total: 0.0, last: Kind::None }
    }
}

impl Iterate for Counter {
    fn next(&mut self) -> Kind {
        loop {
            let Some(chunk) = self.chunks.get_mut(self.at) else { return Kind::None };
            self.last = chunk.next();
            match self.last {
                Kind::None => {
                    self.at += 1;
                    return self.seek(self.last_time + 1);
                }
                Kind::Histogram => {
                    self.last_time = chunk.time();
                    return self.last;
                }
                Kind::Float => {}
            }
            let (time, Value::Float(value)) = (chunk.time(), chunk.value()) else { unreachable!() };
            if value.is_nan() {
                continue;
            }
            if self.seen == 0 {
                self.total = value;
            } else if time > self.last_time {
                self.total += if value >= self.last_value { value - self.last_value } else { value };
            } else {
                if time == self.last_time {
                    self.last_value = value;
                }
                continue;
            }
            self.seen += 1;
            (self.last_time, self.last_value) = (time, value);
            return Kind::Float;
        }
    }

    fn seek(&mut self, time: i64) -> Kind {
        while self.last_time < time {
            if self.next() == Kind::None {
                return Kind::None;
            }
        }
        self.last
    }

    fn time(&self) -> i64 {
        self.last_time
    }

    fn value(&self) -> Value {
        match self.last {
            Kind::Histogram => self.chunks[self.at].value(),
            _ => Value::Float(self.total),
        }
    }
}

/// Only what is inside of times.
pub(crate) struct Bounded {
    inner: Box<dyn Iterate>,
    min_time: i64,
    max_time: i64,
}

impl Bounded {
    pub(crate) fn new(inner: Box<dyn Iterate>, (min_time, max_time): (i64, i64)) -> Self {
        Bounded { inner, min_time, max_time }
    }
}

impl Iterate for Bounded {
    fn next(&mut self) -> Kind {
        let mut found = self.inner.next();
        if found != Kind::None && self.inner.time() < self.min_time {
            // Thanos goes on with the kind of the sample before; a series that changes its kind here shows garbage.
            found = self.seek(self.min_time);
        }
        if found != Kind::None && self.inner.time() <= self.max_time { found } else { Kind::None }
    }

    fn seek(&mut self, time: i64) -> Kind {
        if time > self.max_time { Kind::None } else { self.inner.seek(time.max(self.min_time)) }
    }

    fn time(&self) -> i64 {
        self.inner.time()
    }

    fn value(&self) -> Value {
        self.inner.value()
    }
}

/// A replica whose values can be lifted.
pub(crate) struct Adjustable {
    inner: Box<dyn Iterate>,
    by: f64,
}

impl Adjustable {
    pub(crate) fn new(inner: Box<dyn Iterate>) -> Self {
        Adjustable { inner, by: 0.0 }
    }
}

impl Iterate for Adjustable {
    fn next(&mut self) -> Kind {
        self.inner.next()
    }

    fn seek(&mut self, time: i64) -> Kind {
        self.inner.seek(time)
    }

    fn time(&self) -> i64 {
        self.inner.time()
    }

    fn value(&self) -> Value {
        match self.inner.value() {
            Value::Float(value) => Value::Float(value + self.by),
            other => other,
        }
    }

    fn adjust(&mut self, last: f64) {
        if let Value::Float(value) = self.value()
            && last > value
        {
            self.by += last - value;
        }
    }
}

/// Two replicas, by penalties.
pub(crate) struct Penalised {
    a: Box<dyn Iterate>,
    b: Box<dyn Iterate>,
    a_kind: Kind,
    b_kind: Kind,
    last: Option<i64>,
    a_last: bool,
    penalty_a: i64,
    penalty_b: i64,
    use_a: bool,
}

impl Penalised {
    pub(crate) fn new(mut a: Box<dyn Iterate>, mut b: Box<dyn Iterate>) -> Self {
        let (a_kind, b_kind) = (a.next(), b.next());
        let (penalty_a, penalty_b) = (0, 0);
        Penalised { a, b, a_kind, b_kind, last: None, a_last: true, penalty_a, penalty_b, use_a: true }
    }

    fn pick(&mut self) -> Kind {
        let after = self.last.map_or(i64::MIN + 1, |last| last + 1);
        if self.a_kind != Kind::None {
            self.a_kind = self.a.seek(after + self.penalty_a);
        }
        if self.b_kind != Kind::None {
            self.b_kind = self.b.seek(after + self.penalty_b);
        }
        if self.a_kind == Kind::None {
            self.use_a = false;
            if self.b_kind != Kind::None {
                (self.last, self.a_last, self.penalty_b) = (Some(self.b.time()), false, 0);
            }
            return self.b_kind;
        }
        if self.b_kind == Kind::None {
            self.use_a = true;
            (self.last, self.a_last, self.penalty_a) = (Some(self.a.time()), true, 0);
            return self.a_kind;
        }
        let (a, b) = (self.a.time(), self.b.time());
        self.use_a = a <= b;
        let picked = a.min(b);
        let penalty = self.last.map_or(5000, |last| 2 * (picked - last));
        (self.penalty_a, self.penalty_b) = if self.use_a { (0, penalty) } else { (penalty, 0) };
        (self.last, self.a_last) = (Some(picked), self.use_a);
        if self.use_a { self.a_kind } else { self.b_kind }
    }
}

impl Iterate for Penalised {
    fn next(&mut self) -> Kind {
        let had = if self.use_a { self.a_kind } else { self.b_kind };
        let last = (had == Kind::Float).then(|| self.value());
        let used_a = self.use_a;
        let found = self.pick();
        if self.use_a != used_a
            && let Some(Value::Float(last)) = last
        {
            self.adjust(last);
        }
        found
    }

    fn seek(&mut self, time: i64) -> Kind {
        loop {
            let here = self.time();
            if here >= time {
                return if self.use_a { self.a.seek(here) } else { self.b.seek(here) };
            }
            if self.next() == Kind::None {
                return Kind::None;
            }
        }
    }

    fn time(&self) -> i64 {
        if self.use_a { self.a.time() } else { self.b.time() }
    }

    fn value(&self) -> Value {
        if self.a_last { self.a.value() } else { self.b.value() }
    }

    fn adjust(&mut self, last: f64) {
        if self.a_kind == Kind::Float {
            self.a.adjust(last);
        }
        if self.b_kind == Kind::Float {
            self.b.adjust(last);
        }
    }
}
