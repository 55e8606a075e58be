//! Where in a file something stands: a problem that shows only when a lesson is played has a line
//! too.

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Display};

/// A way into a file: `steps`, 2, `checks`, 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Field(String),
    Item(usize),
}

impl Place {
    /// The whole file.
    pub fn root() -> Self {
        Place::default()
    }

    /// A field of this.
    pub fn field(&self, name: &str) -> Place {
        self.and(Segment::Field(name.to_owned()))
    }

    /// An item of this, from 0.
    pub fn item(&self, index: usize) -> Place {
        self.and(Segment::Item(index))
    }

    fn and(&self, segment: Segment) -> Place {
        let mut longer = self.clone();
        longer.0.push(segment);
        longer
    }

    /// The line, from 1, on which its value begins; of what contains it, where the file does not
    /// have it.
    pub fn line(&self, yaml: &str) -> usize {
        (0..=self.0.len())
            .rev()
            .find_map(|length| line(self.0.get(..length).unwrap_or_default(), yaml))
            .unwrap_or(1)
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if index == 0 => write!(f, "{name}")?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Item(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}

/// What the reader is stopped with at the place that was looked for. It then tells the line.
const FOUND: &str = "found";

fn line(way: &[Segment], yaml: &str) -> Option<usize> {
    let error = Walk(way).deserialize(serde_yaml::Deserializer::from_str(yaml)).err()?;
    error.to_string().contains(FOUND).then_some(error.location()?.line())
}

/// Goes this way and stops at its end with an error.
struct Walk<'a>(&'a [Segment]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", if self.0.is_empty() { FOUND } else { "something else" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.0.split_first() else {
            return Err(de::Error::custom(FOUND));
        };
        while let Some(key) = map.next_key::<String>()? {
            if matches!(first, Segment::Field(name) if *name == key) {
                return map.next_value_seed(Walk(rest));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.0.split_first() else {
            return Err(de::Error::custom(FOUND));
        };
        let Segment::Item(wanted) = first else { return Ok(()) };
        for _ in 0..*wanted {
            items.next_element::<IgnoredAny>()?;
        }
        items.next_element_seed(Walk(rest)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_line() {
        let yaml = "a: 1\nb:\n- x: |\n    one\n    two\n- x: three\n  y: [1, 2]\n";
        let item = Place::root().field("b").item(1);
        for (place, line) in [
            (Place::root().field("a"), 1),
            (Place::root().field("b").item(0).field("x"), 3),
            (item.clone(), 6),
            (item.field("y").item(1), 7),
            (item.field("none"), 6),
            (Place::root().field("none"), 1),
        ] {
            assert_eq!(place.line(yaml), line, "{place}");
        }
        assert_eq!(item.field("y").item(1).to_string(), "b[1].y[1]");
    }
}
