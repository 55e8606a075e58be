//! The assembled machine: boot profiles, time, snapshots, view, host programs.
