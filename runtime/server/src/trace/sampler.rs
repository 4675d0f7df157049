//! Which traces are kept: the samplers of OpenTelemetry, by the names that Thanos' configuration has for them.

/// Decides when a trace begins here, or comes in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampler {
    /// The sender's decision goes first.
    pub(crate) by_parent: bool,
    /// The share of traces, from 0 to 1.
    pub(crate) ratio: f64,
}

impl Sampler {
    /// By its name, whatever the case of its letters; `None` for one that is not known.
    pub(crate) fn from_word(word: &str, ratio: f64) -> Option<Self> {
        let (by_parent, ratio) = match word.to_ascii_lowercase().as_str() {
            "alwayssample" => (false, 1.0),
            "neversample" => (false, 0.0),
            "traceidratiobased" => (false, ratio),
            "" | "parentbasedalwayssample" => (true, 1.0),
            "parentbasedneversample" => (true, 0.0),
            "parentbasedtraceidratiobased" => (true, ratio),
            _ => return None,
        };
        Some(Self { by_parent, ratio })
    }

    /// Whether a trace is kept. All processes decide the same about one trace.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the ratio is between 0 and 1, and the lower half of the id is what counts"
    )]
    pub(crate) fn samples(self, trace_id: u128, parent: Option<bool>) -> bool {
        match parent {
            Some(parent) if self.by_parent => parent,
            _ if self.ratio >= 1.0 => true,
            _ => (trace_id as u64) >> 1 < (self.ratio.max(0.0) * 2_f64.powi(63)) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_decides_where_it_may() {
        for (word, root, parent_yes, parent_no) in [
            ("", true, true, false),
            ("AlwaysSample", true, true, true),
            ("neversample", false, false, false),
            ("parentbasedneversample", false, true, false),
        ] {
            let sampler = Sampler::from_word(word, 1.0).unwrap();
            let of = |parent| sampler.samples(1 << 70, parent);
            assert_eq!((of(None), of(Some(true)), of(Some(false))), (root, parent_yes, parent_no), "{word}");
        }
        assert_eq!(Sampler::from_word("sometimes", 1.0), None);
    }

    #[test]
    fn a_ratio_is_a_share_of_the_ids() {
        let sampler = Sampler::from_word("traceidratiobased", 0.25).unwrap();
        let kept =
            (0..1000_u128).filter(|step| sampler.samples(step * (u128::from(u64::MAX) / 1000), None)).count();
        assert!((249..=251).contains(&kept), "{kept}");
    }
}
