//! Parts of dates, in UTC: of seconds since the epoch, or of the time of the step.

use super::elementwise::each_float;
use crate::calendar::{date, day_of_year, days_in_month};
use crate::exec::{Operator, Run};
use crate::{QueryError, Row, Steps};

/// What is taken of a date.
pub(crate) type Part = fn(Moment) -> f64;

/// A second, as a day and a second of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Days since 1970-01-01.
    days: i64,
    /// Seconds since midnight.
    second: u64,
}

const DAY: u64 = 86_400;
/// Days from March 1 of the year -292277022400, where Go's calendar begins, to 1970-01-01.
const DAYS_BEFORE_EPOCH: u64 = 106_751_991_073_400;

impl Moment {
    /// A second since the epoch. Those before the calendar begins come after its end, as in Go.
    fn new(seconds: i64) -> Self {
        let absolute = (seconds as u64).wrapping_add(DAYS_BEFORE_EPOCH.wrapping_mul(DAY));
        Moment { days: (absolute / DAY).wrapping_sub(DAYS_BEFORE_EPOCH) as i64, second: absolute % DAY }
    }

    /// A float's second, cut, not rounded; what is no number of 64 bits becomes the smallest one.
    fn of_float(value: f64) -> Self {
        let fits = value >= i64::MIN as f64 && value < i64::MAX as f64;
        Moment::new(if fits { value as i64 } else { i64::MIN })
    }
}

/// The part that a function takes.
pub(crate) fn part(name: &str) -> Option<Part> {
    Some(match name {
        "minute" => |moment| (moment.second / 60 % 60) as f64,
        "hour" => |moment| (moment.second / 3600) as f64,
        "day_of_week" => |moment| (moment.days + 4).rem_euclid(7) as f64,
        "day_of_month" => |moment| f64::from(date(moment.days).2),
        "day_of_year" => |moment| f64::from(day_of_year(moment.days)),
        "days_in_month" => |moment| {
            let (year, month, _) = date(moment.days);
            f64::from(days_in_month(year, month))
        },
        "month" => |moment| f64::from(date(moment.days).1),
        "year" => |moment| date(moment.days).0 as f64,
        _ => return None,
    })
}

/// The part of the dates that the floats of a vector stand for.
pub(crate) struct PartOfValues {
    input: Box<dyn Operator>,
    part: Part,
}

impl PartOfValues {
    pub(crate) fn new(input: Box<dyn Operator>, part: Part) -> Self {
        PartOfValues { input, part }
    }
}

impl Operator for PartOfValues {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        while self.input.next(run, row)? {
            row.column.drop_histograms();
            if row.column.is_empty() {
                continue;
            }
            each_float(&mut row.column, |value| (self.part)(Moment::of_float(value)));
            run.drop_metric_name(row);
            return Ok(true);
        }
        Ok(false)
    }
}

/// The part of the times of the steps.
pub(crate) fn of_steps(steps: Steps, part: Part) -> Vec<f64> {
    steps.times().map(|time| part(Moment::new(time / 1000))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(seconds: f64) -> Vec<f64> {
        ["year", "month", "day_of_month", "day_of_year", "days_in_month", "day_of_week", "hour", "minute"]
            .map(|name| part(name).expect("a function of dates")(Moment::of_float(seconds)))
            .to_vec()
    }

    #[test]
    fn dates_have_parts() {
        assert_eq!(parts(0.0), [1970.0, 1.0, 1.0, 1.0, 31.0, 4.0, 0.0, 0.0]);
        assert_eq!(parts(-0.5), [1970.0, 1.0, 1.0, 1.0, 31.0, 4.0, 0.0, 0.0]);
        assert_eq!(parts(-1.0), [1969.0, 12.0, 31.0, 365.0, 31.0, 3.0, 23.0, 59.0]);
        assert_eq!(parts(1_709_210_096.0), [2024.0, 2.0, 29.0, 60.0, 29.0, 4.0, 12.0, 34.0]);
        assert_eq!(parts(1_483_228_799.9), [2016.0, 12.0, 31.0, 366.0, 31.0, 6.0, 23.0, 59.0]);
    }

    #[test]
    fn what_is_no_time_is_the_smallest_one() {
        assert_eq!(parts(f64::NAN), parts(f64::INFINITY));
        assert_eq!(parts(f64::NAN), parts(-1e300));
        // The second falls from the calendar's beginning to its end.
        assert_eq!(parts(f64::NAN)[1], 12.0);
        assert!(parts(f64::NAN)[0] > 2.9e11);
    }
}
