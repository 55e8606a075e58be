//! The assembled machine: boot profiles, time, terminals, the view.

pub mod view;
