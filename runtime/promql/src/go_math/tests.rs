use super::{atan2, exp, ln, pow};

/// Arguments and results as Go 1.19 on amd64 printed their bits: x, y, pow(x, y), atan2(x, y), exp(x), ln(x).
const VECTORS: &str = include_str!("vectors.txt");

fn same(ours: f64, bits: u64) -> bool {
    ours.to_bits() == bits || ours.is_nan() && f64::from_bits(bits).is_nan()
}

#[test]
fn results_are_those_of_go_to_the_bit() {
    let mut wrong = Vec::new();
    for line in VECTORS.lines() {
        let bits: Vec<u64> =
            line.split(' ').map(|hex| u64::from_str_radix(hex, 16).expect("a number")).collect();
        let [x, y] = [f64::from_bits(bits[0]), f64::from_bits(bits[1])];
        let ours = [pow(x, y), atan2(x, y), exp(x), ln(x), x % y];
        for (at, (ours, theirs)) in ours.iter().zip(&bits[2..]).enumerate() {
            if !same(*ours, *theirs) {
                wrong.push(format!("{at}: x {x:e} y {y:e}: {ours:e}, Go {:e}", f64::from_bits(*theirs)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}
