//! What components share: clients, informers, work queues, the reconcile loop, events.
