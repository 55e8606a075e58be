//! kubectl as a library: arguments to API requests to text.
