//! Rules as a ruler uses them: templates, alerts, groups, and the unit tests of rules.

mod suite;
