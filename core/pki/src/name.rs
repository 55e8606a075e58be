//! Distinguished names: who a certificate is about.

use crate::PkiError;
use std::collections::BTreeSet;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::Encode;
use x509_cert::der::asn1::{Any, ObjectIdentifier, PrintableStringRef, SetOfVec, Utf8StringRef};
use x509_cert::name::{Name, RelativeDistinguishedName};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// The parts of a distinguished name that Kubernetes reads: the user and its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// `CN`: the user.
    pub common_name: String,
    /// `O`, as often as there are groups.
    pub organizations: Vec<String>,
}

impl Subject {
    /// A name of these parts.
    pub fn new(common_name: &str, organizations: &[&str]) -> Self {
        Subject {
            common_name: common_name.to_owned(),
            organizations: organizations.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// As certificates have it, in DER; nothing for a name that cannot be written so.
    pub fn to_der(&self) -> Vec<u8> {
        self.write().ok().and_then(|name| name.to_der().ok()).unwrap_or_default()
    }

    pub(crate) fn read(name: &Name) -> Self {
        let mut subject = Subject::default();
        for part in name.0.iter().flat_map(|set| set.0.iter()) {
            let text = String::from_utf8_lossy(part.value.value()).into_owned();
            if part.oid == COMMON_NAME {
                subject.common_name = text;
            } else if part.oid == ORGANIZATION {
                subject.organizations.push(text);
            }
        }
        subject
    }

    /// Organizations first, as Go writes them.
    pub(crate) fn write(&self) -> Result<Name, PkiError> {
        let mut name = Name::default();
        let common_name = std::slice::from_ref(&self.common_name);
        for (oid, texts) in [(ORGANIZATION, &*self.organizations), (COMMON_NAME, common_name)] {
            let mut set = SetOfVec::new();
            // In a set, the same organization twice says no more than once.
            let texts: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
            for text in texts.into_iter().filter(|text| !text.is_empty()) {
                let part = value(text).map(|value| AttributeTypeAndValue { oid, value });
                part.and_then(|part| set.insert(part)).map_err(PkiError::malformed("name"))?;
            }
            if !set.is_empty() {
                name.0.push(RelativeDistinguishedName(set));
            }
        }
        Ok(name)
    }
}

/// A text in the smallest of the two string types that are used today.
fn value(text: &str) -> der::Result<Any> {
    match PrintableStringRef::new(text) {
        Ok(text) => Ok(Any::from(text)),
        Err(_) => Utf8StringRef::new(text).map(Any::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        let table = [
            Subject::new("kubernetes-admin", &["kubeadm:cluster-admins"]),
            Subject::new("나루, the 1st", &["b", "a", "system:nodes"]),
            Subject::new("", &[]),
        ];
        for subject in table {
            let mut read = Subject::read(&subject.write().unwrap());
            read.organizations.sort();
            let mut wanted = subject.clone();
            wanted.organizations.sort();
            assert_eq!(read, wanted);
        }
    }

    #[test]
    fn a_doubled_organization_stands_once() {
        let read = Subject::read(&Subject::new("x", &["a", "a"]).write().unwrap());
        assert_eq!(read.organizations, ["a"]);
    }
}
