//! What Apache says of itself: error pages, listings, times.
//!
//! Upstream: `modules/http/http_protocol.c` and `modules/generators/mod_autoindex.c` of
//! `apache/httpd`.

use naru_network::http::{Response, reason};
use naru_shell::Sys;
use naru_shell::serve::clock;
use naru_sim::Time;

/// The page of a status. `signature` stands at its end, "" where the server does not sign.
pub fn error(status: u16, location: &str, signature: &str) -> Response {
    let title = format!("{status} {}", title(status));
    let heading = title.split_once(' ').map_or("", |(_, heading)| heading);
    let says = says(status, location);
    let sign = match signature {
        "" => String::new(),
        text => format!("<hr>\n<address>{text}</address>\n"),
    };
    let body = format!(
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>{title}</title>\n\
         </head><body>\n<h1>{heading}</h1>\n{says}{sign}</body></html>\n"
    );
    let response =
        Response::new(status, body).with("Content-Type", "text/html; charset=iso-8859-1");
    match location {
        "" => response,
        location => response.with("Location", location),
    }
}

fn title(status: u16) -> &'static str {
    match status {
        302 => "Found",
        404 => "Not Found",
        502 => "Proxy Error",
        _ => reason(status),
    }
}

fn says(status: u16, location: &str) -> String {
    match status {
        301 | 302 | 303 | 307 | 308 => {
            format!("<p>The document has moved <a href=\"{location}\">here</a>.</p>\n")
        }
        400 => "<p>Your browser sent a request that this server could not understand.<br />\n</p>\n"
            .to_owned(),
        403 => "<p>You don't have permission to access this resource.</p>\n".to_owned(),
        404 => "<p>The requested URL was not found on this server.</p>\n".to_owned(),
        405 => "<p>The requested method is not allowed for this URL.</p>\n".to_owned(),
        502 => "<p>The proxy server received an invalid\nresponse from an upstream server.<br />\n\
                </p>\n"
            .to_owned(),
        503 => "<p>The server is temporarily unable to service your\nrequest due to maintenance \
                downtime or capacity\nproblems. Please try again later.</p>\n"
            .to_owned(),
        504 => "<p>The gateway did not receive a timely response\nfrom the upstream server or \
                application.</p>\n"
            .to_owned(),
        _ => "<p>The server encountered an internal error or\nmisconfiguration and was unable to \
              complete\nyour request.</p>\n<p>Please contact the server administrator at \n \
              you@example.com to inform them of the time this error occurred,\n and the actions you \
              performed just before this error.</p>\n<p>More information about this error may be \
              available\nin the server error log.</p>\n"
            .to_owned(),
    }
}

/// The list of a directory, as `IndexOptions` without fancy indexing has it.
pub fn listing(sys: &mut dyn Sys, folder: &str, path: &str) -> Response {
    let shown = path.trim_end_matches('/');
    let shown = if shown.is_empty() { "/" } else { shown };
    let mut items = String::new();
    if shown != "/" {
        let parent = shown.rsplit_once('/').map_or("", |(parent, _)| parent);
        items.push_str(&format!("<li><a href=\"{parent}/\"> Parent Directory</a></li>\n"));
    }
    for entry in sys.fs().list(folder).unwrap_or_default() {
        let slash = if entry.stat.is_dir() { "/" } else { "" };
        let name = format!("{}{slash}", entry.name);
        items.push_str(&format!("<li><a href=\"{name}\"> {name}</a></li>\n"));
    }
    let body = format!(
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<html>\n <head>\n  <title>Index of \
         {shown}</title>\n </head>\n <body>\n<h1>Index of {shown}</h1>\n<ul>{items}</ul>\n\
         </body></html>\n"
    );
    Response::new(200, body).with("Content-Type", "text/html;charset=ISO-8859-1")
}

/// `Mon Jun 02 00:00:00.000000 2025`: the time in Apache's error log.
pub fn log_time(time: Time) -> String {
    clock::format(time, "%a %b %d %H:%M:%S.%6f %Y")
}

/// The media type of a file by its name.
pub fn media_type(path: &str) -> Option<&'static str> {
    const TYPES: &[(&str, &str)] = &[
        ("css", "text/css"),
        ("gif", "image/gif"),
        ("htm", "text/html"),
        ("html", "text/html"),
        ("ico", "image/vnd.microsoft.icon"),
        ("jpeg", "image/jpeg"),
        ("jpg", "image/jpeg"),
        ("js", "text/javascript"),
        ("json", "application/json"),
        ("pdf", "application/pdf"),
        ("png", "image/png"),
        ("svg", "image/svg+xml"),
        ("txt", "text/plain"),
        ("xml", "application/xml"),
    ];
    let end = path.rsplit_once('.').map_or("", |(_, end)| end);
    TYPES.iter().find(|(known, _)| *known == end).map(|(_, kind)| *kind)
}
