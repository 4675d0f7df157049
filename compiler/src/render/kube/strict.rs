//! Reads a tree as a Kubernetes type, remembers where it stands, and refuses fields that the type does not have.
//!
//! The types themselves ignore unknown fields, but tell the reader the names that they know; that is enough to find
//! the wrong one, say where it is and which name was meant.

use std::cell::RefCell;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value};

use crate::render::pointer;

/// Where the reader stands; after an error, the place of the error.
#[derive(Debug, Default)]
pub(super) struct Trail(RefCell<String>);

impl Trail {
    pub(super) fn pointer(&self) -> String {
        self.0.borrow().clone()
    }

    /// Runs a step down; the trail stays where it is when the step fails.
    fn step<T>(
        &self,
        push: impl FnOnce(&mut String),
        read: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let outer = self.0.borrow().len();
        push(&mut self.0.borrow_mut());
        let done = read()?;
        self.0.borrow_mut().truncate(outer);
        Ok(done)
    }
}

/// A value on its way into a type.
#[derive(Clone, Copy)]
pub(super) struct Strict<'a> {
    value: &'a Value,
    trail: &'a Trail,
}

impl<'a> Strict<'a> {
    pub(super) fn new(value: &'a Value, trail: &'a Trail) -> Strict<'a> {
        Strict { value, trail }
    }

    fn refuse_unknown(
        &self,
        type_name: &str,
        fields: &[&str],
        given: &Map<String, Value>,
    ) -> Result<(), Error> {
        for (key, _) in given.iter().filter(|(_, entry)| !entry.is_null()) {
            let message = if !fields.contains(&key.as_str()) {
                format!("unknown field `{key}` of {type_name}{}", nearest(key, fields.iter().copied()))
            } else if type_name == "ObjectMeta" && key == "creationTimestamp" {
                "the API server sets this field; leave it out".to_owned()
            } else {
                continue;
            };
            return self.trail.step(|at| pointer::push_key(at, key), || Err(Error::custom(message)));
        }
        Ok(())
    }
}

impl<'de> Deserializer<'de> for Strict<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), current: None, trail: self.trail })
            }
            Value::Array(items) => {
                visitor.visit_seq(Items { items: items.iter().enumerate(), trail: self.trail })
            }
            scalar => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Value::Object(given) = self.value {
            self.refuse_unknown(name, fields, given)?;
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

struct Entries<'de> {
    entries: serde_json::map::Iter<'de>,
    current: Option<(&'de String, &'de Value)>,
    trail: &'de Trail,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        // A null entry says the same as no entry.
        self.current = self.entries.find(|(_, entry)| !entry.is_null());
        let Some((key, _)) = self.current else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (key, value) = self.current.ok_or_else(|| Error::custom("a value was read before its key"))?;
        let trail = self.trail;
        trail.step(|at| pointer::push_key(at, key), || seed.deserialize(Strict { value, trail }))
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    trail: &'de Trail,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, value)) = self.items.next() else { return Ok(None) };
        let trail = self.trail;
        trail
            .step(|at| pointer::push_index(at, index), || seed.deserialize(Strict { value, trail }))
            .map(Some)
    }
}

/// A half sentence that offers the known name nearest to a wrong one, if any is near.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let wrong = wrong.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&wrong, &name.to_lowercase());
    known
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}
