//! Suites that cross crates; the tests themselves are beside this file.
