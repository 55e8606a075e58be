//! Every step of every built-in lesson, headless: before its commands at least one of its checks
//! fails; after them all hold.

#![allow(clippy::unwrap_used)]

use naru_cluster::Cluster;
use naru_lesson::{Lesson, built_in};
use std::time::Duration;

/// Virtual time that a step may take after its last command.
const SETTLE_SECONDS_MAX: u64 = 120;

#[test]
fn steps_are_done_by_their_commands_and_not_before() {
    for file in built_in() {
        let lesson = Lesson::parse(file.yaml).unwrap();
        let mut cluster = Cluster::new(&lesson.profile, lesson.seed).unwrap();
        for (name, content) in &lesson.files {
            cluster.write_home_file(name, content.as_bytes()).unwrap();
        }
        for (index, step) in lesson.steps.iter().enumerate() {
            let place = format!("{}, step {}", file.slug, index + 1);
            let before = lesson.check(index, &mut cluster);
            assert!(before.is_empty() || before.contains(&false), "{place} is done from the start");
            for command in &step.commands {
                let result = cluster.exec(command, Duration::from_secs(600));
                assert_eq!(
                    result.code, 0,
                    "{place}: $ {command}\n{}{}",
                    result.stdout, result.stderr
                );
            }
            let mut waited = 0;
            while lesson.check(index, &mut cluster).contains(&false) {
                assert!(
                    waited < SETTLE_SECONDS_MAX,
                    "{place}: {:?}",
                    lesson.check(index, &mut cluster)
                );
                cluster.advance(cluster.now() + Duration::from_secs(1), u64::MAX);
                waited += 1;
            }
        }
    }
}
