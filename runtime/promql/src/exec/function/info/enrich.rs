//! Brings series and info series together, step by step.

use hashbrown::HashMap;
use prom_model::Matcher;

use super::SymbolSet;
use crate::exec::Run;
use crate::{Column, LabelSet, QueryError, Row, Steps, Symbol};

/// What informs a series: the name of the info metric, then the identifying labels.
type Signature = [Symbol; 3];

type Hasher = foldhash::fast::FixedState;

/// The info series of a query.
pub(super) struct Enrich<'m> {
    infos: Vec<Row>,
    identifying: [Symbol; 2],
    data: &'m [Matcher],
    steps: Steps,
    /// Info metrics, each once, in the order of their series.
    names: Vec<Symbol>,
    /// Info series by what they inform, each with its place.
    sources: HashMap<Signature, Vec<usize>, Hasher>,
    signatures: Vec<Signature>,
}

impl<'m> Enrich<'m> {
    /// The values of `infos` are the times of their samples, seconds.
    pub(super) fn new(infos: Vec<Row>, identifying: [Symbol; 2], data: &'m [Matcher], steps: Steps) -> Self {
        let mut enrich = Enrich {
            infos: Vec::new(),
            identifying,
            data,
            steps,
            names: Vec::new(),
            sources: HashMap::default(),
            signatures: Vec::new(),
        };
        for (at, info) in infos.iter().enumerate() {
            let name = info.labels.get(Symbol::METRIC_NAME);
            if !enrich.names.contains(&name) {
                enrich.names.push(name);
            }
            let signature = enrich.signature(name, &info.labels);
            let sources = enrich.sources.entry(signature).or_default();
            if sources.is_empty() {
                enrich.signatures.push(signature);
            }
            sources.push(at);
        }
        enrich.infos = infos;
        enrich
    }

    fn signature(&self, name: Symbol, labels: &LabelSet) -> Signature {
        let [instance, job] = self.identifying.map(|label| labels.get(label));
        [name, instance, job]
    }

    /// Adds labels to the rows; those that are `ignored` stay as they are.
    pub(super) fn rows(
        &self,
        rows: Vec<Row>,
        ignored: &[bool],
        run: &mut Run,
    ) -> Result<Vec<Row>, QueryError> {
        self.refuse_duplicates(&rows, run)?;
        let names: SymbolSet = self.data.iter().map(|matcher| run.symbols.intern(matcher.name())).collect();
        let mut enriched = Vec::with_capacity(rows.len());
        for (row, ignored) in rows.into_iter().zip(ignored) {
            run.check()?;
            if *ignored {
                enriched.push(row);
                continue;
            }
            self.row(row, &names, &mut enriched, run)?;
        }
        Ok(enriched)
    }

    /// Adds labels to a row; where they change from step to step it becomes several.
    fn row(&self, row: Row, names: &SymbolSet, enriched: &mut Vec<Row>, run: &Run) -> Result<(), QueryError> {
        let sources: Vec<&[usize]> = self
            .names
            .iter()
            .filter_map(|name| self.sources.get(&self.signature(*name, &row.labels)))
            .map(Vec::as_slice)
            .collect();
        let keep_alone = self.data.iter().all(Matcher::matches_empty);
        if let Some(always) = self.always(&row, &sources) {
            if !always.is_empty() || keep_alone {
                let labelled = self.labelled(&row, &always, names, run)?;
                enriched.push(Row { labels: labelled, ..row });
            }
            return Ok(());
        }
        let mut parts: Vec<(Vec<usize>, Option<Row>)> = Vec::new();
        let mut now: Vec<usize> = Vec::new();
        let mut part = 0;
        for step in 0..self.steps.count {
            if row.column.get(step).is_none() {
                continue;
            }
            now.clear();
            now.extend(sources.iter().filter_map(|sources| self.latest(sources, step)));
            if parts.get(part).is_none_or(|(known, _)| *known != now) {
                part = match parts.iter().position(|(known, _)| *known == now) {
                    Some(known) => known,
                    None => {
                        let kept = !now.is_empty() || keep_alone;
                        let new = if kept {
                            let labels = self.labelled(&row, &now, names, run)?;
                            let column = Column::new(self.steps.count);
                            Some(Row { labels, drop_name: row.drop_name, column })
                        } else {
                            None
                        };
                        parts.push((now.clone(), new));
                        parts.len() - 1
                    }
                };
            }
            if let Some((_, Some(part))) = parts.get_mut(part) {
                part.column.copy_from(step, &row.column, step);
            }
        }
        enriched.extend(parts.into_iter().filter_map(|(_, part)| part));
        Ok(())
    }

    /// The info series with the latest sample at a step.
    fn latest(&self, sources: &[usize], step: usize) -> Option<usize> {
        let time = |at: &usize| self.infos.get(*at).and_then(|info| info.column.float(step));
        let mut latest: Option<(usize, f64)> = None;
        for at in sources {
            if let Some(time) = time(at)
                && latest.is_none_or(|(_, known)| time > known)
            {
                latest = Some((*at, time));
            }
        }
        latest.map(|(at, _)| at)
    }

    /// The info series of a row, where they are the same at each of its steps.
    fn always(&self, row: &Row, sources: &[&[usize]]) -> Option<Vec<usize>> {
        let mut always = Vec::with_capacity(sources.len());
        for source in sources {
            let [only] = source else { return None };
            let info = self.infos.get(*only)?;
            let words = info.column.present().words();
            let covered = row.column.present().words().iter().zip(words).all(|(row, info)| row & !info == 0);
            if !covered || !row.column.histograms().all(|(step, _)| info.column.present().get(step)) {
                return None;
            }
            always.push(*only);
        }
        Some(always)
    }

    /// The labels of a series and those of its info series.
    fn labelled(
        &self,
        row: &Row,
        infos: &[usize],
        names: &SymbolSet,
        run: &Run,
    ) -> Result<LabelSet, QueryError> {
        let mut labels = row.labels.clone();
        for info in infos.iter().filter_map(|at| self.infos.get(*at)) {
            for (name, value) in info.labels.as_slice() {
                let wanted = self.data.is_empty() || names.contains(name);
                if *name == Symbol::METRIC_NAME || !wanted || row.labels.get(*name) != Symbol::EMPTY {
                    continue;
                }
                let known = labels.get(*name);
                if known != Symbol::EMPTY && known != *value {
                    let name = run.symbols.text(*name);
                    return Err(QueryError::execution(format!("conflicting label: {name}")));
                }
                labels.set(&run.symbols, *name, *value);
            }
        }
        Ok(labels)
    }

    /// Two info series about the same with samples of the same time leave no choice; it matters where there is something to
    /// be informed.
    fn refuse_duplicates(&self, rows: &[Row], run: &Run) -> Result<(), QueryError> {
        for signature in &self.signatures {
            let Some(sources) = self.sources.get(signature).filter(|sources| sources.len() > 1) else {
                continue;
            };
            for step in 0..self.steps.count {
                let mut latest: Option<(&Row, f64)> = None;
                for info in sources.iter().filter_map(|at| self.infos.get(*at)) {
                    let Some(time) = info.column.float(step) else { continue };
                    match latest {
                        Some((known, at)) if at == time => {
                            if rows.iter().all(|row| row.column.get(step).is_none()) {
                                continue;
                            }
                            let time = (time * 1000.0).round() as i64;
                            return Err(QueryError::execution(format!(
                                "found duplicate series for info metric: existing {} @ {time}, new {} @ {time}",
                                known.labels.to_labels(&run.symbols),
                                info.labels.to_labels(&run.symbols),
                            )));
                        }
                        Some((_, at)) if at > time => {}
                        _ => latest = Some((info, time)),
                    }
                }
            }
        }
        Ok(())
    }
}
