//! The templates in the labels and annotations of alerts: Go's `text/template` with Prometheus' functions.
//!
//! `prom-config` reads a template into a tree; here the tree is evaluated, with the texts and the places of Go's errors, because
//! an error becomes the value of the label or the annotation.

mod exec;
mod fmt;
mod functions;
mod time;
mod value;

use std::rc::Rc;

use prom_config::template::{self, Template};
use prom_model::{Labels, TimestampMs};

use crate::{QueryFn, SampleValue};
use exec::Run;
use functions::{Environment, map_of, value_of};
use value::{Data, Value};

/// The variables that Prometheus puts before every template.
const PREAMBLE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                        {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// A template of an alert's label or annotation.
#[derive(Debug, Clone)]
pub struct AlertTemplate {
    name: String,
    text: String,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// No template at all.
    Plain,
    Parsed(Template),
    /// Why it does not parse.
    Refused(String),
}

/// What a template is about.
#[derive(Debug, Clone, Copy)]
pub struct TemplateData<'d> {
    /// The labels of the element of the expression's result, its name too.
    pub labels: &'d Labels,
    /// The value of that element.
    pub value: &'d SampleValue,
    /// Labels of this Prometheus.
    pub external_labels: &'d Labels,
    /// Where this Prometheus is reached.
    pub external_url: &'d str,
    /// When the rule is evaluated.
    pub at: TimestampMs,
}

/// Why a template gives no text, in Prometheus' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is no template.
    #[error("error parsing template {name}: {reason}")]
    Parse {
        /// The name of the template.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The template cannot be evaluated for this alert.
    #[error("error executing template {name}: {reason}")]
    Execute {
        /// The name of the template.
        name: String,
        /// Where and why, in Go's words.
        reason: String,
    },
}

impl AlertTemplate {
    /// Reads the template of an alert; whether it parses is told when it is expanded, as Prometheus does.
    pub fn new(alert: &str, text: &str) -> Self {
        let name = format!("__alert_{alert}");
        if !text.contains("{{") {
            return AlertTemplate { name, text: text.to_owned(), content: Content::Plain };
        }
        let text = format!("{PREAMBLE}{text}");
        let content = match template::parse(&text) {
            Ok(template) => Content::Parsed(template),
            Err(error) => Content::Refused(error.to_string()),
        };
        AlertTemplate { name, text, content }
    }

    /// Fills the template.
    pub fn expand(&self, data: &TemplateData<'_>, query: &mut dyn QueryFn) -> Result<String, TemplateError> {
        let template = match &self.content {
            Content::Plain => return Ok(self.text.clone()),
            Content::Parsed(template) => template,
            Content::Refused(reason) => {
                return Err(TemplateError::Parse { name: self.name.clone(), reason: reason.clone() });
            }
        };
        let root = Value::Data(Rc::new(Data {
            labels: Rc::new(map_of(data.labels)),
            external_labels: Rc::new(map_of(data.external_labels)),
            external_url: data.external_url.to_owned(),
            value: value_of(data.value),
        }));
        let environment = Environment { at: data.at, query, external_url: data.external_url };
        Run::run(&self.name, &self.text, template, root, environment)
            .map_err(|reason| TemplateError::Execute { name: self.name.clone(), reason })
    }
}
