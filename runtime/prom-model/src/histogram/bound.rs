//! Where a bucket begins and ends.

use std::sync::LazyLock;

use super::CUSTOM_BUCKETS_SCHEMA;

/// The lower and upper bound of the bucket of positive observations at `index`; the lower is outside, the upper inside.
/// A bucket of negative observations has the same bounds with the signs turned.
///
/// `None` where the schema is not one that may be written, or where the index is outside its custom bounds.
pub fn bucket_bounds(index: i64, schema: i32, custom_values: &[f64]) -> Option<(f64, f64)> {
    Some((upper(index.checked_sub(1)?, schema, custom_values)?, upper(index, schema, custom_values)?))
}

fn upper(index: i64, schema: i32, custom_values: &[f64]) -> Option<f64> {
    if schema == CUSTOM_BUCKETS_SCHEMA {
        return match usize::try_from(index) {
            Err(_) => (index == -1).then_some(f64::NEG_INFINITY),
            Ok(at) if at == custom_values.len() => Some(f64::INFINITY),
            Ok(at) => custom_values.get(at).copied(),
        };
    }
    if !super::is_valid_schema(schema) {
        return None;
    }
    // The value 2^1024 is no float; the bucket that would end there ends at the largest one, and the next is infinity's.
    let whole = |exponent: i64| match exponent {
        1024 => f64::MAX,
        1025.. => f64::INFINITY,
        exponent => power_of_two(exponent),
    };
    if schema <= 0 {
        let exponent = index.checked_mul(1 << -schema)?;
        return Some(whole(exponent));
    }
    let (exponent, step) = (index >> schema, index & ((1 << schema) - 1));
    if step == 0 {
        return Some(whole(exponent));
    }
    let fraction = 2.0 * FRACTIONS.get((step << (8 - schema)) as usize)?;
    Some(match exponent {
        1024.. => f64::INFINITY,
        -1021.. => fraction * power_of_two(exponent),
        // Below the normal floats it is rounded once, at the end.
        _ => fraction * power_of_two(exponent.max(-1200) + 200) * power_of_two(-200),
    })
}

/// Exact down to the smallest float; `exponent` is below 1024.
fn power_of_two(exponent: i64) -> f64 {
    match exponent {
        -1022.. => f64::from_bits(((exponent + 1023) as u64) << 52),
        -1074..-1022 => f64::from_bits(1 << (exponent + 1074)),
        _ => 0.0,
    }
}

/// Of each step of schema 8, which has those of all others.
static FRACTIONS: LazyLock<[f64; 256]> =
    LazyLock::new(|| std::array::from_fn(|step| fraction(step as i64, 8)));

/// What Go's `math.Exp2` makes of a half; the correctly rounded root of two is one step above.
#[expect(clippy::approx_constant, reason = "it is not the root of two, but the float below")]
const FACTOR_1: f64 = 1.414_213_562_373_095;

/// `2^(step / 2^schema) / 2` with the rounding errors that Prometheus' table of bounds has: an odd step is that before it times
/// the width of one.
fn fraction(step: i64, schema: i32) -> f64 {
    if step == 0 {
        0.5
    } else if step % 2 == 0 {
        fraction(step / 2, schema - 1)
    } else {
        fraction(step - 1, schema) * if schema == 1 { FACTOR_1 } else { f64::from(-schema).exp2().exp2() }
    }
}
