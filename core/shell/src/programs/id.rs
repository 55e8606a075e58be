//! `id`, `whoami`, and names of users.

use super::tool::{Options, Out};
use crate::Sys;

/// A field of the line of `/etc/passwd` or `/etc/group` that has `value` in column `column`.
fn look_up(
    sys: &mut dyn Sys,
    file: &str,
    column: usize,
    value: &str,
    wanted: usize,
) -> Option<String> {
    let text = sys.fs().read_text(file).ok()?;
    let line = text.lines().find(|line| line.split(':').nth(column) == Some(value))?;
    line.split(':').nth(wanted).map(str::to_string)
}

/// The user's name, or the number if it has none.
pub fn user_name(sys: &mut dyn Sys, uid: u32) -> String {
    let number = uid.to_string();
    match look_up(sys, "/etc/passwd", 2, &number, 0) {
        Some(name) => name,
        None if uid == 0 => "root".to_string(),
        None => number,
    }
}

/// The group's name, or the number if it has none.
pub fn group_name(sys: &mut dyn Sys, gid: u32) -> String {
    let number = gid.to_string();
    match look_up(sys, "/etc/group", 2, &number, 0) {
        Some(name) => name,
        None if gid == 0 => "root".to_string(),
        None => user_name(sys, gid),
    }
}

/// The number of the user with this name or number.
pub fn user_number(sys: &mut dyn Sys, name: &str) -> Option<u32> {
    match name.parse() {
        Ok(number) => Some(number),
        Err(_) if name == "root" => Some(0),
        Err(_) => look_up(sys, "/etc/passwd", 0, name, 2)?.parse().ok(),
    }
}

/// `id [-ugn]`
pub fn id(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let options = match Options::parse(sys, args, "ugnGr", &[], out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let uid = sys.uid();
    let own = sys.fs().groups().clone();
    let gid = own.first_of(uid);
    let mut groups: Vec<u32> = own.others.iter().copied().chain([gid]).collect();
    groups.sort_unstable();
    groups.dedup();
    let user = (uid, user_name(sys, uid));
    let group = (gid, group_name(sys, gid));
    let groups: Vec<(u32, String)> =
        groups.into_iter().map(|gid| (gid, group_name(sys, gid))).collect();
    let bare = |(number, name): &(u32, String)| match options.has('n') {
        true => name.clone(),
        false => number.to_string(),
    };
    let named = |(number, name): &(u32, String)| match name.parse::<u32>() {
        Ok(_) => number.to_string(),
        Err(_) => format!("{number}({name})"),
    };
    let all = |text: &dyn Fn(&(u32, String)) -> String, between: &str| {
        groups.iter().map(text).collect::<Vec<String>>().join(between)
    };
    out.line(match () {
        () if options.has('u') => bare(&user),
        () if options.has('g') => bare(&group),
        () if options.has('G') => all(&bare, " "),
        () => format!("uid={} gid={} groups={}", named(&user), named(&group), all(&named, ",")),
    });
    0
}

/// `whoami`
pub fn whoami(sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    let uid = sys.uid();
    let name = user_name(sys, uid);
    if name.parse::<u32>().is_ok() {
        out.error(format!("whoami: cannot find name for user ID {uid}"));
        return 1;
    }
    out.line(name);
    0
}
