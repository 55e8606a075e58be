//! The pages that nginx makes up itself, with `server_tokens off`.

use naru_network::http::{Response, reason};

/// `404 Not Found` and its kin.
pub fn page(status: u16) -> Response {
    let title = match status {
        413 => "413 Request Entity Too Large".to_owned(),
        503 => "503 Service Temporarily Unavailable".to_owned(),
        504 => "504 Gateway Time-out".to_owned(),
        status => format!("{status} {}", reason(status)),
    };
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\
         \r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(status, body).with("Content-Type", "text/html");
    // In nginx' words, which are older than the standard's.
    let old = match status {
        302 => "Moved Temporarily",
        413 => "Request Entity Too Large",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => return response,
    };
    response.reason = old.to_owned();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_as_long_as_nginx_makes_them() {
        for (status, length) in
            [(302, 138), (404, 146), (413, 176), (502, 150), (503, 190), (308, 164)]
        {
            assert_eq!(page(status).body.len(), length, "{status}");
        }
    }
}
