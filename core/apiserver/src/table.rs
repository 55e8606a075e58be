//! Answers as tables: what `kubectl get` prints.

use naru_api::request::{ObjectList, Row, Table};
use naru_api::{KindRef, Object};
use naru_sim::Time;

/// A table of one object.
pub(crate) fn of_object(object: &Object, now: Time) -> Table {
    of(&object.kind(), std::slice::from_ref(object), object.revision(), now)
}

/// A table of a list.
pub(crate) fn of_list(list: &ObjectList, now: Time) -> Table {
    Table {
        continue_token: list.continue_token.clone(),
        remaining: list.remaining,
        ..of(&list.kind, &list.items, list.revision, now)
    }
}

fn of(kind: &KindRef, objects: &[Object], revision: u64, now: Time) -> Table {
    let strategy = &kind.strategy;
    let row = |object: &Object| Row { cells: strategy.row(object, now), object: object.clone() };
    let mut rows: Vec<Row> = objects.iter().map(row).collect();
    rows.sort_by_cached_key(|row| strategy.row_order(&row.object));
    Table { columns: strategy.columns(), rows, revision, ..Table::default() }
}
