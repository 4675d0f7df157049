//! The functions of Prometheus 3 with the types of their arguments.

use crate::ValueType::{self, Matrix, Scalar, String, Vector};

/// A function's signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// The name.
    pub name: &'static str,
    /// The types of the arguments; the last one also holds for further arguments.
    pub args: &'static [ValueType],
    /// Whether the number of arguments varies.
    pub variadic: Variadic,
    /// The type of the result.
    pub returns: ValueType,
    /// Whether Prometheus wants `--enable-feature=promql-experimental-functions` for it.
    pub experimental: bool,
}

/// Whether the number of arguments varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variadic {
    /// Exactly the listed ones.
    No,
    /// All but the last listed one, and up to so many more.
    UpTo(usize),
    /// All but the last listed one, and any number more.
    Any,
}

impl Function {
    /// Finds a function by name; names are case sensitive.
    pub fn find(name: &str) -> Option<&'static Function> {
        let at = FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok()?;
        FUNCTIONS.get(at)
    }

    /// The least number of arguments.
    pub const fn args_min(&self) -> usize {
        match self.variadic {
            Variadic::No => self.args.len(),
            _ => self.args.len().saturating_sub(1),
        }
    }

    /// The greatest number of arguments, if there is one.
    pub const fn args_max(&self) -> Option<usize> {
        match self.variadic {
            Variadic::No => Some(self.args.len()),
            Variadic::UpTo(more) => Some(self.args_min() + more),
            Variadic::Any => None,
        }
    }
}

const fn stable(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Function {
    Function { name, args, variadic: Variadic::No, returns, experimental: false }
}

const fn experimental(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Function {
    Function { name, args, variadic: Variadic::No, returns, experimental: true }
}

/// A function of one instant vector.
const fn vector(name: &'static str) -> Function {
    stable(name, &[Vector], Vector)
}

/// A function of one range vector.
const fn matrix(name: &'static str) -> Function {
    stable(name, &[Matrix], Vector)
}

impl Function {
    const fn variadic(mut self, variadic: Variadic) -> Function {
        self.variadic = variadic;
        self
    }
}

/// Stands in for a function that does not exist, in a tree that nobody will see.
pub(crate) static UNKNOWN: Function = stable("", &[], Vector);

/// All functions, sorted by name.
pub static FUNCTIONS: &[Function] = &[
    vector("abs"),
    vector("absent"),
    matrix("absent_over_time"),
    vector("acos"),
    vector("acosh"),
    vector("asin"),
    vector("asinh"),
    vector("atan"),
    vector("atanh"),
    matrix("avg_over_time"),
    vector("ceil"),
    matrix("changes"),
    stable("clamp", &[Vector, Scalar, Scalar], Vector),
    stable("clamp_max", &[Vector, Scalar], Vector),
    stable("clamp_min", &[Vector, Scalar], Vector),
    vector("cos"),
    vector("cosh"),
    matrix("count_over_time"),
    vector("day_of_month").variadic(Variadic::UpTo(1)),
    vector("day_of_week").variadic(Variadic::UpTo(1)),
    vector("day_of_year").variadic(Variadic::UpTo(1)),
    vector("days_in_month").variadic(Variadic::UpTo(1)),
    vector("deg"),
    matrix("delta"),
    matrix("deriv"),
    experimental("double_exponential_smoothing", &[Matrix, Scalar, Scalar], Vector),
    experimental("end", &[], Scalar),
    vector("exp"),
    matrix("first_over_time"),
    vector("floor"),
    vector("histogram_avg"),
    vector("histogram_count"),
    stable("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    stable("histogram_quantile", &[Scalar, Vector], Vector),
    experimental("histogram_quantiles", &[Vector, String, Scalar, Scalar], Vector)
        .variadic(Variadic::UpTo(9)),
    vector("histogram_stddev"),
    vector("histogram_stdvar"),
    vector("histogram_sum"),
    vector("hour").variadic(Variadic::UpTo(1)),
    matrix("idelta"),
    matrix("increase"),
    experimental("info", &[Vector, Vector], Vector).variadic(Variadic::UpTo(1)),
    matrix("irate"),
    stable("label_join", &[Vector, String, String, String], Vector).variadic(Variadic::Any),
    stable("label_replace", &[Vector, String, String, String, String], Vector),
    matrix("last_over_time"),
    vector("ln"),
    vector("log10"),
    vector("log2"),
    experimental("mad_over_time", &[Matrix], Vector),
    experimental("max_of", &[Scalar, Scalar], Scalar),
    matrix("max_over_time"),
    experimental("min_of", &[Scalar, Scalar], Scalar),
    matrix("min_over_time"),
    vector("minute").variadic(Variadic::UpTo(1)),
    vector("month").variadic(Variadic::UpTo(1)),
    stable("pi", &[], Scalar),
    stable("predict_linear", &[Matrix, Scalar], Vector),
    matrix("present_over_time"),
    stable("quantile_over_time", &[Scalar, Matrix], Vector),
    vector("rad"),
    experimental("range", &[], Scalar),
    matrix("rate"),
    matrix("resets"),
    stable("round", &[Vector, Scalar], Vector).variadic(Variadic::UpTo(1)),
    stable("scalar", &[Vector], Scalar),
    vector("sgn"),
    vector("sin"),
    vector("sinh"),
    vector("sort"),
    experimental("sort_by_label", &[Vector, String], Vector).variadic(Variadic::Any),
    experimental("sort_by_label_desc", &[Vector, String], Vector).variadic(Variadic::Any),
    vector("sort_desc"),
    vector("sqrt"),
    experimental("start", &[], Scalar),
    experimental("start_timestamp", &[Vector], Vector),
    matrix("stddev_over_time"),
    matrix("stdvar_over_time"),
    experimental("step", &[], Scalar),
    matrix("sum_over_time"),
    vector("tan"),
    vector("tanh"),
    stable("time", &[], Scalar),
    vector("timestamp"),
    experimental("ts_of_first_over_time", &[Matrix], Vector),
    experimental("ts_of_last_over_time", &[Matrix], Vector),
    experimental("ts_of_max_over_time", &[Matrix], Vector),
    experimental("ts_of_min_over_time", &[Matrix], Vector),
    stable("vector", &[Scalar], Vector),
    vector("year").variadic(Variadic::UpTo(1)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_find_works() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        for function in FUNCTIONS {
            assert_eq!(Function::find(function.name), Some(function));
        }
        assert_eq!(Function::find("Rate"), None);
    }
}
