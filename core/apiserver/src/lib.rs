//! The API server: store, request chain, watches, discovery, tables.
