//! Where nginx's directives may stand, and with how many words.
//!
//! Upstream: the `ngx_command_t` tables of `nginx/nginx`.

const MAIN: u8 = 1;
const EVENTS: u8 = 2;
const HTTP: u8 = 4;
const SERVER: u8 = 8;
const LOCATION: u8 = 16;
const UPSTREAM: u8 = 32;
const IF: u8 = 64;
const ANY: u8 = HTTP | SERVER | LOCATION;

/// A block that directives stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    Main,
    Events,
    Http,
    Server,
    Location,
    Upstream,
    If,
    /// Its lines are no directives: `types`, `map`.
    Free,
}

impl Context {
    fn bit(self) -> u8 {
        match self {
            Context::Main => MAIN,
            Context::Events => EVENTS,
            Context::Http => HTTP,
            Context::Server => SERVER,
            Context::Location => LOCATION,
            Context::Upstream => UPSTREAM,
            Context::If => IF,
            Context::Free => 0,
        }
    }

    /// What stands in the block of a directive.
    pub fn inside(name: &str) -> Context {
        match name {
            "events" => Context::Events,
            "http" => Context::Http,
            "server" => Context::Server,
            "location" => Context::Location,
            "upstream" => Context::Upstream,
            "if" => Context::If,
            "limit_except" => Context::Location,
            _ => Context::Free,
        }
    }
}

/// Name, where it may stand, the least and the most words after its name, whether it has a block.
type Row = (&'static str, u8, usize, usize, bool);

const MANY: usize = 64;

const ROWS: &[Row] = &[
    ("absolute_redirect", ANY, 1, 1, false),
    ("access_log", ANY | IF, 1, MANY, false),
    ("add_header", ANY | IF, 2, 3, false),
    ("alias", LOCATION, 1, 1, false),
    ("allow", ANY, 1, 1, false),
    ("auth_basic", ANY, 1, 1, false),
    ("auth_basic_user_file", ANY, 1, 1, false),
    ("autoindex", ANY, 1, 1, false),
    ("autoindex_exact_size", ANY, 1, 1, false),
    ("autoindex_localtime", ANY, 1, 1, false),
    ("break", SERVER | LOCATION | IF, 0, 0, false),
    ("charset", ANY | IF, 1, 1, false),
    ("client_body_buffer_size", ANY, 1, 1, false),
    ("client_body_temp_path", ANY, 1, 4, false),
    ("client_body_timeout", ANY, 1, 1, false),
    ("client_header_buffer_size", HTTP | SERVER, 1, 1, false),
    ("client_max_body_size", ANY, 1, 1, false),
    ("daemon", MAIN, 1, 1, false),
    ("default_type", ANY, 1, 1, false),
    ("deny", ANY, 1, 1, false),
    ("env", MAIN, 1, 1, false),
    ("error_log", MAIN | ANY, 1, MANY, false),
    ("error_page", ANY | IF, 2, MANY, false),
    ("etag", ANY, 1, 1, false),
    ("events", MAIN, 0, 0, true),
    ("expires", ANY | IF, 1, 2, false),
    ("fastcgi_index", ANY, 1, 1, false),
    ("fastcgi_param", ANY, 2, 3, false),
    ("fastcgi_pass", LOCATION | IF, 1, 1, false),
    ("gzip", ANY | IF, 1, 1, false),
    ("gzip_comp_level", ANY, 1, 1, false),
    ("gzip_min_length", ANY, 1, 1, false),
    ("gzip_proxied", ANY, 1, MANY, false),
    ("gzip_types", ANY, 1, MANY, false),
    ("gzip_vary", ANY, 1, 1, false),
    ("hash", UPSTREAM, 1, 2, false),
    ("http", MAIN, 0, 0, true),
    ("http2", HTTP | SERVER, 1, 1, false),
    ("if", SERVER | LOCATION, 1, MANY, true),
    ("include", MAIN | EVENTS | ANY | UPSTREAM | IF, 1, 1, false),
    ("index", ANY, 1, MANY, false),
    ("internal", LOCATION, 0, 0, false),
    ("ip_hash", UPSTREAM, 0, 0, false),
    ("keepalive", UPSTREAM, 1, 1, false),
    ("keepalive_requests", ANY | UPSTREAM, 1, 1, false),
    ("keepalive_timeout", ANY | UPSTREAM, 1, 2, false),
    ("large_client_header_buffers", HTTP | SERVER, 2, 2, false),
    ("least_conn", UPSTREAM, 0, 0, false),
    ("limit_except", LOCATION, 1, MANY, true),
    ("limit_rate", ANY | IF, 1, 1, false),
    ("limit_req", ANY, 1, 3, false),
    ("limit_req_zone", HTTP, 3, 4, false),
    ("listen", SERVER, 1, MANY, false),
    ("load_module", MAIN, 1, 1, false),
    ("location", SERVER | LOCATION, 1, 2, true),
    ("log_format", HTTP, 2, MANY, false),
    ("log_not_found", ANY, 1, 1, false),
    ("log_subrequest", ANY, 1, 1, false),
    ("map", HTTP, 2, 2, true),
    ("map_hash_bucket_size", HTTP, 1, 1, false),
    ("max_ranges", ANY, 1, 1, false),
    ("merge_slashes", HTTP | SERVER, 1, 1, false),
    ("multi_accept", EVENTS, 1, 1, false),
    ("open_file_cache", ANY, 1, 2, false),
    ("pid", MAIN, 1, 1, false),
    ("port_in_redirect", ANY, 1, 1, false),
    ("proxy_buffer_size", ANY, 1, 1, false),
    ("proxy_buffering", ANY, 1, 1, false),
    ("proxy_buffers", ANY, 2, 2, false),
    ("proxy_busy_buffers_size", ANY, 1, 1, false),
    ("proxy_cache", ANY, 1, 1, false),
    ("proxy_cache_bypass", ANY, 1, MANY, false),
    ("proxy_cache_path", HTTP, 2, MANY, false),
    ("proxy_cache_valid", ANY, 1, MANY, false),
    ("proxy_connect_timeout", ANY, 1, 1, false),
    ("proxy_hide_header", ANY, 1, 1, false),
    ("proxy_http_version", ANY, 1, 1, false),
    ("proxy_ignore_headers", ANY, 1, MANY, false),
    ("proxy_intercept_errors", ANY, 1, 1, false),
    ("proxy_next_upstream", ANY, 1, MANY, false),
    ("proxy_next_upstream_tries", ANY, 1, 1, false),
    ("proxy_pass", LOCATION | IF, 1, 1, false),
    ("proxy_pass_header", ANY, 1, 1, false),
    ("proxy_pass_request_body", ANY, 1, 1, false),
    ("proxy_read_timeout", ANY, 1, 1, false),
    ("proxy_redirect", ANY, 1, 2, false),
    ("proxy_request_buffering", ANY, 1, 1, false),
    ("proxy_send_timeout", ANY, 1, 1, false),
    ("proxy_set_body", ANY, 1, 1, false),
    ("proxy_set_header", ANY, 2, 2, false),
    ("proxy_ssl_server_name", ANY, 1, 1, false),
    ("proxy_ssl_verify", ANY, 1, 1, false),
    ("proxy_temp_path", ANY, 1, 4, false),
    ("random", UPSTREAM, 0, 2, false),
    ("real_ip_header", ANY, 1, 1, false),
    ("real_ip_recursive", ANY, 1, 1, false),
    ("reset_timedout_connection", ANY, 1, 1, false),
    ("resolver", ANY | UPSTREAM, 1, MANY, false),
    ("resolver_timeout", ANY | UPSTREAM, 1, 1, false),
    ("return", SERVER | LOCATION | IF, 1, 2, false),
    ("rewrite", SERVER | LOCATION | IF, 2, 3, false),
    ("rewrite_log", ANY | IF, 1, 1, false),
    ("root", ANY | IF, 1, 1, false),
    ("satisfy", ANY, 1, 1, false),
    ("send_timeout", ANY, 1, 1, false),
    ("sendfile", ANY | IF, 1, 1, false),
    ("server", HTTP, 0, 0, true),
    ("server", UPSTREAM, 1, MANY, false),
    ("server_name", SERVER, 1, MANY, false),
    ("server_name_in_redirect", ANY, 1, 1, false),
    ("server_names_hash_bucket_size", HTTP, 1, 1, false),
    ("server_names_hash_max_size", HTTP, 1, 1, false),
    ("server_tokens", ANY, 1, 1, false),
    ("set", SERVER | LOCATION | IF, 2, 2, false),
    ("set_real_ip_from", ANY, 1, 1, false),
    ("ssl_certificate", HTTP | SERVER, 1, 1, false),
    ("ssl_certificate_key", HTTP | SERVER, 1, 1, false),
    ("ssl_ciphers", HTTP | SERVER, 1, 1, false),
    ("ssl_dhparam", HTTP | SERVER, 1, 1, false),
    ("ssl_prefer_server_ciphers", HTTP | SERVER, 1, 1, false),
    ("ssl_protocols", HTTP | SERVER, 1, MANY, false),
    ("ssl_session_cache", HTTP | SERVER, 1, 2, false),
    ("ssl_session_tickets", HTTP | SERVER, 1, 1, false),
    ("ssl_session_timeout", HTTP | SERVER, 1, 1, false),
    ("stream", MAIN, 0, 0, true),
    ("stub_status", SERVER | LOCATION, 0, 1, false),
    ("sub_filter", ANY, 2, 2, false),
    ("sub_filter_once", ANY, 1, 1, false),
    ("tcp_nodelay", ANY, 1, 1, false),
    ("tcp_nopush", ANY, 1, 1, false),
    ("try_files", SERVER | LOCATION, 2, MANY, false),
    ("types", ANY, 0, 0, true),
    ("types_hash_bucket_size", ANY, 1, 1, false),
    ("types_hash_max_size", ANY, 1, 1, false),
    ("underscores_in_headers", HTTP | SERVER, 1, 1, false),
    ("upstream", HTTP, 1, 1, true),
    ("use", EVENTS, 1, 1, false),
    ("user", MAIN, 1, 2, false),
    ("worker_connections", EVENTS, 1, 1, false),
    ("worker_cpu_affinity", MAIN, 1, MANY, false),
    ("worker_processes", MAIN, 1, 1, false),
    ("worker_rlimit_nofile", MAIN, 1, 1, false),
    ("worker_shutdown_timeout", MAIN, 1, 1, false),
    ("zone", UPSTREAM, 1, 2, false),
];

/// Directives whose only word is `on` or `off`.
const FLAGS: &[&str] = &[
    "absolute_redirect",
    "autoindex",
    "autoindex_exact_size",
    "autoindex_localtime",
    "daemon",
    "gzip",
    "gzip_vary",
    "http2",
    "log_not_found",
    "merge_slashes",
    "multi_accept",
    "port_in_redirect",
    "proxy_buffering",
    "proxy_intercept_errors",
    "proxy_request_buffering",
    "rewrite_log",
    "sendfile",
    "server_name_in_redirect",
    "sub_filter_once",
    "tcp_nodelay",
    "tcp_nopush",
    "underscores_in_headers",
];

/// Why a directive may not stand so; `block` tells whether it opens one. The place is put behind.
pub fn check(words: &[String], context: Context, block: bool) -> Result<(), String> {
    let name = words.first().map_or("", String::as_str);
    if context == Context::Free {
        return Ok(());
    }
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.0 == name).collect();
    if rows.is_empty() {
        return Err(format!("unknown directive \"{name}\""));
    }
    let Some(row) = rows.iter().find(|row| row.1 & context.bit() != 0) else {
        return Err(format!("\"{name}\" directive is not allowed here"));
    };
    if block && !row.4 {
        return Err(format!("directive \"{name}\" is not terminated by \";\""));
    }
    if !block && row.4 {
        return Err(format!("directive \"{name}\" has no opening \"{{\""));
    }
    let count = words.len().saturating_sub(1);
    if count < row.2 || count > row.3 {
        return Err(format!("invalid number of arguments in \"{name}\" directive"));
    }
    let value = words.get(1).map_or("", String::as_str);
    if FLAGS.contains(&name) && !["on", "off"].contains(&value) {
        return Err(format!(
            "invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\""
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_nginxs_words() {
        let table = [
            ("foo a", Context::Http, false, "unknown directive \"foo\""),
            ("listen 80", Context::Http, false, "\"listen\" directive is not allowed here"),
            ("root /a", Context::Server, true, "directive \"root\" is not terminated by \";\""),
            ("server", Context::Http, false, "directive \"server\" has no opening \"{\""),
            ("root", Context::Server, false, "invalid number of arguments in \"root\" directive"),
            (
                "autoindex yes",
                Context::Server,
                false,
                "invalid value \"yes\" in \"autoindex\" directive, it must be \"on\" or \"off\"",
            ),
        ];
        for (line, context, block, why) in table {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(check(&words, context, block).unwrap_err(), why);
        }
        let words = ["server".to_owned(), "a:80".to_owned()];
        assert!(check(&words, Context::Upstream, false).is_ok());
    }
}
