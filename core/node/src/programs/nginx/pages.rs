//! nginx's own pages.
//!
//! Upstream: `src/http/ngx_http_special_response.c`,
//! `src/http/modules/ngx_http_autoindex_module.c`.

use naru_network::http::{Response, reason};
use naru_shell::Sys;
use naru_shell::serve::clock;

/// What a client that speaks in clear to a port for TLS is told.
pub const PLAIN_TO_SECURED: &str = "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 248\r\nConnection: close\r\n\r\n<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS port</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// Columns of a name in a list.
const NAME_COLUMNS: usize = 50;

/// The page of a status; a status without one has no body. `signature` is `nginx/1.27.5` or `nginx`.
pub fn error(status: u16, signature: &str) -> Response {
    let Some(title) = title(status) else {
        return Response::new(status, "").with("Content-Type", "text/plain");
    };
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>\
         </center>\r\n<hr><center>{signature}</center>\r\n</body>\r\n</html>\r\n"
    );
    Response::new(status, body).with("Content-Type", "text/html")
}

fn title(status: u16) -> Option<String> {
    let words = match status {
        302 => "Found",
        401 => "Authorization Required",
        405 => "Not Allowed",
        408 => "Request Time-out",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        416 => "Requested Range Not Satisfiable",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        507 => "Insufficient Storage",
        301
        | 303
        | 307
        | 308
        | 400
        | 402
        | 403
        | 404
        | 406
        | 409..=412
        | 415
        | 421
        | 429
        | 500
        | 501
        | 502
        | 505 => reason(status),
        _ => return None,
    };
    Some(format!("{status} {words}"))
}

/// The list of a directory.
pub fn listing(sys: &mut dyn Sys, real: &str, path: &str) -> Response {
    let mut body = format!(
        "<html>\r\n<head><title>Index of {path}</title></head>\r\n<body>\r\n<h1>Index of {path}\
         </h1><hr><pre><a href=\"../\">../</a>\r\n"
    );
    let mut entries = sys.fs().list(real).unwrap_or_default();
    // Directories come first.
    entries.sort_by_key(|entry| (!entry.stat.is_dir(), entry.name.clone()));
    for entry in entries.iter().filter(|entry| !entry.name.starts_with('.')) {
        let slash = if entry.stat.is_dir() { "/" } else { "" };
        let name = format!("{}{slash}", entry.name);
        let length = name.chars().count();
        let shown = match length > NAME_COLUMNS {
            true => name.chars().take(NAME_COLUMNS - 3).chain("..>".chars()).collect(),
            false => name.clone(),
        };
        let room = " ".repeat(NAME_COLUMNS.saturating_sub(length));
        let time = clock::format(entry.stat.mtime, "%d-%b-%Y %H:%M");
        let size = match entry.stat.is_dir() {
            true => "-".to_owned(),
            false => sys
                .fs()
                .read(&format!("{}/{}", real.trim_end_matches('/'), entry.name))
                .map_or(0, |bytes| bytes.len())
                .to_string(),
        };
        body.push_str(&format!("<a href=\"{name}\">{shown}</a>{room} {time} {size:>19}\r\n"));
    }
    body.push_str("</pre><hr></body>\r\n</html>\r\n");
    Response::new(200, body).with("Content-Type", "text/html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        let table = [
            (404, Some("404 Not Found")),
            (405, Some("405 Not Allowed")),
            (502, Some("502 Bad Gateway")),
            (504, Some("504 Gateway Time-out")),
            (418, None),
        ];
        for (status, expected) in table {
            assert_eq!(title(status).as_deref(), expected);
        }
    }

    #[test]
    fn the_length_of_the_answer_in_clear_is_right() {
        let (head, body) = PLAIN_TO_SECURED.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
