//! What somebody looks at beside objects and their tables, for the page. Nothing of it is reckoned
//! before it is asked for.

mod chains;
mod charts;
mod registry;
mod rights;
mod usage;

use crate::Cluster;
use crate::view::{Study, StudyView};

impl Cluster {
    /// What there is to tell now.
    pub fn study(&mut self, study: &Study) -> StudyView {
        match study {
            Study::Registry { prefix, key } => StudyView::Registry(self.registry(prefix, key)),
            Study::Rights { subject, namespace } => {
                StudyView::Rights(self.rights(subject.as_ref(), namespace))
            }
            Study::Chains { namespace, name, node } => {
                StudyView::Chains(self.chains_of(namespace, name, node))
            }
            Study::Usage => StudyView::Usage(self.usage()),
        }
    }
}
